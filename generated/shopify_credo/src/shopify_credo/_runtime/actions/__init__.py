"""What commands and routes do, apart from printing and answering: a file for each subject."""

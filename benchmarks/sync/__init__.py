"""What it costs to bring records from one API to another: the generated package beside clients written by hand and others."""

"""The commands of a package, a file for each subject; `cli.py` lists them. They import what they need when they run."""

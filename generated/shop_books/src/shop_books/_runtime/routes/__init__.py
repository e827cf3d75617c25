"""What the service answers, a file for each subject; `server.py` lists them."""

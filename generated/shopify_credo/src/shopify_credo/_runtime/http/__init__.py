"""One API over HTTP: requests as operations describe them, sent within bounds, paced, retried, signed in, and their replies read."""

"""How much of an allowed rate a client uses, and how often it is refused, as the server counts."""

"""Hostile documents: what a stranger writes into a description stays data, or is refused with a reason."""

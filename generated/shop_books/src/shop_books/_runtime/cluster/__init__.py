"""Runs over replicas: a queue on PostgreSQL, workers that take from it, and nobody's work lost when one of them dies.

Imported only where the extra `cluster` is used. What is durable about a run is its checkpoint; the queue carries who is to
run what, as identities and cursors, never records and never credentials.
"""

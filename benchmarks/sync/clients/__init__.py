"""Clients that do the same work: read all customers, map eight fields, write contacts one by one or a hundred at once.

Each is a program of its own: `python -m benchmarks.sync.clients.<name> ADDRESS single|batch`, run by the peers' interpreter.
"""

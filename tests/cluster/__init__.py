"""Replicas as real processes over one PostgreSQL, beside APIs that log every effect."""

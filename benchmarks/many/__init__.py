"""Many integrations built at once."""

"""The steps as a user takes them: create → ingest → map → accept → build → test. Each is a function over an integration's folder."""

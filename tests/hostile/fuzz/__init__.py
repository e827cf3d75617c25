"""Made-up descriptions: whatever comes in, the compiler answers with a package or with a diagnostic."""

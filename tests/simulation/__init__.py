"""The real engine between two made-up systems in virtual time: everything that happens follows from one number, the seed."""

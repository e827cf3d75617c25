"""The guessing side of a mapping: names, types, assignment, a language model. Nothing that compiles imports it."""

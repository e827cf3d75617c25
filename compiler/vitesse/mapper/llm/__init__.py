"""A language model as adviser: it ranks the matcher's candidates and says why, in a closed form.

Untrusted like any input: it reads schemas and the intent, never records or credentials, and what it answers is checked field by
field. The client is the extra `llm`, and is imported when something is asked; recorded answers need no more than the rest of Vitesse.
"""

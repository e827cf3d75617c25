"""Every diagnostic code and its title. One table, kept by hand.

A code is never reused. Each has a section in `docs/diagnostics.md`, is used in the source and is produced by a test; the
tests in `tests/house/test_catalogue.py` hold this. Ranges: V0 manifest and command line, V1 reading documents, V2 what an API
offers, V3 facts, V4 rules and reviews, V5 plan, V6 rendering and its proof, V7 output and lock, V8 Guardian, V9 deployment and
plugins.
"""

from __future__ import annotations

TITLES: dict[str, str] = {
    # manifest, command line
    "V001": "a file of the integration cannot be read",
    "V002": "a file is not the YAML or JSON its name says",
    "V003": "a key is not part of the form",
    "V004": "a key that the form needs is not there",
    "V005": "a value is not as the form asks",
    "V006": "the form is of another version",
    "V007": "the deployment needs PostgreSQL",
    "V008": "two parts of the manifest contradict each other",
    # ------------------------------------------------------------------------------------------------------------------
    # reading documents
    # ------------------------------------------------------------------------------------------------------------------
    # what an API offers
    # ------------------------------------------------------------------------------------------------------------------
    # facts
    # ------------------------------------------------------------------------------------------------------------------
    # rules, reviews
    # ------------------------------------------------------------------------------------------------------------------
    # plan
    # ------------------------------------------------------------------------------------------------------------------
    # rendering and its proof
    # ------------------------------------------------------------------------------------------------------------------
    # output, lock
    # ------------------------------------------------------------------------------------------------------------------
    # Guardian
    # ------------------------------------------------------------------------------------------------------------------
    # deployment, plugins
    "V901": "a plugin that the manifest names is not installed",
    "V902": "a plugin cannot be loaded",
    "V903": "a file of a plugin cannot be copied into a package",
    "V904": "a function is not as its plugin declares it",
    "V905": "two things that plugins or `custom/` bring have one name",
    "V906": "a file of `custom/` cannot be copied into a package",
    "V907": "a function of `custom/` cannot be called by a rule",
}

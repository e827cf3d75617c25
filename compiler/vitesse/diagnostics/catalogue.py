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
    "V009": "a selection names nothing",
    "V010": "git has no such revision",
    "V011": "this installation has no examples",
    "V012": "the folder of a new integration is taken",
    "V013": "a step of the demo failed",
    "V014": "a process that built an integration ended",
    # ------------------------------------------------------------------------------------------------------------------
    # reading documents
    "V101": "a file of a description cannot be read",
    "V102": "a file of a description is not text",
    "V103": "a file of a description is not JSON or YAML",
    "V104": "a key stands twice in one object",
    "V105": "a limit was passed",
    "V106": "a YAML tag is outside the core schema",
    "V107": "a number is not finite",
    "V108": "a file is not an API description",
    "V109": "the version of a description is not read",
    "V110": "a part of a description has another shape than its version says",
    "V111": "a reference leads out of the folder",
    "V112": "a reference leads to nothing",
    "V113": "a reference cannot be followed",
    "V114": "schemas are nothing but each other",
    "V115": "the file that a reference names was not read",
    "V116": "an overlay cannot be carried out",
    "V117": "an overlay corrects what is not there",
    # ------------------------------------------------------------------------------------------------------------------
    # what an API offers
    "V201": "the type of a schema is not known",
    "V202": "the parts of a schema contradict each other",
    "V203": "a bound is not a number",
    "V204": "a default does not fit its schema",
    "V205": "the values of an enum do not fit their type",
    "V206": "a parameter cannot be used as it is",
    "V207": "the path and its parameters do not agree",
    "V208": "a media type cannot be used",
    "V209": "a response has no usable status",
    "V210": "a security scheme cannot be used",
    "V211": "a server cannot be used",
    "V212": "a part of a schema is read more loosely than it is written",
    "V213": "a discriminator cannot be trusted",
    "V216": "keywords beside a reference do not count",
    "V217": "an operation is not quite a method and a path",
    "V218": "an operation has a body where HTTP expects none",
    "V219": "an operation is not in the description",
    "V220": "the style of a parameter is not supported",
    "V221": "a webhook has no request",
    # ------------------------------------------------------------------------------------------------------------------
    # facts
    "V301": "no spec is pinned for an API",
    "V302": "a fact lacks what its kind needs",
    "V303": "a description is pinned under a name that the manifest does not say",
    "V304": "an address is not fetched from",
    "V305": "nothing usable came from an address",
    "V306": "no description is at the usual places",
    "V307": "a credential is not in the environment",
    "V308": "a catalogue of APIs cannot be used",
    # ------------------------------------------------------------------------------------------------------------------
    # rules, reviews
    "V401": "a field path cannot be read",
    "V402": "a mapping says two things",
    "V405": "an operation is not in the spec",
    "V406": "a list operation has no records where the fact says",
    "V407": "an operation takes no record",
    "V410": "a destination field does not exist",
    "V411": "a source field does not exist",
    "V412": "a destination field is read-only",
    "V413": "a rule fills an object whole",
    "V414": "a transform does not exist",
    "V415": "a transform takes another number of fields",
    "V416": "a transform's parameters are not as it asks",
    "V417": "a custom function cannot be called",
    "V418": "lists do not pair",
    "V419": "a transform does not take this source",
    "V420": "the destination does not take what a rule gives",
    "V421": "a rule does not say what happens when a required value is missing",
    "V422": "a rule does not say what happens to a null",
    "V423": "a default does not fit",
    "V424": "a transform is not compiled yet",
    "V430": "a rule may lose something",
    "V431": "a waiver names no loss",
    "V432": "a waiver is not needed",
    "V433": "a mapping leaves no place for new rules",
    "V434": "a hint is none",
    "V435": "a mapping cannot be edited where it stands",
    "V440": "a required destination field is never filled",
    "V441": "a waived field does not exist",
    "V442": "a field is filled whole and inside",
    "V450": "nobody has accepted a rule",
    "V451": "a review no longer holds",
    "V452": "nobody vouches for a fact",
    "V453": "a rejected rule is still in the mapping",
    # ------------------------------------------------------------------------------------------------------------------
    # plan
    "V501": "a required parameter has no value",
    "V502": "the spec has no such operation",
    "V503": "the webhook signature scheme is not known",
    "V504": "the spec has no such security scheme",
    "V505": "the spec names no usable server",
    "V506": "nothing names a stream's records",
    "V507": "nothing says how a batch operation works",
    "V508": "nothing fills what an update requires",
    "V509": "an operation cannot be compiled",
    "V510": "the used operations are at different servers",
    # ------------------------------------------------------------------------------------------------------------------
    # rendering and its proof
    "V600": "a rendered file is not what the plan says",
    "V601": "a file that would be copied does not parse",
    "V602": "a plugin's file imports what no package has",
    # ------------------------------------------------------------------------------------------------------------------
    # output, lock
    "V700": "the lock cannot be read",
    "V701": "a generated file was edited by hand",
    "V702": "a file that Vitesse did not write is in the way",
    "V703": "a link or a special file is in the way",
    "V704": "the package was made by another version of Vitesse",
    "V705": "a generated file is not what its inputs give",
    "V706": "a generated file is missing",
    "V707": "the package is a draft",
    "V708": "the package's folder cannot be written",
    # ------------------------------------------------------------------------------------------------------------------
    # Guardian
    "V800": "there is no package to examine",
    "V801": "the clean environment cannot be made",
    "V802": "the clean environment is not clean",
    "V803": "the package cannot be installed",
    "V804": "an examination ended without a result",
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

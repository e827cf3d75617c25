"""`vitesse review`."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import folder_argument
from .show import places_are_in

if TYPE_CHECKING:
    from ..api.model import Json
    from ..rules.model import Rule
    from ..workflow.review import Key, OpenFact, OpenField, OpenRule, Question, Session
    from .review_screen import Screen

EXAMPLE = """\b
Example:
  vitesse review integrations/shopify_credo
  vitesse review integrations/shopify_credo customers.email --by ana
"""


@click.command("review", epilog=EXAMPLE)
@folder_argument
@click.argument("selection", metavar="[STREAM[.RULE]]...", nargs=-1)
@click.option("--by", metavar="NAME", help="Who reviews.  [default: git's user.name, else the login name]")
def command(folder: Path, selection: tuple[str, ...], by: str | None) -> int:
    """Walk through what nobody stands behind yet, one question at a time.

    Open rules, rules whose review no longer holds, required fields that nothing fills, facts that are questions. Each decision is
    written at once; stopping loses nothing. Named rules are shown whatever their state. Answers can be piped in, one a line.
    """
    from datetime import UTC, datetime

    from ..diagnostics import Exit
    from ..workflow.review import Session
    from .accept import who
    from .review_screen import Screen

    places_are_in(folder)
    session = Session(folder, by=by or who(), on=datetime.now(UTC).date().isoformat())
    keys = session.keys(selection)
    if not keys:
        click.echo("nothing is open")
        return Exit.DONE
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    screen = Screen(width=shutil.get_terminal_size().columns - 1, colour=colour)
    decided = _Walk(session, screen, keys).run()
    told = ", ".join(f"{count} {what}" for what, count in decided.items())
    click.echo(f"\n{told or 'nothing decided'}")
    left = session.keys()
    if left:
        click.echo(f"{len(left)} still open: {', '.join(map(str, left[:6]))}{' …' if len(left) > 6 else ''}")
    else:
        click.echo(f"nothing is open; next: vitesse build {folder}")
    return Exit.DONE


class _Done(Exception):
    """The person wants to stop, or there is nothing more to read."""


class _Walk:
    """Asks one question after the other."""

    def __init__(self, session: Session, screen: Screen, keys: list[Key]) -> None:
        self._session = session
        self._screen = screen
        self._keys = keys
        self._at = 0
        self._decided: list[str] = []

    def run(self) -> Mapping[str, int]:
        """Ask until the last one, or until the person stops. What was decided → how often."""
        try:
            while self._at < len(self._keys):
                question = self._session.question(self._keys[self._at])
                if question is None:
                    self._at += 1
                    continue
                click.echo(self._screen.question(question, self._at + 1, len(self._keys)))
                self._ask(question)
        except _Done:
            pass
        return Counter(self._decided)

    def _ask(self, question: Question) -> None:
        """Take keys until one of them leads on."""
        from ..diagnostics import DiagnosticError
        from ..workflow.review import OpenFact, OpenField, Stale

        click.echo("\n" + self._screen.paint(self._screen.keys(question), "2"))
        while True:
            key = self._read("> ").lower()
            try:
                if key in ("", "s", "skip"):
                    self._at += 1
                elif key in ("b", "back"):
                    self._at = max(0, self._at - 1)
                elif key in ("u", "undo"):
                    if not self._undo():
                        continue
                elif key in ("?", "h", "help"):
                    from .review_screen import HELP

                    click.echo(HELP, nl=False)
                    continue
                elif isinstance(question, OpenFact):
                    if not self._fact(question, key):
                        continue
                elif isinstance(question, OpenField):
                    if not self._field(question, key):
                        continue
                elif not self._rule(question, key):
                    continue
            except Stale:
                click.echo("  the mapping was edited meanwhile, nothing was written; here it is as it is now")
            except DiagnosticError as error:
                self._say(error)
                continue
            return

    def _rule(self, question: OpenRule, key: str) -> bool:
        if key in ("a", "accept"):
            return self._accept(question)
        if key in ("r", "reject"):
            self._session.reject(question)
            self._next("rejected", question.key)
            return True
        if key in ("c", "change"):
            return self._change(question)
        return (key.isdigit() and self._take(question, int(key))) or self._unknown(key, question)

    def _field(self, question: OpenField, key: str) -> bool:
        if key in ("w", "waive"):
            reason = self._read("  why does it stay empty? ")
            if not reason:
                click.echo("  not waived: a waiver needs a reason")
                return False
            self._session.waive(question, reason)
            self._next("waived", question.key)
            return True
        if key in ("c", "choose"):
            text = self._read(
                f"  source fields of {question.source.title}, with commas between, or =VALUE for a constant: "
            )
            if text.startswith("="):
                return self._constant(question, text[1:].strip())
            return self._fill(question, [part.strip() for part in text.split(",") if part.strip()])
        return (key.isdigit() and self._take(question, int(key))) or self._unknown(key, question)

    def _fact(self, question: OpenFact, key: str) -> bool:
        if key not in ("a", "accept"):
            return self._unknown(key, question)
        self._session.accept_fact(question)
        self._next("accepted", question.key)
        return True

    # --- decisions ---

    def _accept(self, question: OpenRule) -> bool:
        if question.checked is None:
            click.echo("  it cannot be accepted while something is wrong with it: change it, or reject it")
            return False
        reasons = {}
        for code, told, proposed in question.reasons_wanted:
            ends = f" [Enter: {proposed}]" if proposed else ""
            reason = self._read(f"  {code}: {told}. Why is that fine?{ends} ") or proposed
            if not reason:
                click.echo("  not accepted: a loss needs a reason")
                return False
            reasons[code] = reason
        self._session.accept(question, reasons)
        self._next("accepted", question.key)
        return True

    def _take(self, question: OpenRule | OpenField, number: int) -> bool:
        from .review_screen import alternatives

        found = alternatives(question)
        return 1 <= number <= len(found) and self._fill(question, found[number - 1].sources)

    def _fill(self, question: OpenRule | OpenField, sources: list[str] | tuple[str, ...]) -> bool:
        rule = self._session.alternative(question, sources) if sources else None
        if rule is None:
            click.echo("  no rule holds for " + (", ".join(f"`{one}`" for one in sources) or "no source"))
            return False
        self._write(question, rule)
        return True

    def _constant(self, question: OpenField, text: str) -> bool:
        """A rule that writes the same value in every record; YAML, so that `7`, `true` and `[]` are what they look like."""
        from ..diagnostics.terminal import visible
        from ..yaml import YamlError, read_yaml

        try:
            draft = self._session.edited(question, {"transform": "constant", "with": {"value": read_yaml(text)}})
        except YamlError as error:
            click.echo(f"  not taken: the value cannot be read: {visible(str(error))}")
            return False
        if draft.checked is None:
            for one in draft.found:
                click.echo(f"  not taken: {visible(one.message)}")
            return False
        self._write(question, draft.rule)
        return True

    def _write(self, question: OpenRule | OpenField, rule: Rule) -> None:
        """Write a rule and show it again, to be accepted."""
        from ..workflow.review import Key

        self._session.put(question, rule)
        self._decided.append("changed")
        self._keys[self._at] = Key(stream=question.key.stream, kind="rule", id=rule.id)
        click.echo(f"  written to mappings/{question.key.stream}.yaml; accept it when it is right")

    def _change(self, question: OpenRule) -> bool:
        """Edit the rule key by key, each line checked at once; an empty line writes it."""
        from ..diagnostics import DiagnosticError
        from ..diagnostics.terminal import visible
        from ..rules.digests import rule_form
        from .review_edit import EDIT_HELP, EditError, refuse, with_edit

        form = rule_form(question.rule)
        click.echo(EDIT_HELP, nl=False)
        draft: OpenRule = question
        self._show_form(form, draft)
        while True:
            text = self._read("  change> ")
            if text in ("x", "q"):
                click.echo("  nothing was changed")
                return False
            if not text:
                if draft.checked is None:
                    click.echo("  it cannot be written while something is wrong with it; `x` leaves it as it was")
                    continue
                if rule_form(draft.rule) == rule_form(question.rule):
                    click.echo("  nothing was changed")
                    return False
                self._write(question, draft.rule)
                return True
            try:
                tried = with_edit(form, text)
                draft_tried = self._session.edited(question, tried)
                refuse(draft_tried.found, text)
            except EditError as error:
                click.echo(f"  not taken: {visible(str(error))}")
            except DiagnosticError as error:
                self._say(error)
            else:
                form, draft = tried, draft_tried
                self._show_form(form, draft)

    def _show_form(self, form: Mapping[str, Json], draft: OpenRule) -> None:
        from ..diagnostics.terminal import visible
        from .review_edit import form_lines

        for line in form_lines(form):
            click.echo(f"    {visible(line)}")
        for one in draft.found:
            click.echo(f"  {'wrong' if one.is_error else 'loses'}: {visible(one.message)}")
            if one.help:
                click.echo(f"         {visible(one.help)}")
        if draft.sample is not None:
            click.echo(f"  sample: {visible(str(draft.sample))}")

    def _undo(self) -> bool:
        from ..diagnostics.terminal import visible

        key = self._session.undo()
        if key is None:
            click.echo("  nothing to undo, or a file was edited since")
            return False
        self._decided.pop()
        click.echo(f"  undone: {visible(str(key))}")
        places = [index for index, one in enumerate(self._keys) if (one.stream, one.id) == (key.stream, key.id)]
        if places:
            self._at = places[0]
            self._keys[self._at] = key
        return True

    # --- reading and saying ---

    def _next(self, what: str, key: Key) -> None:
        from ..diagnostics.terminal import visible

        click.echo(self._screen.paint(f"  {what} {visible(str(key))}", "32"))
        self._decided.append(what)
        self._at += 1

    def _unknown(self, key: str, question: Question) -> bool:
        from ..diagnostics.terminal import visible

        click.echo(f"  `{visible(key)}` is no key here: {self._screen.keys(question)}")
        return False

    def _say(self, error: Exception) -> None:
        from ..diagnostics import DiagnosticError
        from ..diagnostics.terminal import visible

        assert isinstance(error, DiagnosticError)
        for one in error.diagnostics:
            click.echo(f"  {self._screen.paint(one.code, '31')} {visible(one.message)}")
            if one.help:
                click.echo(f"       {visible(one.help)}")

    def _read(self, prompt: str) -> str:
        """One answer; the end of the input is the wish to stop."""
        from ..diagnostics.terminal import visible

        click.echo(visible(prompt), nl=False)
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not sys.stdin.isatty():
            click.echo(visible(line.strip()))  # what was piped stands where it would have been typed
        if not line or (line.strip().lower() in ("q", "quit") and prompt == "> "):
            raise _Done
        return line.strip()

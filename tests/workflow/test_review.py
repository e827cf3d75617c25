"""`vitesse review` as a person uses it: on a terminal, and with answers piped in."""

from __future__ import annotations

import codecs
import io
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from tests.shared import REPOSITORY
from tests.waiting import PATIENCE_S
from vitesse.cli.group import run
from vitesse.rules.load import load_rules
from vitesse.rules.review import load_review
from vitesse.workflow.review import OpenRule, Session, Stale

EXAMPLE = REPOSITORY / "examples" / "shopify_credo"
PROPOSED = Path(__file__).parent / "cases" / "proposed"
DAY = "2026-11-21"
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(REPOSITORY / "compiler"), str(REPOSITORY / "runtime_template")]),
    "PYTHONDONTWRITEBYTECODE": "1",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example with proposals for all its fields, none of them looked at."""
    target = tmp_path / "shopify_credo"
    shutil.copytree(EXAMPLE, target)
    shutil.rmtree(target / "mappings")
    shutil.copytree(PROPOSED, target / "mappings")
    return target


def review(folder: Path, answers: str, *more: str) -> str:
    """What the command prints, answers piped in."""
    given, said = io.StringIO(answers), io.StringIO()
    with redirect_stdout(said), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", given)
        assert run(["review", str(folder), "--by", "ana", *more]) == 0
    return said.getvalue()


def states(folder: Path) -> dict[str, tuple[str, str]]:
    return {id: (entry.state, entry.by) for id, entry in load_review(folder, "customers").rules.items()}


def test_review_of_piped_answers_accepts_rejects_skips_and_stops_at_the_end(folder: Path) -> None:
    """Each decision is in the files; what was not answered is open; there are no colours in a pipe."""
    command = [sys.executable, "-m", "vitesse", "review", str(folder), "--by", "ana"]
    done = subprocess.run(
        command, input="a\nr\ns\na\n", capture_output=True, text=True, env=ENVIRONMENT, check=False, timeout=PATIENCE_S
    )
    assert (done.returncode, done.stderr) == (0, "")
    text = done.stdout
    assert states(folder) == {
        "email": ("accepted", "ana"),
        "first_name": ("rejected", "ana"),
        "phone_number": ("accepted", "ana"),
    }
    rules = load_rules(folder, "customers")
    assert rules.rule("first_name") is None
    assert rules.rule("last_name") is not None
    assert "\x1b" not in text
    for part in ("confidence", "evidence", "sample", "[a]ccept", "accepted customers.email", "still open"):
        assert part in text


def test_review_screen_shows_sample_evidence_losses_and_alternatives(folder: Path) -> None:
    """All that a decision needs, in one look."""
    text = review(folder, "s\ns\n", "customers.lifetime_value", "customers.phone_number")
    assert '"1249.90" → 1249.90' in text
    assert "`total spent` and `lifetime value` are words for one thing" in text
    assert "decimal_to_float" in text
    assert "instead" in text
    assert "nobody has looked at it" in text


def test_review_accepting_a_loss_asks_for_a_reason_and_writes_it(folder: Path) -> None:
    """A machine's reason is an offer; Enter takes it, other words replace it."""
    review(folder, "a\nthe CRM stores two places\n", "customers.lifetime_value")
    review(folder, "a\n\n", "customers.created_date")
    rules = load_rules(folder, "customers")
    assert rules.rule("lifetime_value").waive == {"decimal_to_float": "the CRM stores two places"}  # type: ignore[union-attr]
    assert rules.rule("created_date").waive == {"datetime_to_date": "the destination keeps days"}  # type: ignore[union-attr]
    assert states(folder).keys() == {"lifetime_value", "created_date"}


def test_review_accepting_a_loss_without_any_reason_accepts_nothing(folder: Path) -> None:
    """`status` has a gap that the machine left to a person."""
    text = review(folder, "a\n\nq\n", "customers.status")
    assert "a loss needs a reason" in text
    assert "decide" in text
    assert states(folder) == {}


def test_review_change_checks_each_line_at_once_and_writes_what_holds(folder: Path) -> None:
    """What is wrong is not taken, with the way out; what is right is shown with its sample."""
    text = review(
        folder,
        "c\nplaces=x\nplaces=3\nfrom=totl_spent\nwaive.decimal_to_float=three places\n\na\n",
        "customers.lifetime_value",
    )
    assert "not taken: `places` takes a whole number" in text
    assert "not taken" in text.split("totl_spent")[1]
    assert "`total_spent`" in text
    assert "→ 1249.900" in text
    rule = load_rules(folder, "customers").rule("lifetime_value")
    assert rule is not None
    assert (rule.options["places"], rule.waive) == (3, {"decimal_to_float": "three places"})
    assert states(folder) == {"lifetime_value": ("accepted", "ana")}


def test_review_change_that_is_left_changes_nothing(folder: Path) -> None:
    """`x` is a way out at any time."""
    before = (folder / "mappings" / "customers.yaml").read_bytes()
    review(folder, "c\nplaces=3\nx\nq\n", "customers.lifetime_value")
    assert (folder / "mappings" / "customers.yaml").read_bytes() == before


def test_review_alternative_by_number_is_written_and_asked_about_again(folder: Path) -> None:
    """The rule that `map` would write for it, with its transform."""
    proposal = json.loads((folder / "mappings" / "customers.proposal.json").read_text())
    other = proposal["rules"]["phone_number"]["alternatives"][0]
    review(folder, "1\na\n\n\n\n", "customers.phone_number")
    rule = load_rules(folder, "customers").rule("phone_number")
    assert rule is not None
    assert [".".join(map(str, source)) for source in rule.sources] != ["phone"]
    assert (rule.transform, len(rule.sources)) == (other["transform"], len(other["from"]))
    assert states(folder)["phone_number"] == ("accepted", "ana")


def test_review_back_and_undo_take_a_decision_back_byte_for_byte(folder: Path) -> None:
    """A slip costs one key."""
    path = folder / "mappings" / "customers.yaml"
    before = path.read_bytes()
    text = review(folder, "r\nu\nq\n")
    assert "undone: customers.email" in text
    assert path.read_bytes() == before
    assert states(folder) == {}
    text = review(folder, "a\nb\nr\nq\n")
    assert states(folder) == {"email": ("rejected", "ana")}


def test_review_of_a_rejected_required_field_takes_a_source_or_a_reason(folder: Path) -> None:
    """A required field is open until it is filled or waived."""
    review(folder, "r\nq\n", "customers.email")
    text = review(folder, "w\n\nc\nnothing_there\nc\nemail\na\n")
    assert "it is required" in text
    assert "a waiver needs a reason" in text
    assert "no rule holds for `nothing_there`" in text
    assert states(folder)["email"] == ("accepted", "ana")
    review(folder, "r\nq\n", "customers.email")
    review(folder, "w\nthe CRM sets it\nq\n")
    assert [(one.id, one.reason) for one in load_rules(folder, "customers").waivers] == [("email", "the CRM sets it")]


def test_review_keeps_comments_of_a_person(folder: Path) -> None:
    """Only the lines of a decision change."""
    path = folder / "mappings" / "customers.yaml"
    lines = path.read_text().splitlines()
    at = lines.index("  first_name:")
    lines[at:at] = ["  # as in the passport"]
    lines.append("# the end")
    path.write_text("\n".join(lines) + "\n")
    review(folder, "a\nr\na\na\na\n\na\n\n")
    text = path.read_text()
    assert "  # as in the passport" in text
    assert text.endswith("# the end\n")


def test_review_of_a_mapping_edited_meanwhile_writes_nothing_over_it(folder: Path) -> None:
    """An editor may be open beside it."""
    session = Session(folder, by="ana", on=DAY)
    question = session.question(session.keys()[0])
    assert isinstance(question, OpenRule)
    path = folder / "mappings" / "customers.yaml"
    path.write_text(path.read_text().replace("from: email\n    transform: direct", "from: email\n    transform: text"))
    before = path.read_bytes()
    for decide in (session.accept, session.reject):
        with pytest.raises(Stale):
            decide(question)
    assert path.read_bytes() == before
    assert states(folder) == {}


def test_review_of_nothing_open_says_so(tmp_path: Path) -> None:
    """And asks nothing."""
    folder = tmp_path / "shopify_credo"
    shutil.copytree(EXAMPLE, folder)
    assert review(folder, "").startswith("nothing is open")


def test_review_of_a_fact_that_is_a_question_accepts_it(folder: Path) -> None:
    """Facts are walked with the rules."""
    facts = folder / "facts" / "credo.yaml"
    facts.write_text(facts.read_text().replace("confidence: 0.96", "confidence: 0.5"))
    text = review(folder, "s\n" * 19 + "a\n")
    assert "GET /contacts  paging" in text
    assert "accepted customers: GET /contacts paging" in text
    assert list(load_review(folder, "customers").facts) == [("GET /contacts", "paging")]


def test_review_without_a_mapping_starts_one(folder: Path) -> None:
    """The first rule of a stream may come from a review."""
    shutil.rmtree(folder / "mappings")
    text = review(folder, "c\nemail\na\n")
    assert "it is required, and no rule fills it" in text
    rule = load_rules(folder, "customers").rule("email")
    assert rule is not None
    assert (rule.sources, states(folder)) == ((("email",),), {"email": ("accepted", "ana")})


def test_review_fills_a_required_field_with_a_constant(folder: Path) -> None:
    """Where no source has it; a value that the destination does not take is not taken."""
    review(folder, "r\nq\n", "customers.email")
    text = review(folder, "c\n=[1]\nc\n=sales@example.com\na\nq\n")
    assert "not taken" in text
    rule = load_rules(folder, "customers").rule("email")
    assert rule is not None
    assert (rule.transform, rule.options) == ("constant", {"value": "sales@example.com"})
    assert states(folder)["email"] == ("accepted", "ana")


def test_review_of_text_that_moves_the_cursor_shows_it_as_escapes(folder: Path) -> None:
    """Names, values and evidence come from outside."""
    path = folder / "mappings" / "customers.yaml"
    path.write_text(path.read_text().replace('{separator: ","}', '{separator: "\\e[2J", "\\e[1mx": "\\u202e"}'))
    proposal = folder / "mappings" / "customers.proposal.json"
    proposal.write_text(proposal.read_text().replace("same format email", "\\u001b[31msame"))
    text = review(folder, "s\n" * 19)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\u{1b}[31msame" in text


# --- on a terminal ----------------------------------------------------------------------------------------------------


class Terminal:
    """A `vitesse review` on a pseudo-terminal."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:  # the child
            os.environ |= {**ENVIRONMENT, "TERM": "xterm", **environment}
            os.execv(sys.executable, [sys.executable, "-m", "vitesse", "review", str(folder), "--by", "ana"])
        self.text = ""
        self._decode = codecs.getincrementaldecoder("utf-8")().decode  # a read may end within a letter

    def until(self, part: str, times: int = 1) -> str:
        limit = time.monotonic() + PATIENCE_S
        while self.text.count(part) < times:
            ready, _, _ = select.select([self._fd], [], [], max(0.0, limit - time.monotonic()))
            assert ready, f"waited for {part!r}, saw {self.text!r}"
            try:
                self.text += self._decode(os.read(self._fd, 65536))
            except OSError:
                break
        return self.text

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def end(self) -> int:
        self.until("a text that never comes")
        _, status = os.waitpid(self.pid, 0)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(status)


def test_review_on_a_terminal_is_in_colour_and_ctrl_c_loses_nothing(folder: Path) -> None:
    """What was decided before the interrupt is in the files, whole."""
    terminal = Terminal(folder)
    terminal.until("> ")
    assert "\x1b[" in terminal.text
    terminal.type("a\n")
    terminal.until("> ", 2)
    os.kill(terminal.pid, signal.SIGINT)
    assert terminal.end() == 130
    assert states(folder) == {"email": ("accepted", "ana")}
    assert sorted(path.name for path in (folder / "mappings").iterdir()) == [
        "customers.proposal.json",
        "customers.review.json",
        "customers.yaml",
    ]


def test_review_on_a_terminal_with_no_color_has_none(folder: Path) -> None:
    """NO_COLOR is obeyed."""
    terminal = Terminal(folder, NO_COLOR="1")
    terminal.until("> ")
    terminal.type("q\n")
    assert terminal.end() == 0
    assert "\x1b[" not in terminal.text

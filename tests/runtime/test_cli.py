"""Promises of the command line, through real processes and real sockets."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.runtime.fakes import Credo, Shopify
from tests.runtime.loopback import listening
from tests.runtime.sample.cli import main
from tests.shared import WIRE
from tests.waiting import PATIENCE_S, free_port, wait_until

ROOT = Path(__file__).resolve().parents[2]


class Shell:
    """The sample's command in a folder of its own, between two fakes that listen."""

    def __init__(
        self, folder: Path, shopify: Shopify, credo: Credo, urls: list[str], capture: pytest.CaptureFixture[str]
    ) -> None:
        self.capture = capture
        self.folder, self.shopify, self.credo = folder, shopify, credo
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'runtime_template'}:{ROOT}",
            "SHOPIFY_SHOP": "shop",
            "SHOPIFY_ACCESS_TOKEN": "shpat_planted",
            "CREDO_API_KEY": "credo_planted",
            "SHOPIFY_WEBHOOK_SECRET": "hook_planted",
            "SHOPIFY_BASE_URL": urls[0] + "/admin",
            "CREDO_BASE_URL": urls[1] + "/v1",
            **WIRE,
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A process of its own."""
        command = [sys.executable, "-m", "tests.runtime.sample", *arguments]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """The command in this process: its exit code and what it printed."""
        with pytest.MonkeyPatch.context() as patch:
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in self.environ.items():
                patch.setenv(name, value)
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["shopify-credo", *arguments])
            patch.setattr("runtime.actions.runs.setup_logging", lambda *args, **kwargs: None)
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = self.capture.readouterr()
        assert "planted" not in out + err
        return int(ended.value.code or 0), out, err


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Shell]:
    shopify, credo = Shopify(30), Credo()
    with listening(shopify, credo) as urls:
        yield Shell(tmp_path, shopify, credo, urls, capsys)


def test_sync_then_nothing_then_what_changed(shell: Shell) -> None:
    """The story of the README, in three commands."""
    code, out, err = shell.run("sync")
    assert (code, err) == (0, "")
    assert out.startswith("customers: done: 30 read = 30 written (30 created) + 0 unchanged + 0 skipped + 0 dead")
    shell.shopify.put(7, first_name="New")
    code, out, _ = shell.run("sync", "customers", "--json")
    [report] = json.loads(out)
    assert (code, report["kind"], report["written"]) == (0, "incremental", 1)
    code, out, _ = shell.run("status")
    assert "customers: done" in out
    assert "watermark 2025" in out
    code, out, _ = shell.run("history", "--json")
    assert [run["written"] for run in json.loads(out)] == [1, 30]


def test_status_tells_where_replies_are_not_as_described(shell: Shell) -> None:
    """By place and kind, with how often; the run says how many."""
    shell.shopify.put(5, email=["planted@example.com"])
    code, out, _ = shell.run("sync")
    assert (code, "; 1 not as described" in out) == (3, True)
    assert "  source not as described at email: string type, 1 times" in shell.run("status")[1]
    [stream] = json.loads(shell.run("status", "--json")[1])["streams"]
    assert [(each["path"], each["times"]) for each in stream["drift"]] == [("email", 1)]


def test_sync_with_dead_letters_is_partial_and_they_can_be_retried(shell: Shell) -> None:
    """Exit code 3; list, show, retry, discard."""
    shell.shopify.put(5, total_spent="a lot")
    code, _, _ = shell.run("sync")
    assert code == 3
    code, out, _ = shell.run("dead-letters", "list", "--json")
    [letter] = json.loads(out)
    assert letter["source_id"] == "5"
    code, out, _ = shell.run("dead-letters", "show", letter["id"])
    assert json.loads(out)["payload"]["total_spent"] == "a lot"
    code, out, _ = shell.run("dead-letters", "retry", letter["id"])
    assert code == 3
    shell.shopify.put(5, total_spent="12")
    code, out, _ = shell.run("dead-letters", "retry", "--all", "customers")
    assert (code, "1 written" in out) == (0, True)
    assert shell.run("dead-letters", "list")[1] == "no dead letters\n"
    shell.shopify.put(6, total_spent="a lot")
    shell.run("sync")
    [letter] = json.loads(shell.run("dead-letters", "list", "--json")[1])
    assert shell.run("dead-letters", "discard", letter["id"]) == (0, "1 discarded\n", "")


def test_dry_run_shows_fields_and_sends_nothing(shell: Shell) -> None:
    """What would be written, for people."""
    code, out, _ = shell.run("sync", "customers", "--dry-run", "--limit", "2")
    assert code == 0
    assert "  create 1" in out
    assert "    email: 'Person1@Example.com'" in out
    assert shell.credo.effects == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("sync", "nobody"), 1, "there is no stream `nobody`; there is `customers`"),
        (("sync", "--ids", "1"), 2, "--ids needs a STREAM"),
        (
            ("sync", "customers", "--ids", "1", "--since", "2026-01-01T00:00:00Z"),
            1,
            "`--since` says nothing beside `--ids`",
        ),
        (("sync", "--resync", "--keep"), 2, "exclude each other"),
        (("sync", "--limit", "0"), 2, "--limit"),
        (("dead-letters", "show", "x"), 1, "there is no dead letter `x`"),
        (("dead-letters", "list", "nobody"), 1, "there is no stream `nobody`; there is `customers`"),
        (("dead-letters", "retry", "--all", "nobody"), 1, "there is no stream `nobody`"),
        (("conflicts", "list", "nobody"), 1, "there is no stream `nobody`"),
        (("runs", "list", "nobody"), 1, "there is no stream `nobody`"),
        (("history", "nobody"), 1, "there is no stream `nobody`"),
        (("ledger", "nobody"), 1, "there is no stream `nobody`"),
        (("ledger", "nobody", "--id", "1"), 1, "there is no stream `nobody`"),
        (("verify", "nobody"), 1, "there is no stream `nobody`"),
        (("forget", "nobody", "1"), 1, "there is no stream `nobody`"),
        (("runs", "rollback", "x"), 2, "nobody is there to be asked: say --yes, or --dry-run"),
        (("token", "sign-in", "credo"), 1, "no API `credo` signs in with a refresh token; those that do: none"),
        (("nonsense",), 2, "nonsense"),
    ],
)
def test_mistake_of_the_user_is_a_sentence(shell: Shell, arguments: tuple[str, ...], code: int, words: str) -> None:
    """Never a traceback."""
    found, out, err = shell.run(*arguments)
    assert found == code
    assert words in err
    assert "Traceback" not in out + err


def test_missing_setting_is_named_and_doctor_names_all(shell: Shell) -> None:
    """The variable, never a value."""
    del shell.environ["CREDO_API_KEY"], shell.environ["SHOPIFY_ACCESS_TOKEN"]
    code, _, err = shell.run("sync")
    assert code == 1
    assert "CREDO_API_KEY" in err
    assert "SHOPIFY_ACCESS_TOKEN" in err
    code, out, _ = shell.run("doctor")
    assert code == 1
    assert out.count("FAIL settings") == 2


def test_doctor_asks_both_apis_and_changes_nothing(shell: Shell) -> None:
    """Reads only."""
    code, out, _ = shell.run("doctor")
    assert code == 0, out
    assert "ok   Shopify Admin API: answers to GET /customers.json" in out
    assert {request.method for request in (*shell.shopify.requests, *shell.credo.requests)} == {"GET"}
    shell.environ["CREDO_API_KEY"] = "wrong-key-planted"
    code, out, _ = shell.run("doctor")
    assert code == 1
    assert "FAIL Credo CRM: auth" in out


def test_help_tells_of_each_command_with_a_whole_sentence(shell: Shell) -> None:
    """click would cut them after a few words."""
    _, told, _ = shell.run("--help")
    assert "..." not in told.partition("Commands:")[2]
    assert "actions of the control API and of this\n" in told
    for group in ("dead-letters", "conflicts", "runs", "token", "webhooks"):
        assert "..." not in shell.run(group, "--help")[1].partition("Commands:")[2], group
    assert "command line." in told


def test_help_and_import_cost_little(shell: Shell) -> None:
    """`--help` imports click and nothing else from outside; `import` nothing at all."""
    code = (
        "import sys; before = set(sys.modules); import tests.runtime.sample; "
        "print(sorted({m.partition('.')[0] for m in set(sys.modules) - before} - {'tests', 'importlib'}))"
    )
    out = subprocess.run([sys.executable, "-c", code], env=shell.environ, capture_output=True, text=True, check=True)
    assert not {"click", "pydantic", "httpx", "aiohttp", "sqlalchemy", "msgspec"} & set(
        json.loads(out.stdout.replace("'", '"'))
    )
    process = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tests.runtime.sample", "--help"],
        env=shell.environ, cwd=shell.folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "dead-letters" in process.stdout
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in process.stderr.splitlines()}
    assert "click" in loaded
    assert not {"pydantic", "httpx", "aiohttp", "sqlalchemy", "msgspec", "asyncio", "starlette"} & loaded


def holding(shopify: Shopify, *, after: int) -> threading.Event:
    """Pages of five records, of which no more than some are given before the event."""
    shopify.page_size = 5
    go_on = threading.Event()

    def held(request: httpx.Request) -> httpx.Response | None:
        if len(shopify.requests) > after:
            go_on.wait(PATIENCE_S)
        return None

    shopify.fail.append(held)
    return go_on


def test_sigterm_ends_at_a_safe_place_and_the_next_run_goes_on(shell: Shell) -> None:
    """Nothing is lost and nothing is sent twice."""
    held = holding(shell.shopify, after=3)
    process = shell.start("sync", "--json")
    wait_until(lambda: shell.credo.effects or process.poll() is not None)
    process.send_signal(signal.SIGTERM)
    held.set()
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 143, err
    [report] = json.loads(out)
    assert report["state"] == "stopped"
    assert 0 < report["written"] < 30
    assert shell.run("sync")[0] == 0
    assert sorted(shell.credo.created()) == sorted(f"Person{n}@Example.com" for n in range(1, 31))


def test_killed_process_is_made_up_for(shell: Shell) -> None:
    """SIGKILL in the middle: the lease runs out, outcomes are found out, each contact is made once."""
    held = holding(shell.shopify, after=3)
    shell.environ["LEASE_SECONDS"] = "2"
    process = shell.start("sync")
    wait_until(lambda: len(shell.credo.effects) >= 10 or process.poll() is not None)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    held.set()
    del shell.environ["LEASE_SECONDS"]
    codes: list[int] = []

    def is_done() -> bool:
        codes.append(shell.run("sync")[0])
        return codes[-1] != 1  # the lease is still held

    wait_until(is_done)
    assert codes[-1] == 0
    assert sorted(shell.credo.created()) == sorted(f"Person{n}@Example.com" for n in range(1, 31))


def test_serve_answers_takes_deliveries_and_drains(shell: Shell) -> None:
    """The service over real HTTP: health, token, schedule, SIGTERM."""
    port = str(free_port())
    shell.environ |= {"CONTROL_TOKEN": "control_planted", "CONTROL_PORT": port}
    process = shell.start("serve")
    base = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: shell.run("health")[0] == 0 or process.poll() is not None)
        assert httpx.get(f"{base}/readyz", timeout=PATIENCE_S).json()["status"] == "ok"
        assert httpx.get(f"{base}/status", timeout=PATIENCE_S).status_code == 401
        headers = {"Authorization": "Bearer control_planted"}

        def history() -> list[dict[str, Any]]:
            reply = httpx.get(f"{base}/sync/history", headers=headers, timeout=PATIENCE_S)
            found: list[dict[str, Any]] = reply.json()["runs"]
            return found if found and found[0]["state"] != "running" else []

        runs = wait_until(history)
        assert (runs[0]["trigger"], runs[0]["written"]) == ("schedule", 30)
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert "planted" not in out + err


def test_past_can_be_asked_about_and_a_person_forgotten(shell: Shell) -> None:
    """Runs, ledger and audit; forget and cleanup; every command that changes something is on record."""
    shell.run("sync")
    shell.shopify.put(7, first_name="Unlikely")
    shell.run("sync")
    runs = json.loads(shell.run("runs", "list", "--json")[1])
    assert [run["written"] for run in runs] == [1, 30]
    latest = runs[0]["run_id"]
    code, out, _ = shell.run("runs", "show", latest)
    assert (code, out.startswith(f"{latest} customers: done")) == (0, True)
    code, out, _ = shell.run("ledger", "customers", "--id", "7")
    assert code == 0
    assert [line.split()[4] for line in out.splitlines()] == ["updated", "created"]
    assert len(json.loads(shell.run("ledger", "--run", runs[1]["run_id"], "--json", "--limit", "100")[1])) == 30
    assert shell.run("ledger", "--run", "nobody")[0] == 1
    assert shell.run("ledger", "--id", "1", "--run", "x")[0] == 2
    code, _, err = shell.run("runs", "cancel", latest)
    assert (code, "is not under way: done" in err) == (1, True)
    code, _, err = shell.run("runs", "resume", latest)
    assert (code, "nothing to go on with" in err) == (1, True)
    code, _, err = shell.run("runs", "rollback", latest, "--yes")
    assert (code, "`rollback: true`" in err or "rollback: true" in err) == (1, True)
    code, out, _ = shell.run("forget", "customers", "7")
    assert (code, "1 records of customers forgotten: 1 changes, 1 links" in out) == (0, True)
    files = b"".join(path.read_bytes() for path in shell.folder.glob("*.db*"))
    assert b"Unlikely" not in files
    assert shell.run("ledger", "--id", "7")[1] == "nothing was written\n"
    assert shell.run("cleanup")[1] == "nothing to delete\n"
    code, _, err = shell.run("cleanup", "--reseal")
    assert (code, "STATE_KEY" in err) == (1, True)
    entries = json.loads(shell.run("audit", "--json")[1])
    assert [(entry["action"], entry["target"], entry["outcome"]) for entry in reversed(entries)] == [
        ("sync", "all streams", "done"),
        ("sync", "all streams", "done"),
        ("runs cancel", latest, "failed: NotNow"),
        ("runs resume", latest, "failed: NotNow"),
        ("runs rollback", latest, "failed: RequestRefused"),
        ("forget", "customers, 1 records", "done"),
        ("cleanup", "", "done"),
        ("cleanup", "", "failed: KeyWrong"),
    ]
    assert {entry["role"] for entry in entries} == {"local"}


def test_audit_says_what_was_looked_at_and_how_runs_ended(shell: Shell) -> None:
    """A look at a record is on record; a run that failed is not called done."""
    assert shell.run("runs", "list")[1] == shell.run("history")[1] == "no runs\n"
    shell.shopify.put(5, total_spent="a lot")
    assert shell.run("sync")[0] == 3
    [letter] = json.loads(shell.run("dead-letters", "list", "--json")[1])
    shell.run("dead-letters", "show", letter["id"])
    shell.run("dead-letters", "retry", letter["id"])
    shell.run("ledger", "--change", "4711")
    shell.run("verify", "customers")
    shell.run("sync", "customers", "--dry-run", "--resync")
    [dry] = [run for run in json.loads(shell.run("runs", "list", "--json")[1]) if run["dry_run"]]
    shell.run("runs", "show", dry["run_id"])
    entries = json.loads(shell.run("audit", "--json")[1])
    assert [(entry["action"], entry["target"], entry["outcome"]) for entry in reversed(entries)] == [
        ("sync", "all streams", "partial"),
        ("dead-letters show", letter["id"], "done"),
        ("dead-letters retry", letter["id"], "partial"),
        ("ledger", "change 4711", "failed: NotThere"),
        ("verify", "customers", "done"),
        ("sync", "customers", "partial"),
        ("runs show", dry["run_id"], "done"),
    ]


def test_state_key_seals_and_is_asked_for(shell: Shell) -> None:
    """By environment only; without it nothing begins."""
    from cryptography.fernet import Fernet

    shell.shopify.put(5, total_spent="a lot", note="PlainNote")
    shell.environ["STATE_KEY"] = Fernet.generate_key().decode()
    assert shell.run("sync")[0] == 3
    assert b"PlainNote" not in b"".join(path.read_bytes() for path in shell.folder.glob("*.db*"))
    [letter] = json.loads(shell.run("dead-letters", "list", "--json")[1])
    assert "PlainNote" in shell.run("dead-letters", "show", letter["id"])[1]
    key = shell.environ.pop("STATE_KEY")
    for command in (("sync",), ("status",), ("dead-letters", "list")):
        code, _, err = shell.run(*command)
        assert (code, "STATE_KEY is not set" in err) == (1, True)
        assert key not in err
    shell.environ["STATE_KEY"] = f"{Fernet.generate_key().decode()} {key}"
    code, out, _ = shell.run("cleanup", "--reseal")
    assert (code, "sealed anew" in out) == (0, True)


def test_monitor_shows_and_writes_nothing(shell: Shell) -> None:
    """What was shown is kept with the run."""
    shell.environ["MONITOR"] = "true"
    code, out, _ = shell.run("sync")
    assert (code, "dry run" in out, shell.credo.effects) == (0, True, [])
    [run] = json.loads(shell.run("runs", "list", "--json")[1])
    assert run["dry_run"] is True
    shown = shell.run("runs", "show", run["run_id"])[1]
    assert "  create 1" in shown

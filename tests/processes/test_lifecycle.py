"""Processes that are asked to end, and deliveries that were acknowledged before the process was gone."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest

from tests.faults.rows import fault
from tests.processes.world import World, whole
from tests.waiting import PATIENCE_S, wait_until


@pytest.mark.slow
@fault("sigterm-drain")
def test_sigterm_drain_ends_at_a_safe_place_and_gives_the_lease_back(
    world_of: Callable[..., World], database: str
) -> None:
    """What is under way is finished and recorded; the next run starts at once and goes on from there."""
    world = world_of(database, customers=300)
    world.set(latency_s=0.05, hold_after=20)
    process = world.start("sync", "--json", SHAPE="single")
    wait_until(lambda: process.poll() is not None or world.tell()["held"] > 0)
    process.send_signal(signal.SIGTERM)
    world.set(hold_after=0)
    assert process.wait(PATIENCE_S) == 143, world.said()
    [report] = json.loads((world.folder / "package.out").read_bytes())
    assert (report["state"], report["unknown"]) == ("stopped", 0)
    assert report["written"] == len(world.made()) < 300
    world.set(latency_s=0)
    [report] = world.sync(SHAPE="single")
    assert report["state"] == "done"
    world.assert_converged(customers=300)


@pytest.mark.slow
@fault("sigterm-drain")
def test_sigterm_drain_second_signal_ends_at_once(world_of: Callable[..., World]) -> None:
    """Somebody who asks twice does not want to wait for a slow vendor; what was in flight is found out afterwards."""
    world = world_of(customers=60)
    world.set(hold_after=5)
    process = world.start("sync", SHAPE="single")
    wait_until(lambda: process.poll() is not None or world.tell()["held"] > 0)
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    for _ in range(int(PATIENCE_S)):  # on a busy machine two of them can be one
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(1)
            break
        except subprocess.TimeoutExpired:
            continue
    assert process.returncode == 143, world.said()
    assert world.tell()["held"] > 0  # nothing was waited for
    world.set(hold_after=0)
    wait_until(lambda: world.tell()["held"] == 0)  # what the vendor had already taken is carried out there
    world.end_lease()
    assert world.sync(SHAPE="single")[0]["state"] == "done"
    world.assert_converged(customers=60)


class Service:
    """`serve` in a process of its own."""

    def __init__(self, world: World, **environ: str) -> None:
        self.world = world
        self.process = world.start("serve", "--port", "0", "--no-schedule", name="service", **environ)
        place = r"Uvicorn running on http://127\.0\.0\.1:(\d+) "
        wait_until(lambda: re.search(place, world.wrote("service")) or self.process.poll() is not None)
        found = re.search(place, world.wrote("service"))
        assert found is not None, world.said("service")
        self.port = int(found[1])
        assert self.status("/healthz") == 200

    def status(self, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
        """The status of one request; 0 without an answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
                return int(reply.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def deliver(self, number: int, delivery: str) -> int:
        """A signed delivery about one customer."""
        return self.send({"id": number, "email": f"Person{number}@Example.com"}, delivery)

    def send(self, value: object, delivery: str) -> int:
        """A signed delivery with this body."""
        body = json.dumps(value).encode()
        digest = hmac.new(b"whsec_planted", body, hashlib.sha256).digest()
        headers = {
            "X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode(),
            "X-Shopify-Webhook-Id": delivery,
            "Content-Type": "application/json",
        }
        return self.status("/webhooks/customers/update", body, headers)


@pytest.mark.slow
@fault("wh-ack-durability")
def test_wh_ack_durability_delivery_outlives_the_process(world_of: Callable[..., World], database: str) -> None:
    """It was durable before the 2xx: killed right after it, with the work not begun, the next process does the work."""
    world = world_of(database, customers=40)
    world.set(down=True)  # so that no delivery can be carried out before the kill
    service = Service(world)
    assert [service.deliver(number, f"d{number}") for number in range(1, 21)] == [200] * 20, world.said("service")
    service.process.kill()
    service.process.wait()
    assert not world.made()
    world.set(down=False)
    world.end_lease()
    again = Service(world)
    wait_until(lambda: len(world.made()) == 20, said=lambda: f"{world.held()}\n{world.said('service')}")
    assert again.deliver(3, "d3") == 200  # a repetition is known
    again.process.send_signal(signal.SIGTERM)
    again.process.wait(PATIENCE_S)
    world.assert_made_once()


@pytest.mark.slow
@fault("wh-ack-durability")
def test_wh_ack_durability_every_event_of_a_body_outlives_the_process(
    world_of: Callable[..., World], database: str
) -> None:
    """One answer for all of them: killed right after it, the next process carries each out."""
    world = world_of(database, customers=30)
    world.set(down=True)  # so that none can be carried out before the kill
    service = Service(world, EVENTS="1")
    events = [{"objectId": number} for number in range(1, 31)]
    assert service.send([*events, {"nothing": 1}], "d1") == 200, world.said("service")
    service.process.kill()
    service.process.wait()
    assert not world.made()
    world.set(down=False)
    world.end_lease()
    again = Service(world, EVENTS="1")
    wait_until(lambda: len(world.made()) == 30, said=lambda: f"{world.held()}\n{world.said('service')}")
    assert again.send([*events, {"nothing": 1}], "d1") == 200  # a repetition is known
    again.process.send_signal(signal.SIGTERM)
    again.process.wait(PATIENCE_S)
    world.assert_made_once()


@pytest.mark.slow
@fault("sigterm-webhook")
def test_sigterm_webhook_accepted_deliveries_are_kept(world_of: Callable[..., World]) -> None:
    """Deliveries go on while it drains: what was answered 2xx is carried out, by this process or the next."""
    world = world_of(customers=100)
    world.set(latency_s=0.02)
    service = Service(world)
    accepted: list[int] = []
    for number in range(1, 101):
        if number == 50:
            service.process.send_signal(signal.SIGTERM)
        if service.deliver(number, f"d{number}") == 200:
            accepted.append(number)
    assert service.process.wait(PATIENCE_S) == 0, world.said("service")
    assert len(accepted) >= 49
    first = world.said("service")
    world.end_lease()
    again = Service(world)
    wanted = {f"Person{number}@Example.com" for number in accepted}
    wait_until(
        lambda: wanted <= set(world.made()),
        said=lambda: "\n".join((
            f"missing: {sorted(wanted - set(world.made()))}", world.held(), first, world.said("service")
        )),
    )  # fmt: skip
    again.process.send_signal(signal.SIGTERM)
    again.process.wait(PATIENCE_S)
    world.assert_made_once()


@pytest.mark.slow
@fault("log-pipe")
def test_log_pipe_closed_the_run_goes_on(world_of: Callable[..., World]) -> None:
    """Nobody reads what is printed: the work is done all the same."""
    world = world_of(customers=60)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.processes.app", "sync"],
        cwd=world.folder,
        env=whole(world.environ()),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    world.processes.append(process)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    process.wait(PATIENCE_S)
    world.assert_converged(customers=60)

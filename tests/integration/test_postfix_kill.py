# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module is killed at every one of its steps: mail waits or leaves, and the next run finishes the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.kill import killed_relay
from tests.support.postfix import ScratchPostfix
from tests.support.relay import relay, snapshot
from tests.support.sink import Sink

pytestmark = pytest.mark.root
PASSWORDS = {"red": 'Zitrone "x\\ {a} $b #', "blue": "Melone ü😀 und mehr"}
KINDS = ("hash", "lmdb", "cdb", "texthash")
MOST_STEPS = 60


@pytest.fixture(scope="module")
def instance(old_server: Sink) -> Iterator[ScratchPostfix]:
    with ScratchPostfix({"relayhost": f"[127.0.0.1]:{old_server.port}"}) as running:
        yield running


@pytest.fixture
def vendor(emulator: Emulator) -> Emulator:
    emulator.seed(
        users=[{"domain": "example.com", "username": name, "password": PASSWORDS[name]} for name in PASSWORDS]
    )
    return emulator


def login(name: str) -> dict[str, Any]:
    return {"default_login": f"{name}@example.com", "default_password": PASSWORDS[name]}


def life(vendor: Emulator, kind: str) -> list[dict[str, Any]]:
    """From nothing to a relay, to another login, to another way to send, and back."""
    options = {**vendor.smarthost_options, "map_type": kind}
    only = {"only_named_senders": True, "senders": ["example.com"], "connection_reuse": True}
    return [
        {**options, **login("red")},
        {**options, **login("blue")},
        {**options, **login("red"), **only},
        {"state": "absent"},
    ]


def live_and_die(
    postfix: ScratchPostfix, vendor: Emulator, sink: Sink, kind: str, points: range, *, afresh: bool
) -> int:
    """Kill each stage of a life at these points, sending a mail after each kill; return how often it was killed.

    With `afresh` each kill meets the whole stage, otherwise what the kills before it have left to do.
    """
    parameters, before = postfix.parameters(), snapshot(postfix.config_directory)
    sent: list[str] = []
    kills = 0
    previous: dict[str, Any] = {"state": "absent"}
    for stage in life(vendor, kind):
        for step in points:
            if afresh:
                assert not relay(postfix, **previous).failed
            if not killed_relay(postfix, step, **stage):
                break
            kills += 1
            sent.append(f"{kind} {len(sent)}")
            postfix.inject("alice@example.com", "someone@elsewhere.example", sent[-1])
        assert not relay(postfix, **stage).failed
        assert not relay(postfix, check=True, **stage).changed
        assert not list(postfix.config_directory.glob("*.new*")), "a password was left behind"
        previous = stage
    postfix.flush()
    postfix.wait_until_empty(60)
    arrived = Counter(mail["subject"] for mail in vendor.mails())
    arrived.update(sink.subjects)
    assert arrived == Counter(sent)
    assert "bounced" not in postfix.statuses()
    assert postfix.parameters() == parameters
    assert snapshot(postfix.config_directory) == before
    return kills


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_some_steps(postfix: ScratchPostfix, vendor: Emulator, sink: Sink, kind: str) -> None:
    """Each type of map has its share of the points, to save time."""
    points = range(1 + 3 * KINDS.index(kind), MOST_STEPS, 4 * len(KINDS))
    assert live_and_die(postfix, vendor, sink, kind, points, afresh=False) >= 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_every_step(postfix: ScratchPostfix, vendor: Emulator, sink: Sink, kind: str) -> None:
    assert live_and_die(postfix, vendor, sink, kind, range(1, MOST_STEPS), afresh=True) >= 40

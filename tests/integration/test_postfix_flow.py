# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail keeps flowing while the relay is changed: none lost, none twice, none returned."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.playbook import ansible_environment, inventory_file, run_playbook
from tests.support.postfix import ScratchPostfix
from tests.support.relay import relay
from tests.support.sink import Sink

pytestmark = pytest.mark.root
LOGINS = {"red@example.com": 'Zitrone "x\\ {a} $b #', "blue@example.com": "Melone ü😀 und mehr"}


class Flow:
    """Somebody who sends mails all the time, each with a subject of its own."""

    def __init__(self, postfix: ScratchPostfix, seconds_between: float) -> None:
        self.sent: list[str] = []
        self._postfix = postfix
        self._pause = seconds_between
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Flow:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(30)

    def go_on(self, mails: int = 2) -> None:
        """Wait until so many more have been sent."""
        before, deadline = len(self.sent), time.monotonic() + 60
        while len(self.sent) < before + mails:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def _run(self) -> None:
        while not self._end.is_set():
            subject = f"mail {len(self.sent)}"
            sender = ("a@example.com", "b@example.net", "")[len(self.sent) % 3]
            self._postfix.inject(sender, "someone@elsewhere.example", subject)
            self.sent.append(subject)
            self._end.wait(self._pause)


@pytest.fixture
def vendor(emulator: Emulator) -> Emulator:
    users = [
        {"domain": "example.com", "username": login.partition("@")[0], "password": password}
        for login, password in LOGINS.items()
    ]
    emulator.seed(users=users)
    return emulator


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Where mail went before the smarthost."""
    with Sink() as running:
        yield running


@pytest.fixture
def postfix(sink: Sink) -> Iterator[ScratchPostfix]:
    with ScratchPostfix({"relayhost": f"[127.0.0.1]:{sink.port}"}) as running:
        yield running


def variants(number: int) -> list[dict[str, Any]]:
    """Different relays, each of which serves every sender: the logins change, and how they are chosen."""
    red, blue = ({"default_login": login, "default_password": password} for login, password in LOGINS.items())
    by_sender: list[dict[str, Any]] = [
        {"login": login, "password": password, "senders": [domain]}
        for (login, password), domain in zip(LOGINS.items(), ("example.com", "example.net"))
    ]
    cycle: list[dict[str, Any]] = [
        red,
        blue,
        {**red, "logins": by_sender},
        {**blue, "logins": by_sender[:1], "concurrency": 4},
    ]
    return [cycle[position % len(cycle)] for position in range(number)]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("hash", 5),
        pytest.param("hash", 20, marks=pytest.mark.slow),
        ("lmdb", 5),
        pytest.param("cdb", 5, marks=pytest.mark.slow),
        pytest.param("texthash", 3, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_logins_change_while_mail_flows(
    postfix: ScratchPostfix, vendor: Emulator, sink: Sink, kind: str, changes: int
) -> None:
    """From the old server to the smarthost, through many logins, and back to the old server."""
    before = postfix.parameters()
    options = {**vendor.smarthost_options, "map_type": kind}
    with Flow(postfix, 0.05) as flow:
        for variant in variants(changes):
            run = relay(postfix, **options, **variant)
            assert run.changed, run.message
            flow.go_on()
        run = relay(postfix, state="absent")
        assert run.changed, run.message
    postfix.flush()
    postfix.wait_until_empty(60)
    arrived = Counter(mail["subject"] for mail in vendor.mails())
    arrived.update(sink.subjects)
    assert arrived == Counter(flow.sent)
    assert len(flow.sent) > changes
    assert len(vendor.mails()) > changes / 2
    assert set(postfix.statuses()) <= {"sent", "deferred"}
    assert vendor.counters()["auths_refused"] == 0
    assert {mail["login"] for mail in vendor.mails()} == set(LOGINS)
    assert postfix.parameters() == before
    assert not list(postfix.config_directory.glob("smarthost_*"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_role_changes_logins_while_mail_flows(
    tmp_path: Path, postfix: ScratchPostfix, vendor: Emulator, sink: Sink
) -> None:
    """A hundred mails a minute, and twenty runs of a real playbook."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        "- hosts: mail_relays\n  gather_facts: false\n  roles: [smarthost.spamexperts.outgoing_mail]\n",
        encoding="utf-8",
    )
    with Flow(postfix, 0.6) as flow:
        for turn in range(20):
            login = list(LOGINS)[turn % 2]
            variables = {"outgoing_mail_login": login, "outgoing_mail_password": LOGINS[login]}
            inventory = inventory_file(tmp_path / "inventory.yml", vendor, postfix, **variables)
            run = run_playbook(str(playbook), ["-i", str(inventory)], ansible_environment(tmp_path / "build"))
            assert run.returncode == 0, run.output
            assert run.changed() == 1
    postfix.flush()
    postfix.wait_until_empty(60)
    arrived = Counter(mail["subject"] for mail in vendor.mails())
    arrived.update(sink.subjects)
    assert arrived == Counter(flow.sent)
    assert set(postfix.statuses()) <= {"sent", "deferred"}
    assert vendor.counters()["auths_refused"] == 0
    assert {mail["login"] for mail in vendor.mails()} == set(LOGINS)

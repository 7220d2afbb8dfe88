# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook apply, killed at real moments. Every transition is killed in tests/unit/test_apply_transitions.py."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.apply import DeclaredSite
from tests.support.emulator import Emulator
from tests.support.interrupted import InterruptedRun, read_timeline, with_timeline
from tests.support.postfix import ScratchPostfix

pytestmark = [pytest.mark.root, pytest.mark.slow]

SERVER: dict[str, Any] = {"username": "server1", "relay": True}
BEFORE: list[dict[str, Any]] = [SERVER, {"username": "bob"}]
NEW: list[dict[str, Any]] = [{"username": "alice", "limits": {"per_hour": 200}}, {"username": "info", "shared": True}]
OTHER_SERVER: dict[str, Any] = {"username": "server2", "relay": ["mail2"]}
MOMENTS = 10


class KilledSite(DeclaredSite):
    """Somebody leaves, others come, a domain is new, and a second mail server gets a login."""

    def prepare(self) -> None:
        """Have the site as it was, and describe how it is to be."""
        self.declare("example.com", *BEFORE)
        run = self.apply()
        assert run.returncode == 0, run.output
        self.declare("example.com", {**SERVER, "default_for": ["mail_relays"]}, *NEW)
        self.declare("example.net", OTHER_SERVER)

    def timeline(self) -> Path:
        """Where an interrupted run writes its events."""
        return self.folder / "timeline"

    def interrupted(self, *stops: int) -> InterruptedRun:
        """Start the run that removes and creates, to stand still at these events."""
        self.variables.update(
            spamexperts_domains_path=str(self.folder / "domains"), spamexperts_credential_store=str(self.store)
        )
        variables = self.write_variables({"spamexperts_remove": True})
        program = str(Path(sys.executable).with_name("ansible-playbook"))
        environment = with_timeline(self.environment, self.timeline())
        command = [program, "smarthost.spamexperts.apply", *self.arguments, "-e", f"@{variables}"]
        return InterruptedRun(command, environment, self.folder / "interrupted.log", stops)

    def check_passwords(self) -> None:
        """Whatever password the vendor takes stands in the store on disk."""
        stored = self.passwords()
        for user in self.emulator.users():
            login = f"{user['username']}@{user['domain']}"
            assert login in stored, f"the vendor has {login}, and the store does not"
            assert self.emulator.accepts(login, stored[login]), login


@pytest.fixture
def other() -> Iterator[ScratchPostfix]:
    with ScratchPostfix() as running:
        yield running


#: How many events a whole run has.
_EVENTS: list[int] = []


@pytest.mark.timeout(900)  # up to five runs
@pytest.mark.parametrize("place", range(MOMENTS))
def test_killed_at_a_real_moment(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix, other: ScratchPostfix, place: int
) -> None:
    site = KilledSite(tmp_path, emulator, postfix, other)
    if not _EVENTS:
        site.prepare()
        with site.interrupted() as run:
            assert run.wait() == 0, run.output
        _EVENTS.append(len(read_timeline(site.timeline())))
        for relay in (postfix, other):
            assert "smarthost_passwords" in relay.run("postconf", "-n")
        site = again(site)
    site.prepare()
    chance = random.Random(place)  # noqa: S311 - a seed, no secret
    event, seconds = int((place + chance.random()) / MOMENTS * _EVENTS[0]), chance.random()
    with site.interrupted(event) as run:
        run.wait_for_stop()
        run.go_on(seconds)
        run.kill(alone=place % 2 == 1)
        site.check_secrets(run.output)
    check_finished(site, postfix, other)


def again(site: KilledSite) -> KilledSite:
    """The site as it was before anything was done for it."""
    site.emulator.reset()
    site.store.unlink()
    for path in (site.folder / "domains").iterdir():
        path.unlink()
    return site


def check_finished(site: KilledSite, postfix: ScratchPostfix, other: ScratchPostfix) -> None:
    """One more run arrives, and all is as it is declared."""
    site.check_passwords()
    run = site.apply(spamexperts_remove=True)
    assert run.returncode == 0, run.output
    site.check_passwords()
    names = [SERVER, *NEW, OTHER_SERVER]
    assert {user["username"] for user in site.emulator.users()} == {name["username"] for name in names}
    assert len(site.passwords()) == len(names)
    for relay, sender, login in (
        (postfix, "alice@example.com", "server1@example.com"),
        (other, "alice@example.com", "server1@example.com"),
        (other, "shop@example.net", "server2@example.net"),
    ):
        relay.inject(sender, "somebody@example.org", f"after {sender} {id(relay)}")
        relay.wait_until_empty(60)
        assert site.emulator.mails()[-1]["login"] == login
    assert site.emulator.counters()["auths_refused"] <= 3
    last = site.apply(spamexperts_remove=True)
    assert last.changed() == 0, last.output
    assert site.result()["status"] == "clean"

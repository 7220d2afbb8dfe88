# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site that only descriptions describe is rotated, and is afterwards as declared."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.apply import DeclaredSite
from tests.support.emulator import Emulator
from tests.support.postfix import ScratchPostfix
from tests.support.wire import PASSWORD

pytestmark = pytest.mark.root

SERVER, SECOND = "server@example.com", "server-b@example.com"
ALICE: dict[str, Any] = {"username": "alice"}
SCANNER = {"username": "scanner", "password": PASSWORD}


@pytest.fixture
def other() -> Iterator[ScratchPostfix]:
    """A second mail server."""
    with ScratchPostfix() as running:
        yield running


class Site(DeclaredSite):
    """Its domain is purged: whoever is not declared would go."""

    def describe(self, server: str) -> None:
        """Describe the domain, with this sender for the mail servers."""
        self.declare("example.com", {"username": server, "relay": True}, ALICE, SCANNER, purge=True)

    def check_unchanged(self) -> None:
        """What is declared is there, and nothing else, as far as apply sees."""
        self.emulator.reset_counters()
        run = self.apply(spamexperts_remove=True)
        assert run.returncode == 0, run.output
        assert run.changed() == 0, run.output
        assert self.result()["status"] == "clean", run.output
        assert self.emulator.counters()["writes"] == 0

    def check_mail(self, postfix: ScratchPostfix, login: str) -> None:
        """A mail leaves this mail server with this login."""
        postfix.inject("alice@example.com", "somebody@example.net", "through the smarthost")
        postfix.wait_until_empty(30)
        assert self.emulator.mails()[-1]["login"] == login


def test_declared_logins_are_rotated_in_both_ways_and_leave(
    tmp_path: Path, emulator: Emulator, postfix: ScratchPostfix, other: ScratchPostfix
) -> None:
    site = Site(tmp_path, emulator, postfix)
    site.describe("server")
    run = site.apply()
    assert run.returncode == 0, run.output
    before = site.passwords()
    assert set(before) == {SERVER, "alice@example.com"}

    refused = site.rotate()
    assert refused.returncode == 2
    assert (
        "scanner@example.com cannot be rotated, as its password stands in domains/example.com.yml, line "
        in refused.output
    )
    assert "alice@example.com cannot" not in refused.output
    assert site.passwords() == before
    logins = {"everything": False, "logins": list(before)}
    run = site.rotate(**logins)
    assert run.returncode == 0, run.output
    assert set(site.outcomes().values()) == {"committed"}
    assert all(site.passwords()[name] != password for name, password in before.items())
    site.check_mail(postfix, SERVER)
    site.check_unchanged()

    # A second login takes over: it is no stranger, and the declared one no leaver.
    pair = {SERVER: [SERVER, SECOND]}
    run = site.rotate(everything=False, logins=[SERVER], strategy="alternate", alternates=pair)
    assert run.returncode == 0, run.output
    assert set(site.users()) == {"server-b", "alice", "scanner"}
    site.check_mail(postfix, SECOND)
    site.check_unchanged()
    new = {"outgoing_mail_config_directory": str(other.config_directory), "ansible_connection": "local"}
    site.change_host("mail2", **new, ansible_python_interpreter=sys.executable)
    run = site.run("configure_relays")
    assert run.returncode == 0, run.output
    assert {host: run.recap()[host]["changed"] for host in ("mail1", "mail2")} == {"mail1": 0, "mail2": 1}
    site.check_mail(other, SECOND)

    site.describe("web")
    run = site.apply(spamexperts_remove=True)
    assert run.returncode == 0, run.output
    assert set(site.users()) == {"web", "alice", "scanner"}
    assert set(site.passwords()) == {"web@example.com", "alice@example.com"}
    site.check_mail(other, "web@example.com")

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One mailbox of many on a server is hacked: is the person stopped, or the server, and is anything returned?"""

from __future__ import annotations

import shutil
import smtplib
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Instance

from tests.emulator.spam import GTUBE
from tests.support.dovecot import Dovecot
from tests.support.emulator import Emulator
from tests.support.postfix import ScratchPostfix
from tests.support.relay import PASSWORD, relay, snapshot

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not shutil.which("dovecot"), reason="Dovecot is not installed"),
]
PEOPLE = {name: f"{name}-Horse-42" for name in ("alice", "bob", "carol")}
ELSEWHERE = "someone@elsewhere.example"
#: The login of the server, in a domain of its own.
SERVER = {"domain": "out.example.com", "username": "server1", "password": PASSWORD}
#: What the panel calls identification by a header, and the expression that finds the name there.
BY_HEADER = {
    "identification_method": "header",
    "identification_header": "Received",
    "identification_expression": r"\(Authenticated sender: ([^)]+)\)",
}


@pytest.fixture(autouse=True)
def _check_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`postfix check` takes long, and other tests run it."""
    monkeypatch.setattr(Instance, "check", lambda _: None)


@pytest.fixture(scope="module")
def instance() -> Iterator[ScratchPostfix]:
    """A mail server at which people log in."""
    with Dovecot(PEOPLE) as dovecot:
        settings = {
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": str(dovecot.socket),
            "smtpd_sasl_auth_enable": "yes",
        }
        with ScratchPostfix(settings) as running:
            yield running


class Office:
    """People who send through one server, which has one login at the vendor."""

    def __init__(self, postfix: ScratchPostfix, vendor: Emulator) -> None:
        self.postfix = postfix
        self.vendor = vendor

    def send(self, name: str, text: str, *, sender: str = "", header: str = "") -> None:
        """Hand in a mail as this person's mail program does, and wait until it was tried."""
        address = sender or f"{name}@example.com"
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=30) as smtp:
            smtp.login(name, PEOPLE[name])
            header += f"From: {address}\nTo: {ELSEWHERE}\nSubject: {text[:9]}\n"
            smtp.sendmail(address, ELSEWHERE, f"{header}\n{text}\n")
        self.postfix.wait_until_quiet()

    def hacked(self) -> None:
        """Somebody has Alice's password, sends spam in changing names, and puts the blame on Bob."""
        forged = "Received: from x (unknown [192.0.2.7])\n\t(Authenticated sender: bob)\n\tby x (Postfix)\n"
        for number in range(5):
            self.send("alice", GTUBE.decode(), sender=f"offer{number}@example.com", header=forged)

    def waiting(self) -> list[str]:
        return sorted(mail["sender"] for mail in self.postfix.queue())

    def arrived(self) -> list[str]:
        return sorted(mail["mail_from"] for mail in self.vendor.mails())


@pytest.fixture
def office(postfix: ScratchPostfix, emulator: Emulator) -> Office:
    return Office(postfix, emulator)


def options(vendor: Emulator, **more: Any) -> dict[str, Any]:
    login = {"default_login": "server1@out.example.com", "default_password": PASSWORD}
    return {**vendor.smarthost_options, **login, **more}


def test_with_identities_only_the_mail_of_the_hacked_mailbox_waits(office: Office) -> None:
    office.vendor.seed(users=[{**SERVER, **BY_HEADER, "lock_identities": 1}])
    postfix, files = office.postfix, snapshot(office.postfix.config_directory)
    assert relay(postfix, check=True, **options(office.vendor, identity=True)).changed
    assert snapshot(postfix.config_directory) == files
    assert relay(postfix, **options(office.vendor, identity=True)).changed
    assert not relay(postfix, **options(office.vendor, identity=True)).changed
    office.hacked()
    assert office.vendor.control("state")["locked_identities"] == ["alice"]
    for name in PEOPLE:
        office.send(name, "hello")
    assert office.waiting() == ["alice@example.com"]
    assert "The identity alice is locked" in postfix.reasons()[0]
    assert office.arrived() == ["bob@example.com", "carol@example.com"]
    assert {mail["login"] for mail in office.vendor.mails()} == {"server1@out.example.com"}
    office.vendor.control("identities/unlock", {})
    postfix.flush()
    postfix.wait_until_empty()
    assert len(office.arrived()) == 3
    assert "bounced" not in postfix.statuses()
    assert relay(postfix, state="absent").changed
    assert snapshot(postfix.config_directory) == files


def test_without_them_everybodys_mail_waits(office: Office) -> None:
    """The vendor locks the login; all mail is there still when it is unlocked."""
    office.vendor.seed(users=[{**SERVER, "automatic_lock": 1}])
    assert relay(office.postfix, **options(office.vendor)).changed
    office.hacked()
    for name in PEOPLE:
        office.send(name, "hello")
    assert office.waiting() == [f"{name}@example.com" for name in PEOPLE]
    assert office.arrived() == []
    office.vendor.call("outgoingusers/unlock", domain="out.example.com", username="server1")
    office.postfix.flush()
    office.postfix.wait_until_empty()
    assert office.arrived() == [f"{name}@example.com" for name in PEOPLE]
    assert "bounced" not in office.postfix.statuses()
    assert relay(office.postfix, state="absent").changed

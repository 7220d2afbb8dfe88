# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to authenticate, with a real Postfix: which mail arrives where, under which login."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun
from tests.support.postfix import ScratchPostfix
from tests.support.relay import relay
from tests.support.sink import Sink

pytestmark = pytest.mark.root
SERVER = {"login": "server@example.com", "password": 'Zitrone "x\\ {a} $b # ü😀'}
DOMAIN = {"login": "example.net", "password": " leading : and # colon"}
BOSS = {"login": "boss@example.com", "password": "Melone\tund Tab 12"}
DEFAULT = {"default_login": SERVER["login"], "default_password": SERVER["password"]}
RECIPIENT = "someone@elsewhere.example"


@pytest.fixture(scope="module")
def instance(old_server: Sink) -> Iterator[ScratchPostfix]:
    settings = {
        "relayhost": f"[127.0.0.1]:{old_server.port}",
        "local_transport": "discard:",  # local mail leaves no mailbox on the machine
        "recipient_delimiter": "+",
    }
    with ScratchPostfix(settings) as running:
        yield running


@pytest.fixture
def vendor(emulator: Emulator) -> Emulator:
    """The emulator with a user, a domain user and another user."""
    emulator.seed(
        users=[
            {"domain": "example.com", "username": "server", "password": SERVER["password"]},
            {"domain": "example.net", "username": None, "password": DOMAIN["password"]},
            {"domain": "example.com", "username": "boss", "password": BOSS["password"]},
        ]
    )
    return emulator


def configure(postfix: ScratchPostfix, emulator: Emulator, **options: Any) -> ModuleRun:
    """Let the scratch Postfix send through the emulator, and see that a second run has nothing to do."""
    smarthost: dict[str, Any] = {
        "smarthost": "localhost",
        "smarthost_port": emulator.smtp_port,
        "smarthost_ca_path": emulator.ca_file,
    }
    run = relay(postfix, **smarthost, **options)
    assert run.changed, run.message
    assert not relay(postfix, **smarthost, **options).changed
    return run


def arrived(postfix: ScratchPostfix, emulator: Emulator, *senders: str) -> dict[str, str | None]:
    """Send one mail from each sender; return under which login each has arrived at the smarthost."""
    for sender in senders:
        postfix.inject(sender, RECIPIENT)
    postfix.wait_until_empty()
    mails = emulator.mails()
    assert all(mail["tls"] for mail in mails)
    assert len({mail["mail_from"] for mail in mails}) == len(mails), "a mail has arrived twice"
    return {mail["mail_from"]: mail["login"] for mail in mails}


def test_one_login_for_everything(postfix: ScratchPostfix, vendor: Emulator, sink: Sink) -> None:
    configure(postfix, vendor, **DEFAULT)
    senders = ["alice@example.com", "bob@other.example", ""]
    assert arrived(postfix, vendor, *senders) == dict.fromkeys(senders, "server@example.com")
    assert sink.mails == []


@pytest.mark.parametrize("dedicated", [False, True])
def test_logins_by_domain_and_address(postfix: ScratchPostfix, vendor: Emulator, dedicated: bool) -> None:
    logins = [{**DOMAIN, "senders": ["example.net"]}, {**BOSS, "senders": ["Boss@example.com", "vip@example.net"]}]
    configure(postfix, vendor, **DEFAULT, logins=logins, dedicated_transport=dedicated)
    expected = {
        "someone@example.net": "example.net",
        "boss@example.com": "boss@example.com",
        "boss+news@example.com": "boss@example.com",
        "vip@example.net": "boss@example.com",
        "alice@example.com": "server@example.com",
        "x@sub.example.net": "server@example.com",
        "": "server@example.com",
    }
    assert arrived(postfix, vendor, *expected) == expected


def test_local_mail_stays_local(postfix: ScratchPostfix, vendor: Emulator, sink: Sink) -> None:
    configure(postfix, vendor, **DEFAULT)
    postfix.inject("alice@example.com", "root@client.test.example")
    postfix.wait_until_empty()
    assert "relay=none" in postfix.log()
    assert postfix.statuses() == ["sent"]
    assert vendor.mails() == []
    assert sink.mails == []


def test_by_address(postfix: ScratchPostfix, vendor: Emulator) -> None:
    vendor.seed(users=[{"domain": "example.org", "username": "127.0.0.1", "authentication_method": "ip"}])
    configure(postfix, vendor, authentication="ip")
    assert arrived(postfix, vendor, "alice@example.org", "") == {"alice@example.org": None, "": None}
    assert vendor.auths() == []


def test_some_by_login_the_rest_by_address(postfix: ScratchPostfix, vendor: Emulator) -> None:
    vendor.seed(users=[{"domain": "example.org", "username": "127.0.0.1", "authentication_method": "ip"}])
    configure(postfix, vendor, authentication="ip", logins=[{**BOSS, "senders": ["boss@example.com"]}])
    expected = {"boss@example.com": "boss@example.com", "alice@example.org": None, "": None}
    assert arrived(postfix, vendor, *expected) == expected


def test_only_named_senders(postfix: ScratchPostfix, vendor: Emulator, sink: Sink) -> None:
    configure(
        postfix,
        vendor,
        **DEFAULT,
        only_named_senders=True,
        logins=[{**DOMAIN, "senders": ["@example.net"]}],
        senders=["news@example.com"],
    )
    expected = {"a@example.net": "example.net", "news@example.com": "server@example.com"}
    others = ["alice@example.com", "x@sub.example.net", ""]
    assert arrived(postfix, vendor, *expected, *others) == expected
    assert sorted(mail.sender for mail in sink.mails) == sorted(others)
    assert not any(mail.tls or mail.login for mail in sink.mails)


def test_named_bounces(postfix: ScratchPostfix, vendor: Emulator, sink: Sink) -> None:
    configure(postfix, vendor, **DEFAULT, only_named_senders=True, senders=["<>"])
    assert arrived(postfix, vendor, "", "alice@example.com") == {"": "server@example.com"}
    assert [mail.sender for mail in sink.mails] == ["alice@example.com"]


def test_a_transport_of_its_own_leaves_other_mail_alone(postfix: ScratchPostfix, vendor: Emulator, sink: Sink) -> None:
    """A server with transport_maps: mail for the internal server gets neither our TLS rules nor a login."""
    internal = postfix.config_directory / "transport"
    internal.write_text(f"inside.example smtp:[127.0.0.1]:{sink.port}\n")
    postfix.set(transport_maps=f"texthash:{internal}")
    configure(postfix, vendor, **DEFAULT, logins=[{**BOSS, "senders": ["boss@example.com"]}], dedicated_transport=True)
    postfix.inject("boss@example.com", "x@inside.example")
    assert arrived(postfix, vendor, "boss@example.com") == {"boss@example.com": "boss@example.com"}
    assert [(mail.recipients, mail.tls, mail.login) for mail in sink.mails] == [(["x@inside.example"], False, None)]
    assert sink.logins == []
    postfix.run("postconf", "-X", "transport_maps")


def test_taken_back(postfix: ScratchPostfix, vendor: Emulator, sink: Sink) -> None:
    configure(postfix, vendor, **DEFAULT)
    assert relay(postfix, state="absent").changed
    postfix.inject("alice@example.com", RECIPIENT)
    postfix.wait_until_empty()
    assert vendor.mails() == []
    assert [mail.sender for mail in sink.mails] == ["alice@example.com"]


@pytest.mark.parametrize("dedicated", [False, True])
def test_connections_are_reused(postfix: ScratchPostfix, vendor: Emulator, dedicated: bool) -> None:
    """Through tlsproxy, still with the certificate verified and under each sender's own login."""
    logins = [{**BOSS, "senders": ["boss@example.com"]}]
    configure(postfix, vendor, **DEFAULT, logins=logins, connection_reuse=True, dedicated_transport=dedicated)
    vendor.control("counters/reset", {})
    for _number in range(15):
        postfix.inject("alice@example.com", RECIPIENT)
        postfix.inject("boss@example.com", RECIPIENT)
    # On a busy machine a mail was once deferred here, why is not known; Postfix itself would try again after minutes.
    postfix.wait_until_quiet()
    postfix.flush()
    postfix.wait_until_empty()
    logins_seen = [(mail["mail_from"], mail["login"]) for mail in vendor.mails()]
    assert sorted(set(logins_seen)) == [
        ("alice@example.com", "server@example.com"),
        ("boss@example.com", "boss@example.com"),
    ]
    assert len(logins_seen) == 30
    assert vendor.counters()["connections"] < 30

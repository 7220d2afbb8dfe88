# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS before the first word, as on port 465: on hosts as people have them, from STARTTLS and back, with strangers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Instance

from tests.support.emulator import Emulator
from tests.support.existing_postfix import OTHER, OURS, SINK, Existing, Row, Way, servers
from tests.support.kill import killed_relay
from tests.support.postfix import ScratchPostfix
from tests.support.relay import BY_ADDRESS, LOGIN, PASSWORD, relay, snapshot
from tests.support.sink import Sink, authority_file, certificate

pytestmark = pytest.mark.root
#: The host decides where the rules go.
FREE: dict[str, Any] = {"dedicated_transport": None}
ONLY: dict[str, Any] = {"only_named_senders": True, "senders": ["example.com"], "dedicated_transport": None}
WRAPPED = "smtp_tls_wrappermode = yes\nsmtp_tls_security_level = encrypt\n"
OTHERS = Way(SINK, sender="bob@elsewhere.example")
INTERNAL = "relayhost = {OTHER}\ntransport_maps = inline:{ { internal.example = smtp:%s } }\n"


def to_internal(before: str) -> Way:
    """A mail to a domain with a way of its own."""
    return Way(before, recipient="someone@internal.example")


ROWS = [
    Row("a null client, in main.cf"),
    Row("wrappermode by hand", "relayhost = {OTHER}\n" + WRAPPED, options=FREE, ways=(Way(OTHER, OURS),)),
    Row(
        "wrappermode by hand with -o",
        "relayhost = {OTHER}\n",
        "smtp unix - - n - - smtp -o smtp_tls_wrappermode=yes -o smtp_tls_security_level=encrypt\n",
        options=FREE,
        ways=(Way(OTHER, OURS),),
    ),
    Row(
        "wrappermode by hand, and another way",
        INTERNAL % "{OTHER}" + WRAPPED,
        options=FREE,
        ways=(Way(OTHER, OURS), to_internal(OTHER)),
    ),
    Row("another way", INTERNAL % "{SINK}", options=FREE, ways=(Way(OTHER, OURS), to_internal(SINK))),
    Row(
        "another way, in main.cf",
        INTERNAL % "{SINK}" + "smtp_tls_policy_maps = inline:{ { {SINK} = may } }\n",
        ways=(Way(OTHER), to_internal(SINK)),
        refused=("transport_maps", "smtp_tls_wrappermode", "dedicated_transport=true"),
    ),
    Row(
        "another way that has its own client, in main.cf",
        "relayhost = {SINK}\ntransport_maps = inline:{ { internal.example = plain:{SINK} } }\n",
        "plain unix - - n - - smtp -o smtp_tls_wrappermode=no -o smtp_tls_security_level=may\n",
        ways=(Way(SINK, OURS), to_internal(SINK)),
    ),
    Row(
        "a client without a word on TLS, in main.cf",
        services="scan unix - - n - 2 smtp -o smtp_tls_security_level=may\n",
        ways=(Way(SINK),),
        refused=("scan/unix", "smtp_tls_wrappermode", "dedicated_transport=true"),
    ),
    Row("only some senders", options=ONLY, ways=(Way(SINK, OURS), OTHERS)),
    Row(
        "our name is taken",
        services="smtp_of_theirs unix - - n - - smtp\nsmarthost_tls unix - - n - - smtp\n",
        options=FREE,
        ways=(Way(SINK),),
        refused=("already has a transport named 'smarthost_tls'", "rename it"),
    ),
    Row("one connection for many mails", options={**FREE, "connection_reuse": True}),
]


@pytest.fixture
def vendor(emulator: Emulator) -> Emulator:
    emulator.seed(users=[{"domain": "example.com", "username": "server", "password": PASSWORD}])
    return emulator


@pytest.fixture(autouse=True)
def _check_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`postfix check` takes long, and other tests run it."""
    monkeypatch.setattr(Instance, "check", lambda _: None)


@pytest.fixture(scope="module")
def instance(old_server: Sink) -> Iterator[ScratchPostfix]:
    with ScratchPostfix({"relayhost": f"[127.0.0.1]:{old_server.port}", "smtp_helo_timeout": "2s"}) as running:
        yield running


#: What other rows have as well, but for a word.
AT_NIGHT = ("a null client, in main.cf", "wrappermode by hand with -o", "one connection for many mails")


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, marks=pytest.mark.slow if row.name in AT_NIGHT else ()) for row in ROWS],
    ids=lambda row: str(row.name),
)
def test_existing(row: Row, vendor: Emulator, warnings: list[str]) -> None:
    row = Row(**{**vars(row), "implicit": True})
    wrapped = "wrappermode=yes" in row.services or WRAPPED in row.main
    with servers(vendor, wrapped=wrapped) as them, Existing(row, them) as existing:
        existing.exercise(warnings)
    assert all(mail["begins_with_tls"] for mail in vendor.mails())


def test_all_our_mail_is_tls_with_the_login_from_the_first_byte(postfix: ScratchPostfix, vendor: Emulator) -> None:
    assert relay(postfix, **vendor.implicit_options, **LOGIN, **FREE).changed
    postfix.inject("alice@example.com", "someone@elsewhere.example", "one")
    postfix.wait_until_empty()
    (mail,) = vendor.mails()
    assert (mail["login"], mail["begins_with_tls"], mail["subject"]) == ("server@example.com", True, "one")
    assert relay(postfix, state="absent").changed


SHARED: dict[str, Any] = {"dedicated_transport": False}
OWN: dict[str, Any] = {"dedicated_transport": True}


def there_and_back_with_kills(
    postfix: ScratchPostfix, vendor: Emulator, before: dict[str, Any], after: dict[str, Any], distance: int
) -> None:
    """Kill each run at its steps with this distance; where each way has a client of its own, no mail waits."""
    files = snapshot(postfix.config_directory)
    ports = (vendor.smarthost_options, before), (vendor.implicit_options, after)
    assert not relay(postfix, **ports[0][0], **LOGIN, **ports[0][1]).failed
    sent: list[str] = []
    for place, options in (ports[1], ports[0]):
        for step in range(2, 60, distance):
            if not killed_relay(postfix, step, **place, **LOGIN, **options):
                break
            sent.append(f"mail {len(sent)}")
            postfix.inject("alice@example.com", "someone@elsewhere.example", sent[-1])
            if SHARED not in (before, after) or before is not after:
                postfix.wait_until_empty()
        assert not relay(postfix, **place, **LOGIN, **options).failed
        assert not relay(postfix, check=True, **place, **LOGIN, **options).changed
    assert len(sent) >= 2
    deadline = time.monotonic() + 30
    while postfix.queue() and time.monotonic() < deadline:
        postfix.flush()
        time.sleep(1)
    assert sorted(mail["subject"] for mail in vendor.mails()) == sorted(sent)
    assert {mail["begins_with_tls"] for mail in vendor.mails()} == {True, False}
    assert not relay(postfix, state="absent").failed
    assert snapshot(postfix.config_directory) == files


def test_from_starttls_and_back_although_some_runs_are_killed(postfix: ScratchPostfix, vendor: Emulator) -> None:
    there_and_back_with_kills(postfix, vendor, OWN, FREE, 9)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("before", "after"),
    [(SHARED, FREE), (OWN, FREE), (ONLY, ONLY), (SHARED, SHARED)],
    ids=["from main.cf", "from a transport", "only some senders", "in main.cf"],
)
def test_from_starttls_and_back_although_every_run_is_killed(
    postfix: ScratchPostfix, vendor: Emulator, before: dict[str, Any], after: dict[str, Any]
) -> None:
    """In main.cf there is one client for both ways: mail may meet a port in the wrong way, and waits then."""
    there_and_back_with_kills(postfix, vendor, before, after, 1)


def test_a_host_that_goes_back_to_starttls_is_as_if_it_had_never_left(
    postfix: ScratchPostfix, vendor: Emulator
) -> None:
    relay(postfix, **vendor.smarthost_options, **LOGIN, **FREE)
    before, services = postfix.parameters(), postfix.run("postconf", "-M")
    relay(postfix, **vendor.implicit_options, **LOGIN, **FREE)
    assert "smarthost_tls" in postfix.run("postconf", "-M")
    relay(postfix, **vendor.smarthost_options, **LOGIN, **FREE)
    assert (postfix.parameters(), postfix.run("postconf", "-M")) == (before, services)
    relay(postfix, state="absent")


@pytest.mark.parametrize(("way", "options"), [(LOGIN, OWN), (BY_ADDRESS, SHARED)], ids=["login", "ip"])
def test_nothing_is_given_to_a_stranger(
    postfix: ScratchPostfix, tmp_path: Path, way: dict[str, Any], options: dict[str, Any]
) -> None:
    """Whoever redirects the connection, also where a mail asks for no TLS."""
    authority = authority_file(trustme.CA(), tmp_path)
    with Sink(certificate(trustme.CA(), "localhost"), wrapped=True, hashes=True) as stranger:
        place: dict[str, Any] = {"smarthost": "localhost", "smarthost_port": stranger.port}
        place |= {"smarthost_tls": "implicit", "smarthost_ca_path": authority}
        assert relay(postfix, **place, **way, **options).changed
        for header in ({"TLS-Required": "no"}, {}):
            postfix.inject("alice@example.com", "someone@elsewhere.example", headers=header)
            postfix.wait_until_quiet()
        assert (stranger.logins, stranger.mails) == ([], [])
        assert len(postfix.queue()) == 2
    postfix.clean()
    relay(postfix, state="absent")


def test_a_server_that_begins_with_starttls_gets_nothing_and_the_mail_waits(
    postfix: ScratchPostfix, vendor: Emulator
) -> None:
    place = {**vendor.smarthost_options, "smarthost_tls": "implicit"}
    assert relay(postfix, **place, **LOGIN, **FREE).changed
    postfix.inject("alice@example.com", "someone@elsewhere.example", "waits")
    postfix.wait_until_quiet()
    assert "handshake" in postfix.reasons()[0]
    assert vendor.auths() == []
    assert relay(postfix, **vendor.implicit_options, **LOGIN, **FREE).changed
    postfix.wait_until_empty()
    assert [mail["subject"] for mail in vendor.mails()] == ["waits"]
    relay(postfix, state="absent")

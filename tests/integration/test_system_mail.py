# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail of the host itself leaves as a sender that the smarthost knows, and nobody else's mail is touched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Instance

from tests.fleet import why_impossible
from tests.support.emulator import Emulator
from tests.support.postfix import ScratchPostfix, make_older
from tests.support.relay import LOGIN, PASSWORD, relay, snapshot
from tests.support.rotation import RotationSite
from tests.support.sink import Sink

pytestmark = pytest.mark.root
ROOT_MAIL = "root@client.test.example"
ELSEWHERE = "someone@elsewhere.example"
OTHER = "Correct-Horse-43"
SYSTEM: dict[str, Any] = {**LOGIN, "system_sender": "true", "dedicated_transport": None}
PLACES: list[dict[str, Any]] = [{"dedicated_transport": False}, {"dedicated_transport": True}]
BY_DAY = [pytest.param(PLACES[0], marks=pytest.mark.slow), PLACES[1]]


@pytest.fixture(scope="module")
def instance(old_server: Sink) -> Iterator[ScratchPostfix]:
    with ScratchPostfix({"relayhost": f"[127.0.0.1]:{old_server.port}"}) as running:
        yield running


@pytest.fixture(autouse=True)
def _check_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`postfix check` takes long, and other tests run it."""
    monkeypatch.setattr(Instance, "check", lambda _: None)


@pytest.fixture
def vendor(emulator: Emulator) -> Emulator:
    users = [("example.com", "server", PASSWORD), ("example.net", "info", OTHER)]
    emulator.seed(users=[{"domain": one, "username": name, "password": secret} for one, name, secret in users])
    return emulator


def sent(postfix: ScratchPostfix, vendor: Emulator, sender: str, recipient: str = ELSEWHERE) -> dict[str, Any]:
    """Send one mail; what arrived at the far end."""
    count = len(vendor.mails())
    postfix.inject(sender, recipient, f"from {sender}")
    postfix.wait_until_empty()
    found = vendor.mails()[count:]
    assert len(found) == 1, postfix.log()[-2000:]
    return found[0]


@pytest.mark.parametrize("place", PLACES, ids=["main.cf", "own"])
def test_it_leaves_as_the_login_and_people_as_themselves(
    postfix: ScratchPostfix, vendor: Emulator, place: dict[str, Any]
) -> None:
    files = snapshot(postfix.config_directory)
    options = {**vendor.smarthost_options, **SYSTEM, **place}
    assert relay(postfix, check=True, **options).changed
    assert snapshot(postfix.config_directory) == files
    run = relay(postfix, **options)
    assert run.changed, run.message
    assert not relay(postfix, **options).changed
    mail = sent(postfix, vendor, ROOT_MAIL)
    assert (mail["mail_from"], mail["login"]) == ("server@example.com", "server@example.com")
    assert "From: server@example.com" in mail["content"]
    assert "client.test.example>" not in mail["content"].partition("From:")[2].partition("\n")[0]
    mail = sent(postfix, vendor, "alice@example.com")
    assert mail["mail_from"] == "alice@example.com"
    assert "From: alice@example.com" in mail["content"]
    assert relay(postfix, **{**options, "system_sender": "false"}).changed
    assert sent(postfix, vendor, ROOT_MAIL)["mail_from"] == ROOT_MAIL
    assert relay(postfix, **options).changed
    assert relay(postfix, state="absent").changed
    assert snapshot(postfix.config_directory) == files


@pytest.mark.parametrize("place", BY_DAY, ids=["main.cf", "own"])
def test_its_sender_has_a_login_of_its_own(postfix: ScratchPostfix, vendor: Emulator, place: dict[str, Any]) -> None:
    """Postfix looks the login up by the sender that was there before it was rewritten."""
    entry = {"login": "info@example.net", "password": OTHER, "senders": ["@example.net"]}
    options = {**vendor.smarthost_options, **SYSTEM, **place, "logins": [entry], "system_sender": "cron@example.net"}
    assert relay(postfix, **options).changed
    for sender, expected in (
        (ROOT_MAIL, ("cron@example.net", "info@example.net")),
        ("bob@example.com", ("bob@example.com", "server@example.com")),
        ("x@example.net", ("x@example.net", "info@example.net")),
    ):
        mail = sent(postfix, vendor, sender)
        assert (mail["mail_from"], mail["login"]) == expected
    relay(postfix, state="absent")


def test_recipients_at_the_name_of_the_host_are_rewritten_as_well(postfix: ScratchPostfix, vendor: Emulator) -> None:
    """A null client hands its own mail to the smarthost; the report of root then has somebody who reads it."""
    postfix.set(mydestination="localhost")
    try:
        assert relay(postfix, **vendor.smarthost_options, **SYSTEM).changed
        mail = sent(postfix, vendor, ROOT_MAIL, ROOT_MAIL)
        assert mail["recipients"] == ["server@example.com"]
        assert "To: server@example.com" in mail["content"]
    finally:
        relay(postfix, state="absent")
        postfix.set(mydestination="client.test.example, localhost")


def test_mail_that_goes_elsewhere_keeps_its_sender(postfix: ScratchPostfix, vendor: Emulator, sink: Sink) -> None:
    postfix.set(transport_maps=f"inline:{{ {{ internal.example = smtp:[127.0.0.1]:{sink.port} }} }}")
    try:
        files = snapshot(postfix.config_directory)
        refused = relay(postfix, **{**vendor.smarthost_options, **SYSTEM, "dedicated_transport": False})
        assert refused.code == "conflict"
        assert "smtp_generic_maps" in refused.message
        assert "dedicated_transport=true" in refused.message
        assert snapshot(postfix.config_directory) == files
        assert relay(postfix, **vendor.smarthost_options, **SYSTEM).changed
        postfix.inject(ROOT_MAIL, "someone@internal.example")
        postfix.wait_until_empty()
        assert [mail.sender for mail in sink.mails] == [ROOT_MAIL]
        assert sent(postfix, vendor, ROOT_MAIL)["mail_from"] == "server@example.com"
    finally:
        relay(postfix, state="absent")
        postfix.run("postconf", "-X", "transport_maps")
        make_older(postfix.config_directory / "main.cf")


@pytest.mark.parametrize("place", BY_DAY, ids=["main.cf", "own"])
def test_what_the_administrator_rewrites_is_still_rewritten(
    postfix: ScratchPostfix, vendor: Emulator, place: dict[str, Any]
) -> None:
    theirs = "inline:{ { shop@old.example = shop@example.com } }"
    postfix.set(smtp_generic_maps=theirs)
    try:
        assert relay(postfix, **{**vendor.smarthost_options, **SYSTEM, **place}).changed
        assert not relay(postfix, **{**vendor.smarthost_options, **SYSTEM, **place}).changed
        assert sent(postfix, vendor, "shop@old.example")["mail_from"] == "shop@example.com"
        assert sent(postfix, vendor, ROOT_MAIL)["mail_from"] == "server@example.com"
        assert relay(postfix, state="absent").changed
        assert postfix.parameters()["smtp_generic_maps"] == theirs
    finally:
        postfix.run("postconf", "-X", "smtp_generic_maps")
        make_older(postfix.config_directory / "main.cf")


def test_only_the_accounts_of_the_system_are_rewritten_where_people_have_the_same_domain(
    postfix: ScratchPostfix, vendor: Emulator
) -> None:
    postfix.set(myorigin="office.example")
    try:
        assert relay(postfix, **vendor.smarthost_options, **SYSTEM).changed
        assert sent(postfix, vendor, "www-data@office.example")["mail_from"] == "server@example.com"
        assert sent(postfix, vendor, "bob@office.example")["mail_from"] == "bob@office.example"
    finally:
        relay(postfix, state="absent")
        postfix.run("postconf", "-X", "myorigin")
        make_older(postfix.config_directory / "main.cf")


def test_whose_domain_no_login_is_for_is_said(postfix: ScratchPostfix, vendor: Emulator, warnings: list[str]) -> None:
    """The host has a name as many have, and it is the name of nobody's domain."""
    unsaid = {**vendor.smarthost_options, **LOGIN, "system_sender": None}
    assert relay(postfix, **unsaid).changed
    (said,) = warnings
    assert f"leaves as {ROOT_MAIL}, and no login here is for client.test.example" in said
    warnings.clear()
    relay(postfix, **{**unsaid, "system_sender": "false"})
    postfix.set(smtp_generic_maps=f"inline:{{ {{ {ROOT_MAIL} = root@example.com }} }}")
    relay(postfix, **unsaid)
    assert warnings == []
    relay(postfix, state="absent")
    postfix.run("postconf", "-X", "smtp_generic_maps")
    make_older(postfix.config_directory / "main.cf")


@pytest.mark.skipif(bool(why_impossible()), reason=why_impossible())
def test_cron_and_php_on_a_real_host(site: RotationSite) -> None:
    """An account of the host hands it in, and says nothing of its sender."""
    host = site.fleet.hosts[0]
    given: dict[str, Any] = {"outgoing_mail_system_sender": True, "outgoing_mail_test_recipient": ELSEWHERE}
    count = len(site.emulator.mails())
    run = site.run("configure_relays", "--limit", f"localhost,{host.name}", **given)
    assert run.returncode == 0, run.output
    assert shutil.which("php"), "php-cli is one of the packages that the tests need"
    mail = f"mail('{ELSEWHERE}', 'php', 'hello');"
    host.run("setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups", "php", "-r", mail)
    host.wait_until_empty()
    arrived = site.emulator.mails()[count:]
    assert [mail["subject"] for mail in arrived] == ["Test mail of smarthost.spamexperts"] * 2 + ["php"]
    login = site.stored()[site.name(host.name)]["login"]  # an alternate one, after some rotations
    assert {(mail["mail_from"], mail["login"]) for mail in arrived} == {(login, login)}
    assert all(f"@{host.name}" not in mail["content"].partition("\nFrom:")[2].partition("\n")[0] for mail in arrived)
    run = site.run("configure_relays")
    assert run.returncode == 0, run.output

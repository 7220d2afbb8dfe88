# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which options are refused, before anything is read."""

from __future__ import annotations

import re

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._names import InputError
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.preferences import Preferences
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.server import (
    OutgoingServer,
    SavedLogin,
    ServerEntry,
    validate,
    validate_entry,
)

GOOD = OutgoingServer("smarthost.test", 587, "starttls", "password", "info@example.com", "Smarthost")


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ("Relay.Example", "relay.example"),
        ("2001:DB8::1", "2001:db8::1"),
        ("münchen.example", "xn--mnchen-3ya.example"),
    ],
)
def test_the_host_is_written_as_thunderbird_looks_for_it(given: str, host: str) -> None:
    assert validate(GOOD._replace(host=given)).host == host


def test_an_address_stands_in_brackets_where_the_password_is_saved() -> None:
    assert GOOD._replace(host="2001:db8::1").origin == "smtp://[2001:db8::1]"
    assert GOOD.origin == "smtp://smarthost.test"


def test_without_authentication_there_is_no_login() -> None:
    assert validate(GOOD._replace(authentication="none")).login == ""


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"host": "[2001:DB8::1]"}, "smarthost: '[2001:DB8::1]' is neither a host name nor an IP address"),
        ({"host": 'a", "'}, "is neither a host name nor an IP address"),
        ({"port": 0}, "smarthost_port: 0"),
        ({"port": 65536}, "smarthost_port: 65536"),
        ({"login": "a\nb"}, "control characters"),
        ({"description": "a\x00b"}, "control characters"),
        ({"login": "jürgen@example.com"}, "only ASCII"),
    ],
)
def test_what_thunderbird_could_not_use_is_refused(changed: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        validate(GOOD._replace(**changed))  # type: ignore[arg-type]  # one field of any type


@pytest.mark.parametrize("entry", ["smtp", "smtp1", "ews2", "graph1", "default", "", "A", "a-b", "a.b", "1a", "a" * 33])
def test_names_that_would_not_work_or_are_thunderbirds_are_refused(entry: str) -> None:
    with pytest.raises(InputError, match="entry: "):
        validate_entry(entry)


@pytest.mark.parametrize("entry", ["spamexperts", "smarthost_2", "a"])
def test_other_names_are_fine(entry: str) -> None:
    validate_entry(entry)


def profile(**more: str) -> Preferences:
    preferences = Preferences(b"")
    preferences.set("mail.smtpservers", "smtp1,smtp2")
    preferences.set("mail.smtp.defaultserver", "smtp2")
    preferences.set("mail.accountmanager.accounts", "account1")
    preferences.set("mail.account.account1.identities", "id1")
    preferences.set("mail.identity.id1.useremail", "Alice@example.com")
    preferences.set("mail.identity.id1.smtpServer", "smtp1")
    # An identity that no account has any more.
    preferences.set("mail.identity.id7.useremail", "bob@example.com")
    for name, value in more.items():
        preferences.set(name.replace("_", "."), value)
    return preferences


def test_an_identity_that_no_account_has_is_not_found() -> None:
    entry = ServerEntry(profile(), "spamexperts")
    assert entry.set_identities(["alice@EXAMPLE.com", "bob@example.com"]) == ["bob@example.com"]
    assert entry.describe()["identities"] == ["alice@example.com"]


def test_an_identity_is_found_however_its_domain_is_written() -> None:
    preferences = profile()
    preferences.set("mail.identity.id1.useremail", "Alice@Müller.example")
    entry = ServerEntry(preferences, "spamexperts")
    assert entry.set_identities(["alice@xn--mller-kva.example", "bob@müller.example"]) == ["bob@müller.example"]
    assert entry.describe()["identities"] == ["alice@müller.example"]
    assert entry.set_identities(["alice@müller.example"]) == []


def test_an_identity_that_is_no_longer_named_gets_its_server_back() -> None:
    preferences = profile()
    entry = ServerEntry(preferences, "spamexperts")
    entry.set_identities(["alice@example.com"])
    entry.set_identities([])
    assert preferences.text("mail.identity.id1.smtpServer") == "smtp1"
    assert preferences.content == profile().content


def test_the_default_server_comes_back() -> None:
    preferences = profile()
    entry = ServerEntry(preferences, "spamexperts")
    entry.set_default(True)
    assert preferences.text("mail.smtp.defaultserver") == "spamexperts"
    entry.set_default(False)
    assert preferences.content == profile().content


def test_what_the_person_chose_meanwhile_stays() -> None:
    preferences = profile()
    entry = ServerEntry(preferences, "spamexperts")
    entry.put(GOOD)
    entry.set_default(True)
    entry.set_identities(["alice@example.com"])
    preferences.set("mail.smtp.defaultserver", "smtp1")
    preferences.set("mail.identity.id1.smtpServer", "smtp2")
    entry.remove()
    assert preferences.text("mail.smtp.defaultserver") == "smtp1"
    assert preferences.text("mail.identity.id1.smtpServer") == "smtp2"
    assert "spamexperts" not in preferences.content.decode()


def test_a_server_that_is_gone_is_not_put_back() -> None:
    preferences = profile()
    entry = ServerEntry(preferences, "spamexperts")
    entry.put(GOOD)
    entry.set_default(True)
    entry.set_identities(["alice@example.com"])
    preferences.set("mail.smtpservers", "spamexperts")
    entry.remove()
    assert preferences.get("mail.smtp.defaultserver") is None
    assert preferences.get("mail.identity.id1.smtpServer") is None
    assert preferences.get("mail.smtpservers") is None


def test_what_is_remembered_follows_the_person() -> None:
    """The server was deleted in Thunderbird, which then lets its identities use the default one, and is put again."""
    preferences = profile()
    entry = ServerEntry(preferences, "spamexperts")
    entry.set_identities(["alice@example.com"])
    preferences.set("mail.identity.id1.smtpServer", "")
    entry.set_identities(["alice@example.com"])
    entry.remove()
    assert preferences.get("mail.identity.id1.smtpServer") == ""


def test_a_login_is_shared_with_the_persons_own_server_of_the_same_host_and_name() -> None:
    entry = ServerEntry(profile(mail_smtpserver_smtp1_hostname="Smarthost.test"), "spamexperts")
    entry.saved_login = saved = SavedLogin("{guid}", GOOD.origin, GOOD.login)
    assert entry.saved_login == saved
    entry.preferences.set("mail.smtpserver.smtp1.username", GOOD.login)
    assert entry.saved_login is None


def test_two_entries_do_not_disturb_each_other() -> None:
    preferences = profile()
    first, second = ServerEntry(preferences, "first"), ServerEntry(preferences, "second")
    first.put(GOOD)
    second.put(GOOD._replace(port=2525))
    first.set_default(True)
    second.set_default(True)
    first.remove()
    assert second.current() == GOOD._replace(port=2525)
    assert preferences.text("mail.smtp.defaultserver") == "second"
    second.remove()
    assert preferences.text("mail.smtpservers") == "smtp1,smtp2"

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of an outgoing user: normalising, comparing, refusing."""

from __future__ import annotations

import dataclasses
import importlib.util
import ipaddress
import re
import sys
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils import _names, _passwords
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import user
from hypothesis import given
from hypothesis import strategies as st

#: 253 characters; the DNS carries no longer name.
LONGEST_DOMAIN = ".".join(["x" * 49] * 5 + ["com"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("example.com", "example.com"),
        ("Example.COM.", "example.com"),
        (" example.com ", "example.com"),
        ("müller.example", "xn--mller-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("xn--mller-kva.example", "xn--mller-kva.example"),
        ("a-b.c1.example", "a-b.c1.example"),
        ("mu\u0308ller.example", "xn--mller-kva.example"),  # as a Mac writes it
        (LONGEST_DOMAIN, LONGEST_DOMAIN),
    ],
)
def test_domains_are_normalised(text: str, expected: str) -> None:
    assert _names.normalise_domain(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        ".",
        "com",
        "-a.example",
        "a-.example",
        "a..b",
        "a b.example",
        "a/b.example",
        "a_b.example",
        "x" * 64 + ".example",
        "x" + LONGEST_DOMAIN,
        "ä\u200d.example",
        "a@b.example",
    ],
)
def test_bad_domains_are_refused(text: object) -> None:
    with pytest.raises(_names.InputError):
        _names.normalise_domain(text)


def test_internationalised_domains_are_shown_as_people_write_them() -> None:
    assert _names.unicode_domain("xn--mller-kva.example") == "müller.example"
    assert _names.unicode_domain("example.com") == "example.com"
    assert _names.unicode_domain("xn--\u00e4") == "xn--\u00e4"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4/32", "1.2.3.4"),
        (" 192.0.2.0/28", "192.0.2.0/28"),
        ("192.0.2.0/255.255.255.240", "192.0.2.0/28"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:db8::1/128", "2001:db8::1"),
        ("2001:db8::/64", "2001:db8::/64"),
    ],
)
def test_networks_are_normalised(text: str, expected: str) -> None:
    assert _names.normalise_network(text) == expected
    assert _names.is_network(expected)


@pytest.mark.parametrize(
    ("username", "network"),
    [("192.0.2.5/24", True), ("", False), ("1and1", False), ("a1", False), ("cafe", False), ("2001:db8::", True)],
)
def test_what_a_list_shows_is_told_apart(username: str, network: bool) -> None:
    assert _names.is_network(username) is network


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        "host",
        "1.2.3",
        "1.2.3.4.5",
        "300.1.1.1",
        "0.0.0.0/0",
        "::/0",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "1.2.3.4/33",
        "1.2.3.4/x",
        "1.2.3.4 5",
    ],
)
def test_bad_networks_are_refused(text: object) -> None:
    with pytest.raises(_names.InputError):
        _names.normalise_network(text)


UNSEEN = "no filter in the internet sees a sender come from"


def sender(address: str, **options: Any) -> user.Wanted:
    entry = {"domain": "example.com", "authentication_method": "ip", "username": address, **options}
    return user.parse_wanted(entry, 0, "on_mismatch")


@pytest.mark.parametrize(
    "address",
    [
        "0.1.2.3",
        "10.0.0.5",
        "10.0.0.0/28",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.1.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.168.0.0/24",
        "198.19.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "64:ff9b::c000:201",
        "100::1",
        "fd00::5",
        "fe80::1",
        "fec0::1",
        "4000::/64",
    ],
)
def test_what_no_filter_in_the_internet_sees_has_to_be_meant(address: str) -> None:
    shown = _names.normalise_network(address)
    with pytest.raises(_names.InputError, match=rf"{UNSEEN} {re.escape(shown)}.* allow_private_address: true"):
        sender(address)
    with pytest.raises(_names.InputError, match=UNSEEN):
        sender(address, allow_wide_network=True)
    assert sender(address, allow_private_address=True).key.username == shown


@pytest.mark.parametrize(
    "address", ["128.0.0.0/1", "8.0.0.0/5", "9.9.8.0/23", "2000::/3", "2001:db8::/32", "2a00::/47"]
)
def test_a_wide_network_has_to_be_meant(address: str) -> None:
    with pytest.raises(_names.InputError, match=rf"^{address} is wider than /(24|48), .* allow_wide_network: true"):
        sender(address)
    with pytest.raises(_names.InputError, match="is wider than"):
        sender(address, allow_private_address=True)
    assert sender(address, allow_wide_network=True).key.username == address


def test_a_wide_network_that_nobody_sees_needs_both() -> None:
    for option in ({}, {"allow_private_address": True}, {"allow_wide_network": True}):
        with pytest.raises(_names.InputError):
            sender("10.0.0.0/8", **option)
    assert sender("10.0.0.0/8", allow_private_address=True, allow_wide_network=True).key.username == "10.0.0.0/8"


@pytest.mark.parametrize(
    "address",
    ["192.0.2.7", "198.51.100.0/24", "203.0.113.0/28", "9.9.9.9", "172.32.0.1", "2001:db8::/48", "2a00:1450::1"],
)
def test_what_the_internet_carries_and_what_documentation_uses_is_accepted(address: str) -> None:
    assert sender(address).key.username == address


@pytest.mark.parametrize("address", ["10.0.0.5", "fe80::1", "128.0.0.0/1"])
def test_what_is_there_already_can_be_removed_and_left_alone(address: str) -> None:
    assert not sender(address, state="absent").present
    assert sender(address, ignore=True).ignore


@given(
    st.sampled_from(["10.1.1.1", "172.16.0.1", "192.0.2.1", "203.0.113.9"]).map(ipaddress.ip_address)
    | st.ip_addresses()
)
def test_only_documentation_is_accepted_of_what_python_calls_private(address: Any) -> None:
    networks = (
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
    if address.is_private and not any(address in ipaddress.ip_network(network) for network in networks):
        with pytest.raises(_names.InputError):
            sender(str(address))


def test_an_address_inside_a_network_names_the_network() -> None:
    with pytest.raises(_names.InputError, match=r"192\.0\.2\.0/24"):
        _names.normalise_network("192.0.2.5/24")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("alice", "alice"),
        ("Alice@Example.com", "alice"),
        ("a.b+c", "a.b+c"),
        ("o'neil", "o'neil"),
        ("1and1", "1and1"),
        ("x" * 64, "x" * 64),
    ],
)
def test_local_parts_are_normalised(text: str, expected: str) -> None:
    assert user.normalise_username(user.USER, text, "example.com") == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        "a b",
        "a/b",
        "a\\b",
        ".a",
        "a.",
        "a..b",
        "x" * 65,
        "alice@example.org",
        "a\nb",
        "ä",
        "1.2.3.4",
        "2001:db8::1",
        "a@b@example.com",
        "@example.com",
        "a%00\x00",
    ],
)
def test_bad_local_parts_are_refused(text: object) -> None:
    with pytest.raises(_names.InputError):
        user.normalise_username(user.USER, text, "example.com")


def test_a_local_part_that_is_too_long_is_shown_in_part() -> None:
    with pytest.raises(_names.InputError, match=r"^username 'abcdefghijklmnop'\.\.\. has 78 characters; "):
        user.normalise_local_part("abcdefghijklmnopqrstuvwxyz" * 3, "example.com")


@pytest.mark.parametrize("text", [None, "", "example.com", "@example.com", "@Example.com"])
def test_a_domain_user_has_no_username(text: object) -> None:
    assert user.normalise_username(user.DOMAIN, text, "example.com") == ""


def test_a_domain_user_with_a_username_is_refused() -> None:
    with pytest.raises(_names.InputError, match="no username"):
        user.normalise_username(user.DOMAIN, "alice", "example.com")


@pytest.mark.parametrize(
    "password",
    [
        "tiny",
        "x" * 11,
        "newline\nnewline",
        "null\x00nullnull",
        "tabulator\tinside",
        " leading blank",
        "trailing blank ",
        "delete\x7fdelete",
        "surrogate\ud800xx",
        "ice@example.com",
        "example.com",
        "nbsp at the end\u00a0",
    ],
)
def test_bad_passwords_are_refused(password: str) -> None:
    with pytest.raises(_names.InputError) as problem:
        _passwords.check_password(password, "alice@example.com")
    assert password not in str(problem.value)


@pytest.mark.parametrize(
    "password", ["Twelve-chars", "with space inside", "q\"uo'te\\back/slash", "pä€😀ßwörd12345", "%2F?#&+=;:@,"]
)
def test_good_passwords_pass(password: str) -> None:
    _passwords.check_password(password, "alice@example.com")


def parse(**entry: Any) -> user.Wanted:
    return user.parse_wanted({"domain": "example.com", "username": "alice", **entry}, 0, "on_mismatch")


def test_not_given_zero_and_inherit_are_three_things() -> None:
    wanted = parse(limits={"per_minute": 0, "per_hour": None, "inherit": ["per_day"], "enabled": False})
    assert wanted.user.state == {"limits.per_minute": 0, "limits.per_day": "inherit", "limits.enabled": False}


def test_inherited_limits_are_shown_as_the_option_takes_them() -> None:
    limits = {"enabled": True, "per_minute": 0, "inherit": ["per_day", "per_hour"]}
    settings = {"footer": "inherit"}
    assert user.nested(parse(limits=limits, settings=settings).user.state) == {"limits": limits, "settings": settings}


def test_the_ends_of_what_a_number_may_be() -> None:
    highest = 2147483647
    wanted = parse(limits={"per_day": highest}, lock_timeout=1, maximum_unlocks=1)
    assert wanted.user.state == {"limits.per_day": highest, "lock_timeout": 1, "maximum_unlocks": 1}
    assert parse(lock_timeout=10080).user.state == {"lock_timeout": 10080}
    with pytest.raises(_names.InputError, match=f"from 0 to {highest}, "):
        parse(limits={"per_day": highest + 1})


def test_everything_that_is_given_becomes_state() -> None:
    wanted = parse(
        locked=False,
        automatic_lock=True,
        lock_timeout=30,
        maximum_unlocks=100,
        settings={"dkim_selector": "mail", "sender_check": True, "retries": 3},
    )
    assert wanted.user.state == {
        "locked": False,
        "automatic_lock": True,
        "lock_timeout": 30,
        "maximum_unlocks": 100,
        "settings.dkim_selector": "mail",
        "settings.sender_check": "1",
        "settings.retries": "3",
    }
    assert user.nested(wanted.user.state)["settings"] == {"dkim_selector": "mail", "retries": "3", "sender_check": "1"}


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"limits": {"per_hour": -1}}, "per_hour"),
        ({"limits": {"per_hour": 5, "inherit": ["per_hour"]}}, "choose one"),
        ({"lock_timeout": 0}, "10080 minutes"),
        ({"lock_timeout": 10081}, "10080 minutes"),
        ({"maximum_unlocks": 0}, "1 to 100"),
        ({"maximum_unlocks": 101}, "1 to 100"),
        ({"settings": {"Bad Name": 1}}, "Bad Name"),
        ({"settings": {"lock_timeout": 1}}, "option of its own"),
        ({"settings": {"per_hour": 1}}, "option of its own"),
        ({"settings": {"selector": None}}, "not empty"),
        ({"settings": {"selector": ""}}, "not empty"),
        ({"settings": {"selector": [1]}}, "not empty"),
        ({"authentication_method": "ip", "username": "192.0.2.1", "password": "x" * 12}, "no password"),
        ({"authentication_method": "ip", "username": "192.0.2.1", "password_file": "file"}, "no password"),
        ({"password": "Correct-Horse-42", "password_file": "file"}, "choose one"),
        ({"password": "x" * 11}, "shorter than 12"),
    ],
)
def test_bad_entries_are_refused_with_what_is_wrong(entry: dict[str, Any], word: str) -> None:
    with pytest.raises(_names.InputError, match=word):
        parse(**entry)


def test_what_is_not_said_of_an_entry() -> None:
    wanted = parse()
    assert (wanted.present, wanted.update_password, wanted.password_file) == (True, "on_mismatch", "")
    assert not any([wanted.ignore, wanted.ip_risk_acknowledged, wanted.password_is_new])


def test_what_an_entry_says_holds() -> None:
    wanted = parse(
        state="absent", update_password="always", password_file="file", ignore=True, acknowledge_ip_risk=True
    )
    assert (wanted.present, wanted.update_password, wanted.password_file) == (False, "always", "file")
    assert wanted.ignore
    assert wanted.ip_risk_acknowledged


def test_how_a_list_writes_the_name_makes_no_other_user() -> None:
    """Otherwise a server that lists Alice would never have alice as she is wanted."""
    key = user.Key("example.com", "alice")
    assert user.OutgoingUser(key, user.USER) == user.OutgoingUser(key, user.USER, listed_name="Alice")


def test_what_is_wanted_stays_as_it_was_read() -> None:
    wanted = parse()
    for each, name in ((wanted, "present"), (wanted.user, "method")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(each, name, None)


def test_without_idna_what_needs_none_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes with requests, which not every module needs, and names are read before that is asked for."""
    monkeypatch.setitem(sys.modules, "idna", None)
    assert _names.__spec__ is not None
    again = importlib.util.module_from_spec(_names.__spec__)
    monkeypatch.setitem(sys.modules, _names.__name__, again)
    assert _names.__spec__.loader is not None
    _names.__spec__.loader.exec_module(again)
    assert again.normalise_domain("Example.com") == "example.com"
    assert again.unicode_domain("xn--mller-kva.example") == "xn--mller-kva.example"
    with pytest.raises(again.InputError) as problem:
        again.normalise_domain("müller.example")
    assert str(problem.value) == (
        "'müller.example' needs the Python package idna; install it, or write the name in its xn-- form"
    )


def test_a_password_is_in_no_representation() -> None:
    wanted = parse(password="Correct-Horse-42")
    assert "Correct-Horse-42" not in repr(wanted)
    assert "Correct-Horse-42" not in repr(dataclasses.replace(wanted, former_password="Correct-Horse-42"))


def test_a_password_that_nobody_says_is_new_may_be_in_force() -> None:
    wanted = parse(password="Correct-Horse-42")
    assert not user.Wanted(wanted.user, 0, True, "always", "Correct-Horse-42", "", False, False).is_for_a_new_user


@pytest.mark.parametrize(
    ("entry", "form", "login"),
    [
        ({}, "domain", "alice@example.com"),
        ({"authentication_method": "domain", "username": None}, "domain", "example.com"),
        ({"authentication_method": "domain", "username": None}, "at_domain", "@example.com"),
    ],
)
def test_logins(entry: dict[str, Any], form: str, login: str) -> None:
    assert parse(**entry).login(form) == login


@pytest.mark.parametrize(
    ("is_new", "file", "expected"),
    [(True, "", True), (True, "/alice", False), (False, "", False), (False, "/a", False)],
)
def test_whose_password_was_made_for_a_new_user(is_new: bool, file: str, expected: bool) -> None:
    wanted = user.parse_wanted({"domain": "example.com", "username": "alice", "password_file": file}, 0, "on_create")
    assert dataclasses.replace(wanted, password_is_new=is_new).is_for_a_new_user is expected


def test_keys_and_numbers_stand_in_sentences() -> None:
    alice, everybody = user.Key("example.com", "alice"), user.Key("example.com", "")
    assert (alice.title, alice.name) == ("alice@example.com", "alice@example.com")
    assert (everybody.title, everybody.name) == ("The domain user of example.com", "the domain user of example.com")
    assert [user.counted(number, "user") for number in (0, 1, 2)] == ["0 users", "1 user", "2 users"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (user.Key("example.com", "alice"), "alice@example.com"),
        (user.Key("example.com", ""), "domain user of example.com"),
        (user.Key("example.com", "192.0.2.1"), "192.0.2.1 of example.com"),
        (user.Key("xn--mller-kva.example", "alice"), "alice@müller.example"),
    ],
)
def test_keys_are_shown_as_people_name_them(key: user.Key, text: str) -> None:
    assert str(key) == text


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Alice@Müller.example", user.Key("xn--mller-kva.example", "alice")),
        ("@example.com", user.Key("example.com", "")),
        ("Example.com", user.Key("example.com", "")),
        ("alice@", None),
        ("192.0.2.7@example.com", None),
        ("", None),
        (None, None),
    ],
)
def test_whose_login_it_is(text: object, key: object) -> None:
    assert user.Key.of_login(text) == key


def test_logins_are_compared_by_whose_they_are_or_else_as_text() -> None:
    assert user.identity("Alice@Müller.example") == user.identity("alice@xn--mller-kva.example")
    assert user.identity("@example.com") == user.identity("example.com.")
    assert user.identity("two words") == "two words"


@pytest.mark.parametrize("login", ["alice@xn--mller-kva.example", "xn--mller-kva.example"])
def test_the_options_and_the_result_of_who_has_a_login_are_the_same_person(login: str) -> None:
    key = user.Key.of_login(login)
    assert key is not None
    wanted = user.parse_wanted(user.options_of(key), 0, "on_create")
    assert wanted.login("domain") == login
    assert user.Key.of_result(wanted.user.to_result()) == key


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("ab", "a@example.com, b@example.com"),
        ("abc", "a@example.com, b@example.com, c@example.com"),
        ("abcd", "a@example.com, b@example.com, c@example.com, ..."),
    ],
)
def test_a_message_names_the_first_three(names: str, text: str) -> None:
    users = [user.OutgoingUser(user.Key("example.com", name), user.USER) for name in names]
    assert user.first_three(users) == text


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("::ffff:192.0.2.1", "write 192.0.2.1"),
        ("::FFFF:C000:201/128", "write 192.0.2.1"),
        ("::ffff:192.0.2.0/124", "write 192.0.2.0/28"),
        ("::ffff:0:0/96", "write 0.0.0.0/0"),
    ],
)
def test_ipv4_that_is_written_as_ipv6_is_refused(text: str, advice: str) -> None:
    with pytest.raises(_names.InputError, match=rf"'{text}' is IPv4 that is written as IPv6; {re.escape(advice)}$"):
        _names.normalise_network(text)


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_an_address_and_its_longest_network_are_the_same(address: Any) -> None:
    if address.is_multicast or address.is_unspecified or getattr(address, "ipv4_mapped", None):
        return
    assert _names.normalise_network(f"{address}/{address.max_prefixlen}") == _names.normalise_network(address)


@given(st.text(max_size=80))
def test_any_text_is_a_local_part_or_refused(text: str) -> None:
    try:
        name = user.normalise_local_part(text, "example.com")
    except _names.InputError:
        return
    assert user.normalise_local_part(name, "example.com") == name
    assert 0 < len(name) <= 64
    assert not set(name) & set("/\\ \n\x00@")

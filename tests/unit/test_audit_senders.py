# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may send, at the edges: what is just a finding, what just none, and in which words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit import senders
from ansible_collections.smarthost.spamexperts.plugins.module_utils._audit.seen import (
    Account,
    Computer,
    Host,
    Passwords,
    Seen,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.identities import from_store

from tests.support.audited import ALICE, RELAY, SERVER, USERS, described, site, user

LOGINS = site().passwords.in_use
OLD = Passwords({**LOGINS, "old@example.com": "old@example.com"}, accepted=[*LOGINS, "old@example.com"])


def found_in(seen: Seen) -> list[tuple[str, str]]:
    return [(one.code, one.where) for one in senders.findings(seen)]


@pytest.mark.parametrize(
    ("wanted", "there", "sentence"),
    [
        ({"per_hour": 100}, {"enabled": True, "per_hour": 7}, "per_hour is 7 and not 100"),
        ({"per_hour": 100}, {"per_hour": 0}, "per_hour is 0 and not 100"),
        ({"inherit": ["per_day"]}, {"per_day": 9}, "per_day is 9 and not inherited"),
        ({"enabled": False}, {"enabled": True}, "enabled is on and not off"),
        (
            {"per_hour": 100, "per_day": 500},
            {"inherit": ["per_hour"], "per_day": 1},
            "per_day is 1 and not 500, per_hour is inherited and not 100",
        ),
        # What nobody wants, or the list does not show, is no difference.
        ({"per_hour": 100}, {"per_hour": 100, "per_day": 9}, ""),
        ({"per_hour": 100}, {"enabled": True}, ""),
    ],
)
def test_limits_that_are_others(wanted: dict[str, Any], there: dict[str, Any], sentence: str) -> None:
    sender = {"username": "alice", "limits": wanted}
    seen = site([sender, SERVER], users=[user("alice", limits=there), USERS[1]])
    said = [one.what for one in senders.findings(seen) if one.code == "other_limits"]
    assert said == ([f"at the vendor {sentence}"] if sentence else [])


def test_another_method_at_the_vendor() -> None:
    (one,) = senders.findings(site(users=[user("alice", method="ip"), USERS[1]]))
    assert (one.code, one.where, one.what) == (
        *("other_method", "alice@example.com"),
        "it is ip at the vendor, and described as user",
    )


def test_who_is_to_be_removed_is_not_missing_and_is_no_stranger() -> None:
    gone: list[dict[str, Any]] = [ALICE, {"username": "bob", "state": "absent"}, SERVER]
    assert found_in(site(gone)) == found_in(site(gone, users=[*USERS, user("bob")])) == []
    assert found_in(site(gone, users=USERS[:1])) == [("missing", "server1@example.com")]


def test_a_second_login_is_none_of_a_stranger() -> None:
    """Neither one that a rotation has made nor one that it will remove; of an account not seen nothing is said."""
    users = [*USERS, user("alice-b")]
    assert found_in(site(users=users)) == [("stranger", "alice-b@example.com")]
    assert found_in(site(users=users, passwords=replace(site().passwords, others=["alice-b@example.com"]))) == []
    in_use = {**LOGINS, "other@other.example": "alice-b@example.com"}
    codes = [code for code, _where in found_in(site(users=users, passwords=Passwords(in_use)))]
    assert "stranger" not in codes
    assert found_in(site(accounts={"default": Account()})) == []


@pytest.mark.parametrize(
    ("network", "addresses"),
    [
        *(("192.0.2.1", 0), ("192.0.2.0/29", 0), ("192.0.2.0/28", 16)),
        *(("2001:db8::1", 0), ("2001:db8::/64", 0), ("2001:db8::/63", 2**65)),
    ],
)
def test_more_addresses_than_a_site_has(network: str, addresses: int) -> None:
    sender = {"authentication_method": "ip", "username": network, "acknowledge_ip_risk": True}
    seen = site([ALICE, SERVER, sender], users=[*USERS, user(network, method="ip")])
    said = [one.what for one in senders.findings(seen) if one.code == "wide_network"]
    assert said == ([f"{addresses} addresses may send without a password"] if addresses else [])


def test_who_is_locked_is_harmless() -> None:
    network = {"username": "192.0.2.0/24", "acknowledge_ip_risk": True}
    for method, more in (("domain", {}), ("ip", network)):
        sender: dict[str, Any] = {"authentication_method": method, "state": "locked", **more}
        there = user(sender.get("username", ""), method=method, locked=True)
        assert found_in(site([ALICE, SERVER, sender], users=[*USERS, there])) == []


def test_a_mail_server_that_sends_as_a_person() -> None:
    """Of a second domain, too, and three servers are named."""
    people = [{"host": "desktop1", "user": "bob"}]
    shop = described({"username": "shop", "relay": ["mail1"], "people": people}, domain="shop.example")
    seen = site(descriptions=[*described(ALICE, {**SERVER, "default_for": ["mail1"]}), *shop])
    assert ("personal_login", "shop@shop.example") in found_in(seen)
    everywhere = site([ALICE, {**SERVER, "people": people}])
    for number, names in ((1, "m0"), (3, "m0, m1, m2"), (4, "m0, m1, m2 and 1 more")):
        hosts = {f"m{each}": everywhere.servers["mail1"] for each in range(number)}
        (one,) = senders.findings(replace(everywhere, servers=hosts))
        assert one.what == f"a mail server, {names}, sends as it, and so do people"


def test_a_leaver_is_one_who_is_still_there() -> None:
    before = from_store({"example.com": {"senders": {"eve": {}, "bob": {}}}})
    assert found_in(site(users=[*USERS, user("eve")], before=before)) == [("leaver", "eve@example.com")]
    other = from_store({"example.com": {"account": "second", "senders": {"eve": {}}}})
    assert found_in(site(users=[*USERS, user("eve")], before=other)) == []


def test_each_account_that_nobody_has_seen_is_named() -> None:
    descriptions = [
        *described(ALICE, SERVER),
        *described(domain="a.example", account="first"),
        *described(domain="b.example", account="second"),
    ]
    there = [user("alice", limits={"enabled": True}), user("bob", limits={})]
    accounts = {"default": Account(users=there), "first": Account(no_users="no list")}
    said = [(one.what, one.why) for one in senders.unseen(site(descriptions=descriptions, accounts=accounts))]
    what = "strangers, leavers, senders that are missing, limits and locks of the account"
    assert said == [
        ("limits of bob@example.com", "the server's list does not show them"),
        (f"{what} first", "no list"),
        (f"{what} second", "nobody has asked"),
    ]


# Passwords


def test_a_password_that_many_have() -> None:
    names = [f"u{number}@example.com" for number in range(5)]
    seen = site(passwords=replace(site().passwords, same=[names]))
    said = {one.where: one.what for one in senders.findings(seen)}
    assert list(said) == names
    others = "u0@example.com, u2@example.com, u3@example.com and 1 more"
    assert said["u1@example.com"] == f"its password is that of {others} as well"


@pytest.mark.parametrize(
    "changes",
    [
        {"before": from_store({"example.com": {"senders": {"old": {"gone": "2026-01-01"}}}})},
        {"hosts": {"mail1": Host(no_relay="unreachable")}},
        {"hosts": {"mail0": Host(no_relay="unreachable"), "mail1": Host(RELAY)}},
        {"hosts": {"mail1": Host({**RELAY, "other_logins": ["old@example.com"]})}},
        {"computers": {"desktop1": Computer(None, "unreachable")}},
        {"computers": {"desktop1": Computer([{"servers": [{"login": "old@example.com"}]}])}},
        {"descriptions": described(ALICE, SERVER, {"username": "old"})},
    ],
    ids=str,
)
def test_a_password_that_somebody_may_use_is_not_called_unused(changes: dict[str, Any]) -> None:
    assert ("unused_credential", "old@example.com") in found_in(site(passwords=OLD))
    assert ("unused_credential", "old@example.com") not in found_in(site(passwords=OLD, **changes))


def test_a_name_that_is_no_login_may_be_unused() -> None:
    odd = replace(OLD, in_use={**LOGINS, "no login": "old@example.com"})
    assert found_in(site(passwords=odd)) == [("unused_credential", "no login")]


def test_passwords_that_nobody_has_tried() -> None:
    def said(passwords: Passwords) -> list[tuple[str, str]]:
        return [(one.what, one.why) for one in senders.unseen(site(passwords=passwords))]

    alice, server = LOGINS
    why = "only spamexperts_prove=all tries passwords"
    assert said(Passwords(LOGINS, accepted=[alice])) == [(f"whether the passwords of {server} work", why)]
    assert said(Passwords(LOGINS, accepted=[alice], refused=[server])) == []
    assert said(Passwords(LOGINS, accepted=[alice], not_tried="three were refused"))[0][1] == "three were refused"
    many = {f"u{number}@example.com": f"u{number}@example.com" for number in range(5)}
    (one,) = said(Passwords(many))
    assert one[0] == "whether the passwords of u0@example.com, u1@example.com, u2@example.com and 2 more work"

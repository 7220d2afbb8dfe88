# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation does at the vendor, and what becomes of each login."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._rotation import (
    objections,
    outcome,
    report,
    requests,
)

from tests import ROOT

ENTRIES = [
    {
        "name": "a",
        "login": "a@example.com",
        "next_login": "a@example.com",
        "hosts": ["h1", "h2"],
        "resumed": False,
        "moves": False,
        "leaked": False,
    },
    {
        "name": "b",
        "login": "b@example.com",
        "next_login": "c@example.com",
        "hosts": ["h2"],
        "resumed": True,
        "moves": True,
        "leaked": False,
        "senders": ["b@example.com"],
    },
]


def test_locks_and_what_became_of_them() -> None:
    assert requests.locks([{**ENTRIES[0], "login": "@bücher.example"}, ENTRIES[1]], True) == [
        {"domain": "xn--bcher-kva.example", "authentication_method": "domain", "locked": True},
        {"domain": "example.com", "authentication_method": "user", "username": "b", "locked": True},
    ]
    assert outcome.Answer(ENTRIES, {}, "login").not_done() == ["a", "b"]
    users = [answer("a", "unchanged", ""), answer("b", "failed", ""), answer("c", "updated", "")]
    assert outcome.Answer(ENTRIES, {"users": users}, "login").not_done() == ["b"]
    shown = {"domain": "bücher.example", "username": "", "action": "updated"}
    assert outcome.Answer([{**ENTRIES[0], "login": "bücher.example"}], {"users": [shown]}, "login").not_done() == []


def test_capital_letters_make_no_difference() -> None:
    """The vendor shows all users in small letters, and a table of Postfix may have them otherwise."""
    entry = {**ENTRIES[1], "login": "B@Example.com", "next_login": "C@Example.com"}
    gone = {"domain": "example.com", "username": "b", "action": "removed"}
    assert outcome.removals([entry], {"b": "committed"})[0]["username"] == "b"
    assert outcome.after_removal([entry], {"b": "committed"}, {"users": [gone]}) == {"b": "committed"}
    assert outcome.Answer([entry], {"users": [{**gone, "action": "updated"}]}, "login").not_done() == []
    present = [{"domain": "example.com", "username": "b", "limits": {"per_hour": 7}}]
    (user,) = requests.users([{**entry, "resumed": False}], ["p"], "next_login", present, {"change_limits": True})
    assert (user["username"], user["limits"]) == ("c", {"per_hour": 7})


def test_a_second_login_that_is_locked() -> None:
    users = [{"domain": "example.com", "username": name, "locked": True} for name in ("a", "b")]
    assert objections.locked(ENTRIES, users) == [], "the first logins may be locked"
    assert objections.locked(ENTRIES, [{"domain": "example.com", "username": "c", "locked": False}]) == []
    (found,) = objections.locked(ENTRIES, [{"domain": "EXAMPLE.com", "username": "c", "locked": True}])
    assert found.startswith("b: the second login c@example.com is locked at the vendor")


def test_users_and_logins() -> None:
    assert requests.users(ENTRIES, ["p1", "p2"], "next_login") == [
        {
            "domain": "example.com",
            "username": "a",
            "authentication_method": "user",
            "password": "p1",
            "update_password": "always",
        },
        {
            "domain": "example.com",
            "username": "c",
            "authentication_method": "user",
            "password": "p2",
            "update_password": "on_mismatch",
        },
    ]
    back = requests.users(ENTRIES, ["p1", "p2"], "login")
    assert [(user["username"], user["update_password"]) for user in back] == [("a", "always"), ("b", "on_mismatch")]
    assert requests.users([{**ENTRIES[0], "login": "@example.com"}], ["p"], "login")[0] == {
        "domain": "example.com",
        "authentication_method": "domain",
        "password": "p",
        "update_password": "always",
    }
    assert requests.logins(ENTRIES, ["p1", "p2"], "login")[1] == {
        "login": "b@example.com",
        "password": "p2",
        "senders": ["b@example.com"],
    }


@pytest.mark.parametrize(
    ("now", "unused", "kept"),
    [
        ("committed", ["b"], "pending"),
        ("rolled_back", ["c"], "rolling_back"),
        ("pending", [], "pending"),
        ("rolling_back", [], "rolling_back"),
        ("not_changed", [], "not_changed"),
    ],
)
def test_the_login_that_nobody_uses_is_removed(now: str, unused: list[str], kept: str) -> None:
    outcomes = {"a": now, "b": now}
    assert outcome.removals(ENTRIES, outcomes) == [
        {"domain": "example.com", "username": name, "authentication_method": "user", "state": "absent"}
        for name in unused
    ]
    gone = {"users": [answer(name, action, "") for name, action in zip(unused, ("removed", "unchanged"))]}
    assert outcome.after_removal(ENTRIES, outcomes, gone) == outcomes
    for result in ({}, {"users": [answer(name, "failed", "") for name in unused]}):
        assert outcome.after_removal(ENTRIES, outcomes, result) == {"a": now, "b": kept}, "it is still there"
    assert outcome.after_removal(ENTRIES, {}, {}) == {}, "in check mode"


def test_a_second_login_gets_the_limits_of_the_first() -> None:
    limits = {"enabled": True, "per_hour": 7}
    present: list[dict[str, Any]] = [
        {"domain": "example.com", "username": "a", "limits": {"per_hour": 1}},
        {
            "domain": "example.com",
            "username": "b",
            "limits": {**limits, "inherit": ["per_day"]},
            "lock_timeout": 5,
            "locked": True,
        },
    ]
    works = {"change_limits": True, "change_settings": True}
    first, second = requests.users(ENTRIES, ["p", "q"], "next_login", present, works)
    assert "limits" not in first
    assert (second["limits"], second["lock_timeout"], "locked" in second) == (limits, 5, False)
    assert "limits" not in requests.users(ENTRIES, ["p", "q"], "next_login", present, {})[1]
    assert "limits" not in requests.users(ENTRIES, ["p", "q"], "login", present, works)[1]


def test_a_first_login_that_was_removed_gets_the_limits_of_the_second_on_the_way_back() -> None:
    limits, works = {"enabled": True, "per_hour": 7}, {"change_limits": True}
    second = {"domain": "example.com", "username": "c", "limits": limits}
    assert requests.users(ENTRIES, ["p", "q"], "login", [second], works)[1] == {
        "domain": "example.com",
        "username": "b",
        "authentication_method": "user",
        "limits": limits,
        "password": "q",
        "update_password": "on_mismatch",
    }
    first = {"domain": "example.com", "username": "b", "limits": {"per_hour": 1}}
    assert "limits" not in requests.users(ENTRIES, ["p", "q"], "login", [first, second], works)[1], "it has its own"


def answer(name: str, action: str, password: str) -> dict[str, str]:
    return {"domain": "example.com", "username": name, "action": action, "password": password}


def test_what_the_vendor_takes() -> None:
    good = {"users": [answer("a", "updated", "set"), answer("c", "created", "set")]}
    assert outcome.Answer(ENTRIES, good).to_try() == ENTRIES[1:], "another login is tried before anybody moves"
    assert outcome.Answer(ENTRIES, good).accepted([{"login": "c@example.com", "accepted": True}]) == ["a", "b"]
    assert outcome.Answer(ENTRIES, good).accepted([{"login": "c@example.com", "accepted": None}]) == ["a"]
    proof = {"login": "c@example.com", "accepted": True}
    assert outcome.Answer(ENTRIES, good).accepted([{**proof, "may_send": True}]) == ["a", "b"]
    for may_send in (False, None):
        assert outcome.Answer(ENTRIES, good).accepted([{**proof, "may_send": may_send}]) == ["a"], "nobody moves"
    partly = {"users": [answer("a", "updated", "set"), answer("c", "failed", "set")]}
    assert outcome.Answer(ENTRIES, partly).accepted([{**proof, "may_send": True}]) == ["a"], "its limits may be missing"


def test_which_old_passwords_the_vendor_takes_again() -> None:
    back = {"users": [answer("a", "updated", "set"), answer("b", "created", "set")]}
    assert outcome.Answer(ENTRIES, back, "login").to_try() == ENTRIES[1:], "the mail servers move here as well"
    proof = {"login": "b@example.com", "accepted": True, "may_send": True}
    assert outcome.Answer(ENTRIES, back, "login").accepted([proof]) == ["a", "b"]
    assert outcome.Answer(ENTRIES, back, "login").accepted([{**proof, "login": "c@example.com"}]) == ["a"]
    assert outcome.Answer(ENTRIES, {}, "login").accepted([]) == []


def test_a_domain_is_the_same_in_both_of_its_forms() -> None:
    """Results show a domain for people, and a store may hold either form."""
    login = "b@xn--bcher-kva.example"
    (entry,) = [{**ENTRIES[1], "name": login, "login": login, "next_login": "b2@xn--bcher-kva.example", "moves": True}]
    failed = {"users": [{"domain": "bücher.example", "username": "b2", "action": "failed"}]}
    accepted = [{"login": entry["next_login"], "accepted": True, "may_send": True}]
    assert outcome.Answer([entry], failed).accepted(accepted) == []
    refused = {"users": [{**failed["users"][0], "reason": "the password is too short"}]}
    seen = {"started": "", "finished": "", "outcome": {login: "not_changed"}, "hosts": {}, "sent": refused["users"]}
    data = report.report({"credentials": [{**entry, "hosts": []}]}, seen)
    assert data["credentials"][0]["reason"] == "the password is too short"
    stays = {**entry, "next_login": login, "moves": False}
    right = {"users": [{"domain": "bücher.example", "username": "b", "action": "updated", "password": "set"}]}
    assert outcome.Answer([stays], right).to_try() == []
    for bad in ({}, {"users": [answer("a", "failed", "set")]}, {"users": [answer("a", "unchanged", "unknown")]}):
        assert outcome.Answer(ENTRIES, bad).to_try() == ENTRIES


@pytest.mark.parametrize(
    ("h1", "h2", "leaked", "a", "b"),
    [
        ("active", "active", False, "committed", "committed"),
        ("failed", "active", False, "rolled_back", "committed"),
        ("active", "failed", False, "rolled_back", "rolled_back"),
        ("failed", "active", True, "pending", "committed"),
        ("not_reached", "active", False, "pending", "committed"),
        ("not_reached", "failed", False, "rolled_back", "rolled_back"),
        ("broken", "active", False, "pending", "committed"),
    ],
)
def test_outcome(h1: str, h2: str, leaked: bool, a: str, b: str) -> None:
    hosts = {"h1": {"state": h1}, "h2": {"state": h2}}
    entries = [{**entry, "leaked": leaked} for entry in ENTRIES]

    def outcomes(switched: list[str], **more: bool) -> dict[str, str]:
        decided = outcome.outcome(entries, switched, hosts, **more)
        assert [{**entry, "outcome": None} for entry in entries] == [{**entry, "outcome": None} for entry in decided]
        return {entry["name"]: entry["outcome"] for entry in decided}

    assert outcomes(["a", "b"]) == {"a": a, "b": b}
    assert outcomes([]) == {"a": "not_changed", "b": "not_changed"}
    assert outcomes(["a"], roll_back=True) == {"a": "rolled_back", "b": "rolled_back"}


@pytest.mark.parametrize(
    ("state", "back", "unfinished", "expected"),
    [
        ("rolled_back", ["b"], [], "rolled_back"),
        ("failed", ["b"], [], "rolling_back"),
        ("not_reached", ["b"], [], "rolling_back"),
        ("active", ["b"], [], "rolling_back"),
        ("rolled_back", ["b"], ["b"], "rolling_back"),  # another store does not know it
        ("rolled_back", ["a"], [], "pending"),  # the vendor did not take the old password
    ],
)
def test_nothing_is_rolled_back_before_every_mail_server_is(
    state: str, back: list[str], unfinished: list[str], expected: str
) -> None:
    entry = {**ENTRIES[1], "outcome": "rolled_back"}
    assert outcome.conclusion([entry], back, unfinished, {"h2": {"state": state}}, {}) == {"b": expected}


@pytest.mark.parametrize(
    ("place", "client", "unfinished", "expected"),
    [
        (1, None, [], "committed"),
        (1, None, ["b"], "pending"),
        (1, {"state": "updated", "logins": ["c@example.com"]}, [], "committed"),
        (1, {"state": "failed", "logins": ["B@example.com", "c@EXAMPLE.com"]}, [], "pending"),
        (1, {"state": "not_reached", "logins": ["b@example.com"]}, [], "pending"),
        (1, {"state": "failed", "logins": ["x@example.com", "no login"]}, [], "committed"),
        (0, {"state": "failed", "logins": ["a@example.com"]}, [], "pending"),  # another run enters the same password
        (0, None, ["b"], "committed"),
    ],
)
def test_nothing_is_over_while_a_thunderbird_has_the_old_one(
    place: int, client: dict[str, Any] | None, unfinished: list[str], expected: str
) -> None:
    entry = {**ENTRIES[place], "outcome": "committed"}
    clients = {"desk": client} if client else {}
    assert outcome.conclusion([entry], [], unfinished, {}, clients) == {entry["name"]: expected}
    for other in ("pending", "not_changed"):
        assert outcome.conclusion([{**entry, "outcome": other}], [], [], {}, {}) == {entry["name"]: other}


def test_the_second_login_stays_while_a_thunderbird_has_it() -> None:
    entry = {**ENTRIES[1], "outcome": "rolled_back"}
    hosts = {"h2": {"state": "rolled_back"}}
    for state, expected in (("failed", "rolling_back"), ("updated", "rolled_back")):
        clients = {"desk": {"state": state, "logins": ["c@example.com"]}}
        assert outcome.conclusion([entry], ["b"], [], hosts, clients) == {"b": expected}


def test_mail_servers_that_are_not_well() -> None:
    assert objections.not_ready({"a": {"state": "ready"}}) == ""
    broken = {"state": "broken", "reason": "no space"}
    states = {"a": {"state": "ready"}, "b": {"state": "not_reached"}, "c": broken, "d": {}}
    assert objections.not_ready(states) == (
        "No password was changed, because these mail servers are not well: b (not reached), c (no space), d (not "
        "reached). Mend them, or set leave_out_broken_hosts: true to finish them with a later run."
    )


def test_a_store_that_is_older_than_the_vendor_is_called_so() -> None:
    """Mending the mail servers would take the only copies of the passwords away."""
    reason = "The login a@example.com was refused: 535 Incorrect authentication data."
    found = objections.not_ready({"a": {"state": "broken", "reason": reason}})
    assert "as where the store comes from a backup" in found
    assert "import_site says where the right password is" in found
    assert (ROOT / "docs" / "recovery.md").exists()


@pytest.mark.parametrize(
    ("accepted", "entry", "expected"),
    [
        (True, {}, "committed"),
        (None, {}, "unproven"),
        (False, {}, "rolled_back"),
        (False, {"leaked": True}, "pending"),
        (False, {"hosts": []}, "not_changed"),
        (False, {"hosts": [], "leaked": True}, "not_changed"),
    ],
)
def test_a_new_password_is_judged_by_its_proof(accepted: bool | None, entry: dict[str, Any], expected: str) -> None:
    asked, other = {**ENTRIES[0], **entry, "outcome": "unproven"}, {**ENTRIES[1], "outcome": "committed"}
    judged = outcome.judged([asked, other], ["a"], [{"login": "a@example.com", "accepted": accepted}])
    assert judged == [{**asked, "outcome": expected}, other]


@pytest.mark.parametrize(
    ("entry", "proven", "hosts", "asked"),
    [
        ({}, [], {}, True),
        ({}, ["a"], {}, False),
        ({"outcome": "rolled_back"}, [], {}, False),
        ({}, [], {"h1": {"proven": ["A@Example.com"]}}, False),
        ({}, [], {"h1": {"proven": ["b@example.com"]}, "h2": {}}, True),
        ({}, [], {"h9": {"proven": ["a@example.com"]}}, True),
    ],
)
def test_only_who_would_be_committed_without_a_login_is_asked(
    entry: dict[str, Any], proven: list[str], hosts: dict[str, Any], asked: bool
) -> None:
    entries = [{**ENTRIES[0], "outcome": "committed", **entry}]
    assert outcome.to_prove(entries, proven, hosts) == (entries if asked else [])

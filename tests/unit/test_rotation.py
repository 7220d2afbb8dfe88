# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation decides."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils import _rotation, _rotation_report

WORKS = {"change_passwords": True, "create_users": True, "remove_users": True, "lock_users": True}


def credential(name: str, login: str = "", next_login: str = "") -> dict[str, Any]:
    shown: dict[str, Any] = {"name": name, "login": login or name, "rotating": bool(next_login)}
    return {**shown, "next_login": next_login, "switched": False} if next_login else shown


STORE = [
    credential("a@example.com"),
    credential("b@example.com"),
    credential("example.net"),
    credential("c@example.net"),
]
USES = {"h1": ["a@example.com"], "h2": ["b@example.com", "a@example.com"], "h3": ["example.net"]}


def plan(works: dict[str, bool] | None = None, **rotation: Any) -> dict[str, Any]:
    return _rotation.plan(rotation, STORE, USES, WORKS if works is None else works)


@pytest.mark.parametrize(
    ("rotation", "message"),
    [
        (None, "spamexperts_rotation is missing"),
        ({}, "selects nothing"),
        ({"everything": True, "login": "a"}, "has login, which it does not know; it may have logins"),
        ({"everything": True, "logins": ["a"]}, "everything and a choice as well"),
        ({"everything": True, "strategy": "other"}, "value of strategy must be one of"),
        ({"everything": True, "strategy": "alternate"}, "needs alternates"),
        ({"everything": True, "alternates": {"a": ["x", "x"]}}, "a needs a list of two different logins"),
        ({"everything": True, "alternates": {"a": "xy"}}, "a needs a list of two different logins"),
        ({"everything": True, "emergency": True, "roll_back": True}, "would bring a leaked password back"),
        ({"everything": True, "emergency_action": "lock"}, "has emergency_action without emergency: true"),
        ({"everything": True, "emergency": True, "emergency_action": "x"}, "value of emergency_action must be one of"),
    ],
)
def test_problems(rotation: object, message: str) -> None:
    found = _rotation.problems(rotation)
    assert len(found) == 1
    assert message in found[0]


def test_no_problems() -> None:
    assert _rotation.problems({"everything": True, "emergency": "yes", "alternates": {"a": ["x", "y"]}}) == []


@pytest.mark.parametrize(
    ("rotation", "names", "hosts"),
    [
        ({"everything": True}, ["a@example.com", "b@example.com", "example.net", "c@example.net"], ["h1", "h2", "h3"]),
        ({"logins": ["b@example.com"]}, ["b@example.com"], ["h2"]),
        ({"domains": ["Example.NET"]}, ["example.net", "c@example.net"], ["h3"]),
        ({"hosts": ["h2"]}, ["a@example.com", "b@example.com"], ["h1", "h2"]),
    ],
)
def test_selection(rotation: dict[str, Any], names: list[str], hosts: list[str]) -> None:
    made = plan(**rotation)
    assert made["problems"] == []
    assert [entry["name"] for entry in made["credentials"]] == names
    assert made["hosts"] == hosts


@pytest.mark.parametrize("written", ["bücher.example", "XN--BCHER-KVA.example"])
@pytest.mark.parametrize("stored", ["bücher.example", "xn--bcher-kva.example"])
def test_a_domain_is_selected_in_either_form(written: str, stored: str) -> None:
    store = [{"name": "shop", "login": f"a@{stored}", "rotating": False}]
    made = _rotation.plan({"domains": [written]}, store, {}, WORKS)
    assert made["problems"] == []
    assert [entry["name"] for entry in made["credentials"]] == ["shop"]


def test_what_is_no_domain_is_named() -> None:
    (problem,) = plan(domains=["example..com"])["problems"]
    assert "spamexperts_rotation.domains: 'example..com' is not a domain name" in problem


def test_people_who_must_be_told() -> None:
    assert plan(everything=True)["tell"] == ["c@example.net"]


@pytest.mark.parametrize(
    ("rotation", "works", "message"),
    [
        ({"logins": ["x@example.com"]}, WORKS, "x@example.com is not in the credential store"),
        ({"hosts": ["h9"]}, WORKS, "h9 is not among the mail servers"),
        ({"everything": True, "roll_back": True}, WORKS, "There is nothing to do"),
        ({"logins": ["a@example.com"]}, {**WORKS, "change_passwords": False}, "no call to set a password"),
        ({"logins": ["a@example.com"], "strategy": "alternate"}, WORKS, "with a@example.com and a second login"),
        (
            {
                "logins": ["example.net"],
                "strategy": "alternate",
                "alternates": {"example.net": ["example.net", "x@example.net"]},
            },
            WORKS,
            "for logins of users only",
        ),
        (
            {
                "logins": ["a@example.com"],
                "strategy": "alternate",
                "alternates": {"a@example.com": ["a@example.com", "b@c.de"]},
            },
            {"create_users": True},
            "no call to add and remove users",
        ),
    ],
)
def test_what_cannot_be_done(rotation: dict[str, Any], works: dict[str, bool], message: str) -> None:
    found = plan(works, **rotation)["problems"]
    assert len(found) == 1
    assert message in found[0]


def test_a_host_with_a_login_that_nobody_knows() -> None:
    made = _rotation.plan({"everything": True}, STORE, {"h1": ["other@example.com"]}, WORKS)
    assert made["problems"][0].startswith("h1 uses the login other@example.com, which is not in the credential store")


def test_alternate_goes_back_and_forth() -> None:
    pair = {"a": ["a@example.com", "a-b@example.com"]}
    for login, other in (pair["a"], pair["a"][::-1]):
        made = _rotation.plan(
            {"everything": True, "strategy": "alternate", "alternates": pair},
            [credential("a", login)],
            {"h": [login]},
            WORKS,
        )
        assert made["stage"] == [{"name": "a", "next_login": other, "locked": False}]
        assert made["credentials"][0]["moves"]


def test_what_has_begun_is_finished_as_it_was_begun() -> None:
    begun = credential("a", "a@example.com", "a-b@example.com")
    made = _rotation.plan({"everything": True}, [begun], {"h1": ["a-b@example.com"]}, WORKS)
    assert made["problems"] == []
    assert made["credentials"] == [
        {
            "name": "a",
            "login": "a@example.com",
            "next_login": "a-b@example.com",
            "domain": "example.com",
            "hosts": ["h1"],
            "resumed": True,
            "moves": True,
            "senders": ["a@example.com"],
            "locks": False,
            "locked": False,
        }
    ]


@pytest.mark.parametrize(
    ("name", "declared", "senders"),
    [
        ("a@example.com", [], ["a@example.com"]),
        ("relay of the shop", [], ["old@example.com"]),
        ("a@example.com", ["@example.com", "ü@example.com", "a <b@example.com>"], ["a@example.com"]),
        ("a@example.com", ["y@example.com", "x@example.com", "y@example.com"], ["x@example.com", "y@example.com"]),
    ],
)
def test_whose_mail_a_second_login_must_be_able_to_send(name: str, declared: list[str], senders: list[str]) -> None:
    made = _rotation.plan(
        {"everything": True, "strategy": "alternate", "alternates": {name: ["old@example.com", "new@example.com"]}},
        [credential(name, "old@example.com")],
        {"h": ["old@example.com"]},
        WORKS,
        [("old@example.com", declared), ("nobody@example.com", ["z@example.com"])],
    )
    (entry,) = made["credentials"]
    assert entry["senders"] == senders
    tried = {"login": "new@example.com", "password": "p", "senders": senders}
    assert _rotation.logins([entry], ["p"], "next_login") == [tried]


LOCKING = {"everything": True, "emergency": True, "emergency_action": "lock"}


@pytest.mark.parametrize(
    ("rotation", "state", "locks", "locked"),
    [
        (LOCKING, {}, True, True),
        ({**LOCKING, "emergency_action": "change"}, {}, False, False),
        (LOCKING, {"switched": True, "locked": True}, False, True),
        (LOCKING, {"switched": False, "locked": True}, True, True),
        (LOCKING, {"switched": True, "next_login": "b@example.com", "locked": False}, True, True),
        ({"everything": True}, {"switched": False, "locked": True}, False, True),
        ({"everything": True, "roll_back": True}, {"switched": False, "locked": True}, False, True),
    ],
)
def test_what_is_locked_first_and_what_is_unlocked(
    rotation: dict[str, Any], state: dict[str, Any], locks: bool, locked: bool
) -> None:
    entry = {**credential("a@example.com", next_login="a@example.com" if state else ""), **state}
    made = _rotation.plan(rotation, [entry], {}, WORKS)
    assert made["problems"] == []
    assert (made["credentials"][0]["locks"], made["stage"][0]["locked"]) == (locks, locked)


def test_locks_that_the_server_does_not_offer() -> None:
    (problem,) = plan({**WORKS, "lock_users": False}, **LOCKING)["problems"]
    assert problem == (
        "This server offers no calls to lock and unlock a user, so the logins cannot be locked first; name the calls "
        "in api_methods, or leave out spamexperts_rotation.emergency_action."
    )


def test_locks_and_what_became_of_them() -> None:
    assert _rotation.locks([{**ENTRIES[0], "login": "@bücher.example"}, ENTRIES[1]], True) == [
        {"domain": "xn--bcher-kva.example", "authentication_method": "domain", "locked": True},
        {"domain": "example.com", "authentication_method": "user", "username": "b", "locked": True},
    ]
    assert _rotation.undone(ENTRIES, {}) == ["a", "b"]
    users = [answer("a", "unchanged", ""), answer("b", "failed", ""), answer("c", "updated", "")]
    assert _rotation.undone(ENTRIES, {"users": users}) == ["b"]
    shown = {"domain": "bücher.example", "username": "", "action": "updated"}
    assert _rotation.undone([{**ENTRIES[0], "login": "bücher.example"}], {"users": [shown]}) == []


@pytest.mark.parametrize(
    ("outcome", "moves", "seen", "locked", "line"),
    [
        ("committed", False, {}, None, None),
        (
            "not_changed",
            False,
            {},
            True,
            "a@example.com is locked at the vendor, and stays so until a run has finished",
        ),
        ("pending", False, {}, True, "a@example.com is locked at the vendor, and stays so until a run has finished"),
        ("pending", False, {"unlocked": ["a"]}, False, None),
        (
            "pending",
            True,
            {"unlocked": ["a"]},
            True,
            "a@example.com is locked at the vendor, and stays so until a run has finished",
        ),
        (
            "not_changed",
            False,
            {"lock_failed": ["a"]},
            False,
            "a@example.com is not locked, and still has its old password",
        ),
        ("committed", False, {"lock_failed": ["a"]}, False, None),
    ],
)
def test_report_of_locks(
    outcome: str, moves: bool, seen: dict[str, Any], locked: bool | None, line: str | None
) -> None:
    entry: dict[str, Any] = {
        "name": "a",
        "login": "a@example.com",
        "next_login": "b@example.com" if moves else "a@example.com",
        "moves": moves,
        "hosts": [],
        "locked": True,
    }
    times = {"started": "2026-01-01T10:00:00+00:00", "finished": None}
    data = _rotation_report.report(
        {"credentials": [entry], "tell": []}, {**times, "hosts": {}, "outcome": {"a": outcome}, **seen}
    )
    assert data["credentials"][0].get("locked") is locked
    assert [text.strip() for text in _rotation_report.summary(data) if "locked" in text] == ([line] if line else [])


def test_a_second_login_that_is_locked() -> None:
    users = [{"domain": "example.com", "username": name, "locked": True} for name in ("a", "b")]
    assert _rotation.locked(ENTRIES, users) == [], "the first logins may be locked"
    assert _rotation.locked(ENTRIES, [{"domain": "example.com", "username": "c", "locked": False}]) == []
    (found,) = _rotation.locked(ENTRIES, [{"domain": "EXAMPLE.com", "username": "c", "locked": True}])
    assert found.startswith("b: the second login c@example.com is locked at the vendor")


ENTRIES = [
    {
        "name": "a",
        "login": "a@example.com",
        "next_login": "a@example.com",
        "hosts": ["h1", "h2"],
        "resumed": False,
        "moves": False,
    },
    {
        "name": "b",
        "login": "b@example.com",
        "next_login": "c@example.com",
        "hosts": ["h2"],
        "resumed": True,
        "moves": True,
        "senders": ["b@example.com"],
    },
]


def test_users_and_logins() -> None:
    assert _rotation.users(ENTRIES, ["p1", "p2"], "next_login") == [
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
    assert {user["update_password"] for user in _rotation.users(ENTRIES, ["p1", "p2"], "login")} == {"always"}
    assert _rotation.users([{**ENTRIES[0], "login": "@example.com"}], ["p"], "login")[0] == {
        "domain": "example.com",
        "authentication_method": "domain",
        "password": "p",
        "update_password": "always",
    }
    assert _rotation.logins(ENTRIES, ["p1", "p2"], "login")[1] == {
        "login": "b@example.com",
        "password": "p2",
        "senders": ["b@example.com"],
    }
    assert _rotation.old_users(ENTRIES, "login") == [
        {"domain": "example.com", "username": "b", "authentication_method": "user", "state": "absent"}
    ]
    for state, left in (("rolled_back", 1), ("failed", 0), ("not_reached", 0), ("active", 0)):
        assert len(_rotation.old_users(ENTRIES, "next_login", {"h2": {"state": state}})) == left


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
    first, second = _rotation.users(ENTRIES, ["p", "q"], "next_login", present, works)
    assert "limits" not in first
    assert (second["limits"], second["lock_timeout"], "locked" in second) == (limits, 5, False)
    assert "limits" not in _rotation.users(ENTRIES, ["p", "q"], "next_login", present, {})[1]
    assert "limits" not in _rotation.users(ENTRIES, ["p", "q"], "login", present, works)[1]


def answer(name: str, action: str, password: str) -> dict[str, str]:
    return {"domain": "example.com", "username": name, "action": action, "password": password}


def test_what_the_vendor_takes() -> None:
    good = {"users": [answer("a", "updated", "set"), answer("c", "created", "set")]}
    assert _rotation.unproven(ENTRIES, good) == ENTRIES[1:], "another login is tried before anybody moves"
    assert _rotation.taken(ENTRIES, good, [{"login": "c@example.com", "accepted": True}]) == ["a", "b"]
    assert _rotation.taken(ENTRIES, good, [{"login": "c@example.com", "accepted": None}]) == ["a"]
    proof = {"login": "c@example.com", "accepted": True}
    assert _rotation.taken(ENTRIES, good, [{**proof, "may_send": True}]) == ["a", "b"]
    for may_send in (False, None):
        assert _rotation.taken(ENTRIES, good, [{**proof, "may_send": may_send}]) == ["a"], "nobody moves"
    partly = {"users": [answer("a", "updated", "set"), answer("c", "failed", "set")]}
    assert _rotation.taken(ENTRIES, partly, [{**proof, "may_send": True}]) == ["a"], "its limits may be missing"


def test_a_domain_is_the_same_in_both_of_its_forms() -> None:
    """Results show a domain for people, and a store may hold either form."""
    login = "b@xn--bcher-kva.example"
    (entry,) = [{**ENTRIES[1], "name": login, "login": login, "next_login": "b2@xn--bcher-kva.example", "moves": True}]
    failed = {"users": [{"domain": "bücher.example", "username": "b2", "action": "failed"}]}
    accepted = [{"login": entry["next_login"], "accepted": True, "may_send": True}]
    assert _rotation.taken([entry], failed, accepted) == []
    refused = {"users": [{**failed["users"][0], "reason": "the password is too short"}]}
    seen = {"started": "", "finished": "", "outcome": {login: "not_changed"}, "hosts": {}, "sent": refused["users"]}
    data = _rotation_report.report({"credentials": [{**entry, "hosts": []}], "tell": []}, seen)
    assert data["credentials"][0]["reason"] == "the password is too short"
    stays = {**entry, "next_login": login, "moves": False}
    right = {"users": [{"domain": "bücher.example", "username": "b", "action": "updated", "password": "set"}]}
    assert _rotation.unproven([stays], right) == []
    for bad in ({}, {"users": [answer("a", "failed", "set")]}, {"users": [answer("a", "unchanged", "unknown")]}):
        assert _rotation.unproven(ENTRIES, bad) == ENTRIES


@pytest.mark.parametrize(
    ("h1", "h2", "emergency", "a", "b"),
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
def test_outcome(h1: str, h2: str, emergency: bool, a: str, b: str) -> None:
    hosts = {"h1": {"state": h1}, "h2": {"state": h2}}

    def outcome(switched: list[str], **more: bool) -> dict[str, str]:
        decided = _rotation.outcome(ENTRIES, switched, hosts, **more)
        assert [{**entry, "outcome": None} for entry in ENTRIES] == [{**entry, "outcome": None} for entry in decided]
        return {entry["name"]: entry["outcome"] for entry in decided}

    assert outcome(["a", "b"], emergency=emergency) == {"a": a, "b": b}
    assert outcome([], emergency=emergency) == {"a": "not_changed", "b": "not_changed"}
    assert outcome(["a"], roll_back=True) == {"a": "rolled_back", "b": "rolled_back"}


def test_report() -> None:
    seen: dict[str, Any] = {
        "started": "2026-01-01T10:00:00+00:00",
        "changed": "2026-01-01T10:00:05+00:00",
        "finished": "2026-01-01T10:00:20+00:00",
        "outcome": {"a": "pending", "b": "committed"},
        "hosts": {
            "h1": {"state": "ready"},  # and then it could not be reached
            "h2": {"state": "active", "at": "2026-01-01T10:00:12.250000+00:00", "waiting": "Mail queue is empty"},
        },
        "clients": {
            "desk": {"state": "updated", "logins": ["y@example.com", "a@example.com"]},
            "lap": {"state": "failed", "logins": ["b@example.com"], "reason": "Thunderbird is open"},
            "other": {"state": "not_reached", "logins": ["z@example.com"]},
        },
    }
    seen["not_handed_over"] = ["a"]
    data = _rotation_report.report({"credentials": ENTRIES, "tell": ["x@example.com", "y@example.com"]}, seen)
    assert [entry.get("handed_over") for entry in data["credentials"]] == [False, None]
    assert [entry["window_seconds"] for entry in data["credentials"]] == [7.2, 7.2]
    assert _rotation_report.summary(data) == [
        "a is changed at the vendor, but not on every mail server after 7.2 s.",
        "  the other store may not know the password that is in use; the next run hands it over again",
        "  h1: not reached",
        "  h2: active, Mail queue is empty",
        "b, now c@example.com has its new password everywhere after 7.2 s.",
        "  h2: active, Mail queue is empty",
        "Thunderbird on desk: updated",
        "Thunderbird on lap: failed, Thunderbird is open",
        "No mail server uses these logins, and no managed Thunderbird has their new passwords; "
        "tell the people who do: x@example.com",
        "Not everything is done: run the same again, or set roll_back: true.",
    ]


def test_report_of_a_rotation_that_has_not_begun() -> None:
    seen: dict[str, Any] = {"started": "2026-01-01T10:00:00+00:00", "finished": None, "outcome": {}, "hosts": {}}
    data = _rotation_report.report({"credentials": ENTRIES[1:], "tell": []}, seen)
    assert data["credentials"] == [
        {
            "name": "b",
            "login": "b@example.com",
            "next_login": "c@example.com",
            "outcome": "would_rotate",
            "hosts": {"h2": {"state": "not_reached"}},
        }
    ]
    assert (data["emergency"], data["clients"], data["tell"]) == (False, {}, [])
    assert _rotation_report.summary(data) == ["b would get a new password.", "  h2: not reached"]


def test_report_without_an_active_host_has_no_window() -> None:
    seen = {
        "started": "2026-01-01T10:00:00+00:00",
        "changed": "2026-01-01T10:00:05+00:00",
        "finished": "2026-01-01T10:00:20+00:00",
        "outcome": {"a": "not_changed"},
        "sent": [{"username": "a", "domain": "example.com"}],
        "tried": [{"login": "a@example.com", "accepted": False, "reason": "535 No"}],
        "hosts": {"h1": {"state": "failed", "reason": "no answer"}, "h2": {"state": "failed", "at": ""}},
        "emergency": True,
    }
    data = _rotation_report.report({"credentials": ENTRIES[:1], "tell": ["x@example.com"]}, seen)
    assert "window_seconds" not in data["credentials"][0]
    assert data["emergency"] is True
    assert _rotation_report.summary(data) == [
        "a was not changed, as the vendor did not take the new password (535 No).",
        "  h1: failed, no answer",
        "  h2: failed",
        "No mail server uses these logins, and no managed Thunderbird has their new passwords; "
        "tell the people who do: x@example.com",
        "Not everything is done: run the same again, or set roll_back: true.",
    ]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"username": "c", "reason": "503 from the API"}, "503 from the API"),
        ({"username": "c", "reason": None}, "550 No"),
        ({"username": "x", "reason": "something else"}, "550 No"),
        ({"username": "", "reason": "the domain user"}, "550 No"),
    ],
)
def test_report_says_why_the_vendor_did_not_take_a_login(sent: dict[str, Any], reason: str) -> None:
    seen: dict[str, Any] = {
        "started": "2026-01-01T10:00:00+00:00",
        "finished": None,
        "outcome": {"b": "not_changed"},
        "hosts": {},
        "sent": [{"domain": "example.com", **sent}],
        "tried": [{"login": "c@example.com", "accepted": True, "may_send": False, "reason": "550 No"}],
    }
    data = _rotation_report.report({"credentials": ENTRIES[1:], "tell": []}, seen)
    assert data["credentials"][0]["reason"] == reason
    seen["outcome"] = {"b": "committed"}
    assert "reason" not in _rotation_report.report({"credentials": ENTRIES[1:], "tell": []}, seen)["credentials"][0]


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([0, 0, 0, 0], "  h1: active, 0 mails were deferred"),
        ([3, 3, 0, 0], "  h1: active, 3 mails were deferred: 3 delivered"),
        ([3, 1, 1, 1], "  h1: active, 3 mails were deferred: 1 delivered, 1 returned, 1 waiting"),
        ([None] * 4, "  h1: active, no mail log, so what was deferred is not known"),
    ],
)
def test_report_of_mail_that_had_to_wait(numbers: list[int | None], words: str) -> None:
    mail = dict(zip(("deferred", "delivered", "returned", "waiting"), numbers))
    seen = {
        "started": "2026-01-01T10:00:00+00:00",
        "finished": None,
        "outcome": {"a": "committed"},
        "hosts": {"h1": {"state": "active", "mail": mail}},
    }
    data = _rotation_report.report({"credentials": [{**ENTRIES[0], "hosts": ["h1"]}], "tell": []}, seen)
    assert data["credentials"][0]["hosts"]["h1"]["mail"] == mail
    assert _rotation_report.summary(data)[1] == words


@pytest.mark.parametrize(
    ("outcome", "client", "tell", "line"),
    [
        ("committed", None, ["a@example.com"], "tell the people who do: a@example.com"),
        ("pending", None, ["a@example.com"], "tell the people who do: a@example.com"),
        # Nothing is new for them.
        ("not_changed", None, [], ""),
        ("rolled_back", None, [], ""),
        # What nobody has done yet.
        ("", None, ["a@example.com"], "tell the people who do: a@example.com"),
        ("", {"state": "not_reached", "logins": ["a@example.com"]}, [], "Thunderbird on desk: would update"),
        # A profile that is managed, but is not up to date.
        ("committed", {"state": "updated", "logins": ["a@example.com"]}, [], "Thunderbird on desk: updated"),
        (
            "committed",
            {"state": "failed", "logins": ["a@example.com"]},
            ["a@example.com"],
            "people who do: a@example.com",
        ),
        ("committed", {"state": "updated", "logins": ["z@example.com"]}, ["a@example.com"], "people who do: a@exa"),
    ],
)
def test_who_must_be_told(outcome: str, client: dict[str, Any] | None, tell: list[str], line: str) -> None:
    data = _rotation_report.report(
        {"credentials": [{**ENTRIES[0], "hosts": []}], "tell": ["a@example.com"]},
        {
            "started": "2026-01-01T10:00:00+00:00",
            "finished": None,
            "hosts": {},
            "outcome": {"a": outcome} if outcome else {},
            "clients": {"desk": client} if client else {},
        },
    )
    assert data["tell"] == tell
    text = "\n".join(_rotation_report.summary(data))
    assert line in text
    assert ("tell the people" in text) is bool(tell)


@pytest.mark.parametrize("login", ["b@example.com", "c@example.com"])
def test_who_must_be_told_of_another_login(login: str) -> None:
    seen: dict[str, Any] = {
        "started": "2026-01-01T10:00:00+00:00",
        "finished": None,
        "hosts": {},
        "outcome": {"b": "committed"},
    }
    plan = {"credentials": [{**ENTRIES[1], "hosts": []}], "tell": ["b@example.com"]}
    data = _rotation_report.report(plan, seen)
    assert data["tell"] == ["c@example.com"]
    assert "tell the people who do: c@example.com (until now b@example.com)" in _rotation_report.summary(data)[-1]
    # A run that goes on finds the profile under the login that it is to have.
    seen["clients"] = {"desk": {"state": "updated", "logins": [login]}}
    data = _rotation_report.report(plan, seen)
    assert (list(data["clients"]), data["tell"]) == (["desk"], [])

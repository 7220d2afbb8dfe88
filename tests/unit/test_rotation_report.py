# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation says in the end."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._rotation import report

from tests.unit.test_rotation import ENTRIES


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
            "a@example.com could not be locked, and its old password still works",
        ),
        ("committed", False, {"lock_failed": ["a"]}, False, None),
        ("pending", False, {"lock_failed": ["a"]}, False, None),  # it has its new password
        (
            "pending",
            True,
            {"lock_failed": ["a"]},
            False,
            "a@example.com could not be locked, and its old password still works",
        ),
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
        "resumed": False,
        "hosts": [],
        "locked": True,
    }
    times = {"started": "2026-01-01T10:00:00+00:00", "finished": None}
    data = report.report({"credentials": [entry]}, {**times, "hosts": {}, "outcome": {"a": outcome}, **seen})
    assert data["credentials"][0].get("locked") is locked
    assert [text.strip() for text in report.summary(data) if "locked" in text] == ([line] if line else [])


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
    data = report.report({"credentials": ENTRIES}, seen)
    assert [entry.get("handed_over") for entry in data["credentials"]] == [False, None]
    assert [entry.get("window_seconds") for entry in data["credentials"]] == [7.2, None], "it goes on"
    assert report.summary(data) == [
        "a is changed at the vendor, but not on every mail server.",
        "  the other store may not know the password that is in use; the next run hands it over again",
        "  h1: not reached",
        "  h2: active, Mail queue is empty",
        "b, now c@example.com has its new password everywhere.",
        "  h2: active, Mail queue is empty",
        "Thunderbird on desk, a@example.com: updated",
        "Thunderbird on lap, b@example.com: failed, Thunderbird is open",
        "Not everything is done: run the same again, or set roll_back: true.",
    ]


def test_report_of_a_rotation_that_has_not_begun() -> None:
    seen: dict[str, Any] = {"started": "2026-01-01T10:00:00+00:00", "finished": None, "outcome": {}, "hosts": {}}
    data = report.report({"credentials": ENTRIES[1:]}, seen)
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
    assert report.summary(data) == ["b would get a new password.", "  h2: not reached"]


def test_mail_servers_that_were_not_looked_at_are_named() -> None:
    seen: dict[str, Any] = {"started": "", "finished": None, "outcome": {}, "hosts": {}, "not_looked_at": ["h8", "h9"]}
    data = report.report({"credentials": []}, seen)
    assert data["not_looked_at"] == ["h8", "h9"]
    (line,) = report.summary(data)
    assert line.startswith("These mail servers were not looked at;")
    assert line.endswith(": h8, h9")


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
    data = report.report({"credentials": ENTRIES[:1]}, seen)
    assert "window_seconds" not in data["credentials"][0]
    assert data["emergency"] is True
    assert report.summary(data) == [
        "a was not changed, as the vendor did not take the new password (535 No).",
        "  h1: failed, no answer",
        "  h2: failed",
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
    data = report.report({"credentials": ENTRIES[1:]}, seen)
    assert data["credentials"][0]["reason"] == reason
    seen["outcome"] = {"b": "committed"}
    assert "reason" not in report.report({"credentials": ENTRIES[1:]}, seen)["credentials"][0]


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
    data = report.report({"credentials": [{**ENTRIES[0], "hosts": ["h1"]}]}, seen)
    assert data["credentials"][0]["hosts"]["h1"]["mail"] == mail
    assert report.summary(data)[1] == words


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
        (
            "",
            {"state": "not_reached", "logins": ["a@example.com"]},
            [],
            "on desk, a@example.com: would update",
        ),
        # A profile that is managed, but is not up to date.
        (
            "committed",
            {"state": "updated", "logins": ["a@example.com"]},
            [],
            "Thunderbird on desk, a@example.com: updated",
        ),
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
    data = report.report(
        {"credentials": [{**ENTRIES[0], "hosts": []}]},
        {
            "started": "2026-01-01T10:00:00+00:00",
            "finished": None,
            "hosts": {},
            "outcome": {"a": outcome} if outcome else {},
            "clients": {"desk": client} if client else {},
        },
    )
    assert data["tell"] == tell
    text = "\n".join(report.summary(data))
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
    plan = {"credentials": [{**ENTRIES[1], "hosts": []}]}
    data = report.report(plan, seen)
    assert data["tell"] == ["c@example.com"]
    assert "tell the people who do: c@example.com (until now b@example.com)" in report.summary(data)[-1]
    # A run that goes on finds the profile under the login that it is to have.
    seen["clients"] = {"desk": {"state": "updated", "logins": [login]}}
    data = report.report(plan, seen)
    assert (list(data["clients"]), data["tell"]) == (["desk"], [])


@pytest.mark.parametrize(
    ("outcome", "state", "lines"),
    [
        ("rolling_back", "failed", ["b has its old password at the vendor again, but not on every mail server."]),
        (
            "pending",
            "failed",
            [
                "b is changed at the vendor, but not on every mail server.",
                "b@example.com works as well, until nobody uses it and a run has removed it",
            ],
        ),
        (
            "pending",
            "active",
            [
                "b has its new password on every mail server, but is not finished.",
                "b@example.com works as well, until nobody uses it and a run has removed it",
            ],
        ),
    ],
)
@pytest.mark.parametrize("leaked", [False, True])
def test_report_of_what_is_not_done(outcome: str, state: str, lines: list[str], leaked: bool) -> None:
    entry = {**ENTRIES[1], "leaked": leaked}
    times = {"started": "2026-01-01T10:00:00+00:00", "finished": None}
    seen = {**times, "hosts": {"h2": {"state": state}}, "outcome": {"b": outcome}}
    data = report.report({"credentials": [entry]}, seen)
    assert data["credentials"][0].get("leaked", False) is leaked
    hint = f"Not everything is done: run the same again{'.' if leaked else ', or set roll_back: true.'}"
    text = [line.strip() for line in report.summary(data)]
    assert text == [*lines, f"h2: {state}", hint]


def test_report_of_a_password_that_may_be_the_one_that_is_out() -> None:
    entry = {**ENTRIES[0], "leaked": True, "doubtful": True, "hosts": []}
    seen = {"started": "2026-01-01T10:00:00+00:00", "finished": None, "hosts": {}, "outcome": {"a": "committed"}}
    data = report.report({"credentials": [entry]}, seen)
    assert data["credentials"][0]["doubtful"] is True
    assert any("rotate it once more" in line for line in report.summary(data))


def test_a_thunderbird_is_known_by_either_form_of_a_domain() -> None:
    entry = {**ENTRIES[0], "login": "a@bücher.example", "next_login": "a@bücher.example", "hosts": []}
    seen: dict[str, Any] = {
        "started": "2026-01-01T10:00:00+00:00",
        "finished": None,
        "hosts": {},
        "outcome": {"a": "committed"},
        "clients": {"desk": {"state": "updated", "logins": ["a@xn--bcher-kva.example"]}},
    }
    data = report.report({"credentials": [entry]}, seen)
    assert (list(data["clients"]), data["tell"]) == (["desk"], [])

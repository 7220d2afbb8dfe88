# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that names everything otherwise: nothing is guessed, and `api_methods` makes all of it usable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.wire import OTHER, PASSWORD

ADDRESS = {"domain": "zone", "username": "name"}
LIMITS = {
    "per_minute": "min",
    "per_hour": "hour",
    "per_day": "day",
    "per_week": "week",
    "per_month": "month",
    "recipients_per_day": "rcpt",
}
LOCKS = {"automatic_lock": "auto", "lock_timeout": "minutes", "maximum_unlocks": "unlocks"}
API_METHODS: dict[str, Any] = {
    "list": {
        "call": "senders/enumerate",
        "parameters": {"domain": "zone"},
        "fields": {
            **ADDRESS,
            **LIMITS,
            **LOCKS,
            "enabled": "on",
            "locked": "frozen",
            "authentication_method": "kind",
        },
        "values": {"inherit": "default"},
    },
    "set_password": {"call": "senders/passwd", "parameters": {**ADDRESS, "password": "secret"}},
    "set_limits": {
        "call": "senders/quota",
        "parameters": {**ADDRESS, "enabled": "on", **LIMITS},
        "values": {"inherit": "default"},
    },
    "set_settings": {"call": "senders/options", "parameters": {**ADDRESS, **LOCKS, "dkim_selector": "dkim"}},
    "lock": {"call": "senders/freeze", "parameters": ADDRESS},
    "unlock": {"call": "senders/thaw", "parameters": ADDRESS},
}
#: `dkim` is not a field of the emulator's own; it comes back under the name under which it was set.
API_METHODS["list"]["fields"]["dkim_selector"] = "dkim"
WANTED: list[dict[str, Any]] = [
    {
        "domain": "example.com",
        "username": "default",  # which is also the server's word for an inherited limit
        "password": PASSWORD,
        "limits": {"enabled": False, "per_hour": 0, "per_day": 1, "inherit": ["per_week"]},
        "automatic_lock": True,
        "lock_timeout": 5,
        "settings": {"dkim_selector": "default"},
    },
    {"domain": "example.com", "authentication_method": "domain", "password": PASSWORD, "locked": True},
    {
        "domain": "example.com",
        "username": "2001:DB8:0::/64",
        "authentication_method": "ip",
        "maximum_unlocks": 9,
        "acknowledge_ip_risk": True,
    },
]


@pytest.fixture(scope="module")
def _odd_process() -> Iterator[Emulator]:
    with Emulator("full", dialect="odd") as running:
        yield running


@pytest.fixture
def odd(_odd_process: Emulator) -> Emulator:
    _odd_process.reset()
    _odd_process.seed(domains=["example.com"])
    return _odd_process


def run(odd: Emulator, users: list[dict[str, Any]], *, check: bool = False, **options: Any) -> ModuleRun:
    arguments = {**odd.connection, **odd.smarthost_options, "users": users, "return_unchanged": True, **options}
    done = run_module("outgoing_users", arguments, check=check, diff=True)
    assert PASSWORD not in done.raw
    return done


def stored(odd: Emulator, username: str) -> dict[str, Any]:
    return next(user for user in odd.users() if user["username"] == username)


def test_without_api_methods_nothing_but_the_public_calls_is_used(odd: Emulator) -> None:
    done = run(odd, WANTED, use_discovered_methods=True)
    assert done.failed
    assert done.code == "not_offered"
    assert done.result["totals"]["failed"] == 3
    assert odd.counters()["writes"] == 0
    names = ("domain", "username", "password", "authentication_method")
    plain = [{name: value for name, value in user.items() if name in names} for user in WANTED]
    assert run(odd, plain, use_discovered_methods=True).result["totals"]["created"] == 3
    assert set(odd.counters()["requests"]) == {
        "help",
        "domainslist/get",
        "outgoingusers/add",
        "outgoingusers/addip",
    }


def test_with_api_methods_all_of_it_is_written_and_read_back(odd: Emulator) -> None:
    predicted = run(odd, WANTED, check=True, api_methods=API_METHODS)
    assert odd.counters()["writes"] == 0
    done = run(odd, WANTED, api_methods=API_METHODS)
    assert not done.failed, done.message
    assert done.result == predicted.result
    assert done.result["totals"]["created"] == 3
    user = stored(odd, "default")
    assert [user[name] for name in ("limits_enabled", "limit_per_hour", "limit_per_day", "limit_per_week")] == [
        0,
        0,
        1,
        "inherit",
    ]
    assert [user[name] for name in ("automatic_lock", "lock_timeout", "dkim")] == [1, 5, "default"]
    assert stored(odd, "")["locked"] == 1
    assert stored(odd, "2001:db8::/64")["maximum_unlocks"] == 9
    odd.reset_counters()
    again = run(odd, WANTED, api_methods=API_METHODS)
    assert again.result["totals"]["unchanged"] == 3
    assert not again.changed
    assert odd.counters()["writes"] == 0
    assert "help" not in odd.counters()["requests"]  # everything that is needed has been named


def test_everything_is_changed_back(odd: Emulator) -> None:
    run(odd, WANTED, api_methods=API_METHODS)
    odd.set_password("example.com", "default", OTHER)
    back: list[dict[str, Any]] = [
        {
            "domain": "example.com",
            "username": "default",
            "password": PASSWORD,
            "limits": {"enabled": True, "per_week": 3, "inherit": ["per_hour", "per_day"]},
            "automatic_lock": False,
        },
        {"domain": "example.com", "authentication_method": "domain", "locked": False},
        {"domain": "example.com", "username": "2001:db8::/64", "authentication_method": "ip", "state": "absent"},
    ]
    done = run(odd, back, api_methods=API_METHODS)
    assert not done.failed, done.message
    assert [user["action"] for user in done.result["users"]] == ["updated", "removed", "updated"]
    user = stored(odd, "default")
    assert (user["limit_per_hour"], user["limit_per_day"], user["limit_per_week"]) == ("inherit", "inherit", 3)
    assert (user["limits_enabled"], user["automatic_lock"], stored(odd, "")["locked"]) == (1, 0, 0)
    assert len(odd.users()) == 2
    assert not run(odd, back, api_methods=API_METHODS).changed


def test_the_word_for_inheriting_is_needed_and_never_guessed(odd: Emulator) -> None:
    methods = {**API_METHODS, "set_limits": {**API_METHODS["set_limits"], "values": {"true": "1"}}}
    entry = [{"domain": "example.com", "username": "a", "password": PASSWORD, "limits": {"inherit": ["per_day"]}}]
    done = run(odd, entry, api_methods=methods)
    assert done.code == "not_offered"
    assert odd.counters()["writes"] == 0


@pytest.mark.parametrize("call", ["passwd", "quota", "options", "freeze", "thaw"])
def test_a_reply_that_is_lost_is_settled_by_the_named_list(odd: Emulator, call: str) -> None:
    run(odd, WANTED, api_methods=API_METHODS)
    odd.set_password("example.com", "default", OTHER)
    changed = [
        {**WANTED[0], "limits": {"per_minute": 4}, "lock_timeout": 6, "locked": True},
        {**WANTED[1], "locked": False},
    ]
    odd.faults({"match": f"senders/{call}", "kind": "reset_after", "times": 1})
    odd.reset_counters()
    done = run(odd, changed, api_methods=API_METHODS)
    assert not done.failed, done.message
    assert odd.counters()["requests"][f"senders/{call}"] == 1
    odd.faults()
    assert not run(odd, changed, api_methods=API_METHODS).changed


def test_purge_and_info_work_by_the_named_list(odd: Emulator) -> None:
    run(odd, WANTED, api_methods=API_METHODS)
    info = run_module("outgoing_user_info", {**odd.connection, "domains": ["example.com"], "api_methods": API_METHODS})
    assert [(user["username"], user["authentication_method"]) for user in info.result["users"]] == [
        ("", "domain"),
        ("2001:db8::/64", "ip"),
        ("default", "user"),
    ]
    assert info.result["users"][2]["limits"]["inherit"] == ["per_minute", "per_month", "per_week", "recipients_per_day"]
    done = run(odd, WANTED[:2], api_methods=API_METHODS, purge=True, purge_domains=["example.com"])
    assert not done.failed, done.message
    assert done.result["totals"]["removed"] == 1
    assert {user["username"] for user in odd.users()} == {"", "default"}

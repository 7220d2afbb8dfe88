# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""outgoing_user_info: who may send, as far as the server lists it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module

USERS: list[dict[str, Any]] = [
    {"domain": "example.com", "username": "info", "password": "Correct-Horse-42", "limit_per_hour": 500, "locked": 1},
    {"domain": "example.com", "username": "backup-1", "dkim_selector": "mail"},
    {"domain": "example.com", "username": "192.0.2.0/28"},
    {"domain": "xn--bcher-kva.example", "username": ""},
]


def info(emulator: Emulator, **options: Any) -> ModuleRun:
    run = run_module("outgoing_user_info", {**emulator.connection, **options})
    assert not run.changed
    assert "Correct-Horse-42" not in run.raw
    return run


def names(run: ModuleRun) -> list[str]:
    assert not run.failed, run.message
    return [f"{user['username']}@{user['domain']}" for user in run.result["users"]]


def test_all_domains_of_the_account_are_shown_by_default(emulator: Emulator) -> None:
    emulator.seed(domains=["empty.example"], users=USERS)
    run = info(emulator)
    assert names(run) == ["192.0.2.0/28@example.com", "backup-1@example.com", "info@example.com", "@bücher.example"]
    assert [user["authentication_method"] for user in run.result["users"]] == ["ip", "user", "user", "domain"]
    assert emulator.counters()["writes"] == 0
    assert run.result["users"][2] == {
        "domain": "example.com",
        "username": "info",
        "authentication_method": "user",
        "limits": {
            "enabled": True,
            "per_hour": 500,
            "inherit": ["per_day", "per_minute", "per_month", "per_week", "recipients_per_day"],
        },
        "locked": True,
        "automatic_lock": False,
        "lock_timeout": 60,
        "maximum_unlocks": 3,
    }
    assert run.result["users"][1]["settings"] == {"dkim_selector": "mail"}


def test_domains_and_usernames_narrow_it(emulator: Emulator) -> None:
    emulator.seed(users=USERS)
    assert names(info(emulator, domains=["Bücher.example"])) == ["@bücher.example"]
    assert names(info(emulator, usernames=["INFO", "backup-*"])) == ["backup-1@example.com", "info@example.com"]
    assert names(info(emulator, usernames=["192.0.2.*"])) == ["192.0.2.0/28@example.com"]
    assert names(info(emulator, usernames=[""])) == ["@bücher.example"]
    assert names(info(emulator, domains=[])) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"domains": ["bad domain"]}, "is not a domain name"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"concurrency": 17}, "concurrency is 17"),
        ({"api_methods": {"list": {"call": "nowhere/list"}}}, "nowhere/list"),
    ],
)
def test_bad_options_are_named(emulator: Emulator, options: dict[str, Any], words: str) -> None:
    emulator.seed(users=USERS)
    run = info(emulator, retries=0, **options)
    assert run.failed
    assert words in run.message


def test_a_server_without_a_list_says_how_to_name_one(documented_emulator: Emulator) -> None:
    run = info(documented_emulator)
    assert run.failed
    assert run.code == "not_offered"
    assert "api_methods: {list:" in run.message


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"messages":[],"result":{"4":{"domain":"example.com"},"7":"example.org"}}', 3),
        ('{"messages":[],"result":null}', 0),
        ('{"messages":[],"result":"1"}', None),
        ('{"messages":[],"result":[{"name":"example.com"}]}', None),
        ('{"messages":[],"result":[7]}', None),
    ],
)
def test_the_list_of_domains_comes_in_several_shapes(emulator: Emulator, body: str, expected: int | None) -> None:
    emulator.seed(users=USERS)
    emulator.faults({"match": "domainslist/get", "kind": "body", "text": body, "times": None})
    run = info(emulator)
    if expected is None:
        assert run.failed
        assert run.code == "bad_reply"
    else:
        assert len(names(run)) == expected


def test_a_list_on_the_help_page_that_is_of_no_use_is_an_error_here(emulator: Emulator) -> None:
    emulator.seed(users=USERS)
    emulator.faults({"match": "outgoingusers/list", "kind": "body", "text": "[7]", "times": None})
    run = info(emulator)
    assert run.failed
    assert run.code == "bad_reply"


def test_names_that_nobody_may_give_are_shown(emulator: Emulator) -> None:
    rows = '[{"username":"Two Words","domain":"example.com"},{"username":"Alice@Example.com"}]'
    emulator.seed(domains=["example.com"])
    emulator.faults({"match": "outgoingusers/list", "kind": "body", "text": rows, "times": None})
    assert names(info(emulator)) == ["alice@example.com", "two words@example.com"]

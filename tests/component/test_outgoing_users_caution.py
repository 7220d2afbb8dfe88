# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What outgoing_users takes care not to do: nobody is removed by the way, and no strange list is trusted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.wire import OTHER, PASSWORD

SENDERS: dict[str, Any] = {"domain": "example.com", "authentication_method": "domain", "password": PASSWORD}
ALICE: dict[str, Any] = {"domain": "example.com", "username": "alice", "password": PASSWORD}


def run(server: Emulator, *users: dict[str, Any], **options: Any) -> ModuleRun:
    arguments = {**server.connection, **server.smarthost_options, "users": list(users), **options}
    done = run_module("outgoing_users", arguments)
    assert PASSWORD not in done.raw
    return done


@pytest.fixture(params=["full", "documented"])
def server(request: pytest.FixtureRequest) -> Emulator:
    """A server without a call that sets passwords, whose removal of a domain user removes all others as well."""
    name = "emulator" if request.param == "full" else "documented_emulator"
    emulator: Emulator = request.getfixturevalue(name)
    emulator.seed(
        users=[
            {"domain": "example.com", "username": "", "password": OTHER},
            {"domain": "example.com", "username": "alice", "password": OTHER},
        ]
    )
    emulator.quirks(remove_without_username="all")
    return emulator


@pytest.mark.parametrize("wanted", [{}, {"update_password": "always"}])
def test_a_domain_user_is_not_made_anew_where_that_could_remove_others(
    server: Emulator, wanted: dict[str, Any]
) -> None:
    done = run(server, {**SENDERS, **wanted}, recreate_for_password=True)
    assert done.failed
    assert done.code == "needs_consent"
    assert len(server.users()) == 2
    allowed = run(server, {**SENDERS, **wanted}, recreate_for_password=True, allow_domain_user_removal=True)
    assert not allowed.failed, allowed.message
    assert [user["username"] for user in server.users()] == [""]


def test_a_domain_user_is_not_removed_where_that_could_remove_others(server: Emulator) -> None:
    gone = {**SENDERS, "state": "absent"}
    done = run(server, gone)
    assert done.failed
    assert done.code == "needs_consent"
    assert len(server.users()) == 2
    assert run(server, gone, allow_domain_user_removal=True).changed


def test_a_domain_user_alone_in_its_domain_is_removed_where_a_list_shows_that(emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "example.com", "username": "", "password": PASSWORD}])
    emulator.seed(users=[{"domain": "example.org", "username": "alice", "password": PASSWORD}])
    assert run(emulator, {**SENDERS, "state": "absent"}).result["totals"]["removed"] == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("ERROR: You have no permission to call this method\n", "no permission"),
        ("ERROR: Incorrect usage of API\n", "Incorrect usage"),
        ("<html><title>Welcome</title></html>", "a web page"),
        ('{"messages":[],"result":"1"}', "did not answer with a list"),
        ('{"messages":[],"result":[{"id":1}]}', "without a username"),
    ],
)
def test_a_list_from_the_help_page_that_is_of_no_use_is_ignored(emulator: Emulator, body: str, words: str) -> None:
    emulator.seed(domains=["example.com"])
    emulator.faults({"match": "outgoingusers/list", "kind": "body", "text": body, "times": None})
    done = run(emulator, ALICE, retries=0)
    assert not done.failed, done.message
    assert done.result["totals"]["created"] == 1
    assert "help page cannot be used" in done.warnings
    assert words in done.warnings
    purge = run(emulator, ALICE, purge=True, purge_domains=["example.com"], retries=0)
    assert purge.failed
    assert "Purging was asked for" in purge.message


@pytest.mark.parametrize("kind", ["sqlstate", "bad_credentials", "inactive"])
def test_a_list_that_fails_for_another_reason_is_an_error(emulator: Emulator, kind: str) -> None:
    emulator.seed(domains=["example.com"])
    emulator.faults({"match": "outgoingusers/list", "kind": kind, "times": None})
    assert run(emulator, ALICE, retries=0).failed
    assert emulator.counters()["writes"] == 0


def test_a_help_page_that_cannot_be_read_now_is_an_error(emulator: Emulator) -> None:
    emulator.faults({"match": "help", "kind": "bad_credentials", "times": None})
    done = run(emulator, ALICE)
    assert done.failed
    assert done.code == "credentials"
    assert emulator.counters()["writes"] == 0


def test_users_are_addressed_as_the_list_writes_them(emulator: Emulator) -> None:
    emulator.seed(domains=["example.com"])
    rows = [
        {"username": "Alice", "limit_per_hour": 1},
        {"username": "192.0.2.7/32", "authentication_method": "ip"},
        {"username": "Two Words"},
    ]
    body = json.dumps({"messages": [], "result": rows})
    emulator.faults({"match": "outgoingusers/list", "kind": "body", "text": body, "times": None})
    alice = {"domain": "example.com", "username": "alice", "limits": {"per_hour": 2}}
    purge = {"purge": True, "purge_domains": ["example.com"]}
    done = run(emulator, alice, **purge, use_discovered_methods=True, wait_timeout=0, concurrency=1)
    writes = [entry["path"] for entry in emulator.requests() if "remove" in entry["path"] or "set" in entry["path"]]
    assert writes == [
        "/api/outgoingusers/remove/domain/example.com/username/192.0.2.7/32",
        "/api/outgoingusers/remove/domain/example.com/username/Two Words",
        "/api/outgoingusers/setlimits/domain/example.com/username/Alice/limit_per_hour/2",
    ]
    assert "Unable to find the outgoing user 'Alice'" in done.message  # the emulator has none of them


def test_an_address_that_another_domain_has_is_an_error_without_a_list_too(documented_emulator: Emulator) -> None:
    documented_emulator.seed(
        domains=["example.com"],
        users=[{"domain": "example.org", "username": "192.0.2.7", "authentication_method": "ip"}],
    )
    sender = {"domain": "example.com", "username": "192.0.2.7", "authentication_method": "ip"}
    done = run(documented_emulator, sender)
    assert done.failed
    assert "another domain has it" in done.message
    assert "example.org" in done.message


def test_a_failure_in_the_middle_says_that_something_has_changed(emulator: Emulator) -> None:
    emulator.seed(domains=["example.com"])
    emulator.faults({"match": "outgoingusers/setlimits", "kind": "body", "text": "ERROR: Too much\n", "times": 1})
    wanted = {**ALICE, "limits": {"per_hour": 5}}
    done = run(emulator, wanted, use_discovered_methods=True)
    assert (done.failed, done.changed) == (True, True)
    again = run(emulator, wanted, use_discovered_methods=True)
    assert again.result["totals"]["updated"] == 1
    assert not run(emulator, wanted, use_discovered_methods=True).changed

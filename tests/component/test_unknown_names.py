# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A slip of the pen is no success: domains and users that the account does not have, at both kinds of server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.wire import PASSWORD

TYPO = {"domain": "exampel.com", "username": "alice"}
ENTRIES = [{**TYPO, "password": PASSWORD}, {**TYPO, "state": "absent"}, {**TYPO, "username": "192.0.2.7"}]
ENTRIES[2]["authentication_method"] = "ip"
WORDS = "no such domain in this account: exampel.com (did you mean example.com?)"


@pytest.fixture(params=["emulator", "documented_emulator"])
def server(request: pytest.FixtureRequest) -> Emulator:
    emulator: Emulator = request.getfixturevalue(request.param)
    emulator.seed(
        domains=[
            "example.com",
            "example.net",
            "customer.example",
            {"name": "foreign.example", "owner": "x@example.test"},
        ],
        users=[{"domain": "example.com", "username": "alice", "password": PASSWORD}],
    )
    emulator.reset_counters()
    return emulator


def run(server: Emulator, *users: dict[str, Any], check: bool = False, **options: Any) -> ModuleRun:
    arguments = {**server.connection, **server.smarthost_options, "users": list(users), "return_unchanged": True}
    return run_module("outgoing_users", {**arguments, **options}, check=check)


def refused(server: Emulator, done: ModuleRun, words: str = WORDS) -> None:
    assert done.failed, done.result
    assert words in done.message
    counters = server.counters()
    assert (counters["writes"], counters["auths"], counters["requests"]["domainslist/get"]) == (0, 0, 1)


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("entry", ENTRIES, ids=["present", "absent", "ip"])
@pytest.mark.parametrize("said", ["missing", "not_yours"])
def test_an_unknown_domain_is_an_error_with_the_nearest_name(
    server: Emulator, entry: dict[str, Any], check: bool, said: str
) -> None:
    server.quirks(missing_domain=said, domain_exists_missing="error" if said == "not_yours" else "present0")
    refused(server, run(server, entry, check=check))


@pytest.mark.parametrize("check", [True, False])
def test_one_unknown_domain_among_many_stops_before_anything_is_done(server: Emulator, check: bool) -> None:
    new = [{"domain": "example.net", "username": f"user{number}", "password": PASSWORD} for number in range(20)]
    refused(server, run(server, *new, *ENTRIES[:1], check=check))
    assert server.counters()["requests"]["domain/exists"] == 1


def test_a_domain_of_somebody_else_is_unknown_and_has_no_nearest_name(server: Emulator) -> None:
    done = run(server, {**TYPO, "domain": "foreign.example", "state": "absent"})
    refused(server, done, "no such domain in this account: foreign.example. Nothing was changed")


def test_many_unknown_domains_are_ten_in_one_sentence(server: Emulator) -> None:
    done = run(server, *({**TYPO, "domain": f"nowhere{number:02}.test", "state": "absent"} for number in range(30)))
    refused(server, done, "no such domain in this account: nowhere00.test, nowhere01.test")
    assert "nowhere09.test." in done.message
    assert "nowhere10.test" not in done.message
    assert server.counters()["requests"]["domain/exists"] == 10


def test_where_the_list_of_domains_is_refused_nothing_is_said(server: Emulator, warnings: list[str]) -> None:
    server.quirks(domains_list="refused")
    done = run(server, ENTRIES[0], check=True)
    assert not done.failed, done.message
    assert not [warning for warning in warnings if "no such domain" in warning]
    assert run(server, ENTRIES[0]).result["users"][0]["action"] == "failed"


@pytest.mark.parametrize("body", ["ERROR: Das darf nur der Chef\n", "<html><title>Log in</title>", '{"result": 7}'])
def test_a_list_of_domains_that_is_of_no_use_is_done_without(server: Emulator, body: str) -> None:
    server.faults({"match": "domainslist/get", "kind": "body", "text": body, "times": None})
    assert not run(server, ENTRIES[0], check=True, retries=0).failed


@pytest.mark.parametrize(
    ("exists", "known"),
    [(None, True), ("ERROR: You have no permission to call this method\n", False), ("ERROR: No such domain\n", False)],
)
def test_a_domain_of_a_sub_admin_may_be_in_no_list(server: Emulator, exists: str | None, known: bool) -> None:
    body = json.dumps({"messages": [], "result": ["example.com"]})
    server.faults({"match": "domainslist/get", "kind": "body", "text": body, "times": None})
    if exists:
        server.faults(
            {"match": "domainslist/get", "kind": "body", "text": body, "times": None},
            {"match": "domain/exists", "kind": "body", "text": exists, "times": None},
        )
    done = run(server, {"domain": "customer.example", "username": "bob", "password": PASSWORD})
    assert (not done.failed) == known, done.message


def test_a_domain_that_this_run_adds_is_not_looked_for(server: Emulator) -> None:
    bob = {"domain": "bücher.example", "username": "bob", "password": PASSWORD}
    added = run_module("domain", {**server.connection, "domain": "bücher.example", "outgoing": True}, check=True)
    assert added.result["domain"]["action"] == "created"
    assert run(server, bob, check=True).failed
    done = run(server, bob, check=True, new_domains=["Bücher.example"])
    assert not done.failed, done.message
    added = run_module("domain", {**server.connection, "domain": "bücher.example", "outgoing": True})
    assert added.result["domain"]["action"] == "created"
    assert not run(server, bob, new_domains=["xn--bcher-kva.example"]).failed
    again = run_module("domain", {**server.connection, "domain": "bücher.example", "outgoing": True})
    assert (again.result["domain"]["action"], again.changed) == ("unchanged", False)
    assert "is not a domain name" in run(server, bob, new_domains=["b"]).message


def test_an_empty_list_of_users_asks_for_no_domain(server: Emulator) -> None:
    assert not run(server).failed
    assert not run(server, {**TYPO, "ignore": True}).failed
    assert "domainslist/get" not in server.counters()["requests"]


def test_a_purge_of_an_unknown_domain_is_an_error(emulator: Emulator) -> None:
    emulator.seed(domains=["example.com"])
    options = {"purge": True, "purge_domains": ["exampel.com"]}
    for check in (True, False):
        emulator.reset_counters()
        refused(emulator, run(emulator, check=check, **options))


def test_whoever_is_not_there_to_be_removed_is_named(server: Emulator, warnings: list[str]) -> None:
    absent = [{"domain": "example.com", "username": name, "state": "absent"} for name in ("alise", "zoe")]
    done = run(server, *absent)
    assert not done.failed
    assert not done.changed
    assert {user["action"] for user in done.result["users"]} == {"unchanged"}
    (warning,) = [text for text in warnings if "Nobody was there" in text]
    listed = "outgoingusers/list" in server.counters()["requests"]
    nearest = "alise@example.com (did you mean alice?)" if listed else "alise@example.com"
    assert f"removed for {nearest}, zoe@example.com; see" in warning
    warnings.clear()
    assert run(server, {"domain": "example.com", "username": "alice", "state": "absent"}).changed
    assert not [text for text in warnings if "Nobody was there" in text]


def test_looking_at_what_is_not_there_is_said(emulator: Emulator, warnings: list[str]) -> None:
    emulator.seed(domains=["empty.example"], users=[{"domain": "example.com", "username": "backup-1"}])

    def look(**options: Any) -> ModuleRun:
        return run_module("outgoing_user_info", {**emulator.connection, **options})

    refused(emulator, look(domains=["exampel.com", "empty.example"]))
    assert look(domains=["empty.example"]).result["users"] == []
    assert not warnings
    shown = look(usernames=["backup-*", "backup1", "zoe*", "ZOE"])
    assert [user["username"] for user in shown.result["users"]] == ["backup-1"]
    assert warnings == ["No outgoing user has the username 'backup1' (did you mean backup-1?) or 'zoe*' or 'ZOE'."]

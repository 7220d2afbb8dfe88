# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""api_info: which calls a server offers, and what works because of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module


@pytest.fixture
def odd() -> Iterator[Emulator]:
    with Emulator("full", dialect="odd") as running:
        yield running


def info(emulator: Emulator, **options: Any) -> ModuleRun:
    run = run_module("api_info", {**emulator.connection, **options})
    assert emulator.api_password not in run.raw
    assert not run.changed
    return run


def sources(run: ModuleRun) -> dict[str, str]:
    assert not run.failed, run.message
    return {row["operation"]: row["source"] for row in run.result["methods"]}


PUBLIC = {"add": "documented", "add_ip": "documented", "remove": "documented"}
OTHERS = ("set_password", "set_limits", "set_settings", "lock", "unlock")


def test_a_server_with_the_public_calls_only(documented_emulator: Emulator) -> None:
    run = info(documented_emulator)
    assert sources(run) == {**PUBLIC, "list": "missing", **dict.fromkeys(OTHERS, "missing")}
    assert run.result["api_methods"] == {}
    assert {name for name, works in run.result["works"].items() if works} == {"create_users", "remove_users"}
    assert (run.result["role"], bool(run.result["version"])) == ("admin", True)
    counters = documented_emulator.counters()
    assert counters["writes"] == 0
    assert counters["requests"]["help"] == 1


def test_a_server_whose_help_page_shows_more(emulator: Emulator) -> None:
    run = info(emulator)
    assert sources(run) == {**PUBLIC, "list": "discovered", **dict.fromkeys(OTHERS, "proposed")}
    offered = {row["operation"] for row in run.result["methods"] if row["offered"]}
    assert offered == {"list", "add", "add_ip", "remove"}
    assert {name for name, works in run.result["works"].items() if works} == {
        "create_users",
        "remove_users",
        "read_users",
        "purge",
    }
    opted_in = info(emulator, use_discovered_methods=True)
    assert sources(opted_in) == {**PUBLIC, **dict.fromkeys(("list", *OTHERS), "discovered")}
    assert all(opted_in.result["works"].values())


def test_the_block_can_be_pasted(emulator: Emulator) -> None:
    block = info(emulator).result["api_methods"]
    assert block["list"] == {"call": "outgoingusers/list", "parameters": {"domain": "domain"}}
    pasted = info(emulator, api_methods=block)
    assert sources(pasted) == {**PUBLIC, **dict.fromkeys(("list", *OTHERS), "given")}
    assert pasted.result["api_methods"] == block


def test_a_part_that_is_given_stays_with_what_is_discovered(emulator: Emulator) -> None:
    given = {"list": {"call": "senders/list", "parameters": {"domain": "zone"}, "fixed": {"page": 1}}}
    run = info(emulator, api_methods=given)
    assert sources(run)["list"] == "given"
    assert run.result["api_methods"]["list"] == {**given["list"], "fixed": {"page": "1"}}


def test_a_server_with_unusual_names_is_shown_and_the_checked_block_works(odd: Emulator) -> None:
    odd.seed(users=[{"domain": "example.com", "username": "alice", "locked": 1, "password": "Correct-Horse-42"}])
    run = info(odd, use_discovered_methods=True)
    assert sources(run) == {**PUBLIC, **dict.fromkeys(("list", *OTHERS), "proposed")}
    assert {row["operation"] for row in run.result["methods"] if row["offered"]} == set(PUBLIC)
    assert not run.result["works"]["read_users"]
    calls = {entry["call"]: entry["parameters"] for entry in run.result["help_calls"]}
    assert calls["senders/passwd"] == ["zone", "secret", "name"]
    assert next(iter(calls)).startswith("senders/")
    assert run.result["list_fields"] == []
    assert "senders/enumerate" not in odd.counters()["requests"], "a guess is never called"
    block = run.result["api_methods"]
    assert {name: entry["call"] for name, entry in block.items()} == {
        "list": "senders/enumerate",
        "set_password": "senders/passwd",
        "set_limits": "senders/quota",
        "set_settings": "senders/options",
        "lock": "senders/freeze",
        "unlock": "senders/thaw",
    }
    given = info(odd, api_methods=block)
    assert all(given.result["works"].values())
    fields = {entry["field"]: entry["meaning"] for entry in given.result["list_fields"]}
    assert (fields["name"], fields["frozen"], fields["zone"]) == ("username", "", "")
    assert "alice" not in str(given.result)


def test_the_fields_of_a_list_are_shown_as_they_are_understood(emulator: Emulator) -> None:
    emulator.seed(domains=["a.example", "b.example"], users=[{"domain": "c.example", "username": "alice"}])
    fields = {entry["field"]: entry["meaning"] for entry in info(emulator).result["list_fields"]}
    assert fields["limit_per_hour"] == "per_hour"
    emulator.faults({"match": "domainslist/get", "kind": "body", "text": "ERROR: no permission\n", "times": None})
    assert info(emulator).result["list_fields"] == []
    emulator.faults({"match": "outgoingusers/list", "kind": "html", "times": None})
    assert info(emulator, retries=0).result["list_fields"] == []


def test_a_list_that_this_admin_may_not_read_is_none(emulator: Emulator) -> None:
    emulator.seed(users=[{"domain": "c.example", "username": "alice"}])
    text = '{"messages": {"error": ["You have no permission to call this method"]}, "result": null}'
    emulator.faults({"match": "outgoingusers/list", "kind": "body", "text": text, "times": None})
    run = info(emulator, use_discovered_methods=True)
    assert (run.result["works"]["read_users"], run.result["works"]["purge"]) == (False, False)
    assert run.result["works"]["change_limits"]
    assert "list" not in {row["operation"] for row in run.result["methods"] if row["offered"]}


@pytest.mark.parametrize("fault", ["html", "redirect", "404", "403"])
def test_a_server_that_shows_no_help_page_is_one_with_the_public_calls(emulator: Emulator, fault: str) -> None:
    faults: dict[str, dict[str, Any]] = {
        "html": {"kind": "html"},
        "redirect": {"kind": "redirect", "location": "https://login.example/"},
        "404": {"kind": "status", "code": 404},
        "403": {"kind": "status", "code": 403},
    }
    emulator.faults({"match": "help", "times": None, **faults[fault]})
    run = info(emulator, retries=0)
    assert "list" not in {row["operation"] for row in run.result["methods"] if row["offered"]}


@pytest.mark.parametrize("call", ["version/get", "auth/getrole"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("ERROR: You have no permission to call this method\n", ""),
        ("ERROR: Incorrect usage of API\n", ""),
        ("ERROR: There is no such method\n", ""),
        ('{"messages":[],"result":["one","two"]}', "one"),
        ('{"messages":[],"result":{"a":1}}', ""),
        ('{"messages":[],"result":[]}', ""),
        ('{"messages":[],"result":20160927.1030}', "20160927.1030"),
    ],
)
def test_version_and_role_are_shown_where_the_server_names_them(
    emulator: Emulator, call: str, body: str, expected: str
) -> None:
    emulator.faults({"match": call, "kind": "body", "text": body, "times": None})
    run = info(emulator, retries=0)
    assert not run.failed, run.message
    assert run.result["version" if call == "version/get" else "role"] == expected


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"api_password": "Wrong-Horse-4242"}, "credentials"),
        ({"ca_path": None}, "unreachable"),
        ({"api_methods": {"enumerate": {}}}, "invalid_options"),
        ({"timeout": 0}, "invalid_options"),
    ],
)
def test_the_connection_is_proven(emulator: Emulator, options: dict[str, Any], code: str) -> None:
    run = info(emulator, **options)
    assert run.failed
    assert run.code == code
    assert "Wrong-Horse-4242" not in run.raw


@pytest.mark.parametrize(("kind", "code"), [("sqlstate", "server_fault"), ("html", "bad_reply")])
def test_a_broken_or_another_server_is_an_error(emulator: Emulator, kind: str, code: str) -> None:
    emulator.faults({"match": "*", "kind": kind, "times": None})
    run = info(emulator, retries=0)
    assert run.failed
    assert run.code == code

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What apply says at its end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.report import report
from hypothesis import given
from hypothesis import strategies as st

DATA: dict[str, Any] = {
    **{"changes": [], "problems": [], "strangers": [], "to_do": [], "leavers": [], "left_alone": []},
    **{"vanished": {}, "former_people": [], "unreached": {}, "notes": {}, "mail_servers": {}, "passwords": {}},
    **{"same": 0, "senders": 0, "domains": 0},
}
ALICE = {"domain": "a.example", "username": "alice", "login": "alice@a.example", "place": "domains/a.example.yml"}
DONE = {"seen": True, "done": True}


def sender(action: str, **more: Any) -> dict[str, Any]:
    return {"kind": "sender", "domain": "a.example", "username": "alice", "action": action, **more}


def said(check: bool = False, hosts: Any = None, clients: Any = None, **data: Any) -> dict[str, Any]:
    return report({**DATA, **data}, hosts or {}, clients or {}, check=check)


def test_where_all_is_as_declared_it_is_one_line() -> None:
    hosts = {f"mail{number}": DONE for number in range(10)}
    made = said(same=9000, senders=9000, domains=300, hosts=hosts)
    assert made["status"] == "clean"
    assert made["summary"] == [
        "As declared before this run: 9000 of 9000 senders in 300 domains, and 10 of 10 mail servers."
    ]


@pytest.mark.parametrize(
    ("data", "hosts", "clients", "status", "line"),
    [
        ({"changes": [sender("created")]}, {}, {}, "clean", "alice@a.example: created"),
        ({"changes": [sender("unknown")]}, {}, {}, "clean", "not known: alice@a.example: nobody knows its state"),
        (
            {"changes": [sender("unchanged", unknown=["limits.per_hour"])]},
            {},
            {},
            "clean",
            "not known: alice@a.example: limits.per_hour cannot be compared",
        ),
        ({"changes": [sender("failed", reason="it says no")]}, {}, {}, "failed", "FAILED: alice@a.example: it says no"),
        ({"changes": [sender("not_attempted")]}, {}, {}, "failed", "FAILED: alice@a.example: not_attempted"),
        ({"problems": ["a sentence"]}, {}, {}, "failed", "FAILED: a sentence"),
        (
            {"unreached": {"second": {"domains": 1, "reason": "no way"}}},
            *({}, {}, "failed"),
            "FAILED: account second with 1 domain was not looked at: no way",
        ),
        (
            {},
            {"mail1": {}},
            {},
            "failed",
            "FAILED: mail server mail1: not reached, or not finished; see",
        ),
        ({}, {"mail1": {"seen": True, "reason": "x"}}, {}, "failed", "FAILED: mail server mail1: x"),
        ({}, {}, {"laptop": {}}, "failed", "FAILED: Thunderbird on laptop: not reached"),
        ({"leavers": [ALICE]}, {}, {}, "drift", "differs: alice@a.example may still send, and is declared no more"),
        ({"leavers": [{**ALICE, "place": ""}]}, {}, {}, "drift", "differs: alice@a.example may still send"),
        ({"vanished": {"a.example": [ALICE]}}, {}, {}, "drift", "differs: domains/a.example.yml described 1 sender of"),
        (
            {"vanished": {"a.example": [{**ALICE, "place": ""}] * 2}},
            {},
            {},
            "drift",
            "differs: a.example described 2",
        ),
        ({"strangers": [ALICE]}, {}, {}, "drift", "differs: alice@a.example may send, and nobody has ever declared it"),
        (
            {"former_people": [{"login": "alice@a.example", "host": "laptop", "person": "alice"}]},
            {},
            {},
            "drift",
            "differs: alice@a.example is entered in the Thunderbird of alice on laptop, and people names that one no "
            "more: name that one again, or remove it with -e spamexperts_remove=true",
        ),
        ({"to_do": ["water the plants"]}, {}, {}, "clean", "to do: water the plants"),
        ({"left_alone": ["mail1"]}, {}, {}, "clean", "to do: mail server mail1: nothing says as what it sends"),
        (
            {"notes": {"no_limits": list("abcdefg")}},
            {},
            {},
            "clean",
            "to do: a, b, c, d, e and 2 more: this server",
        ),
        ({"passwords": {"earlier": 3, "proven": 1}}, {}, {}, "clean", "Not tried in this run: 3 of 4 passwords"),
        ({"passwords": {"unproven": 1}}, {}, {}, "clean", "Not proven: 1 of 1 password."),
    ],
)
def test_each_thing_is_said(data: Any, hosts: Any, clients: Any, status: str, line: str) -> None:
    made = said(hosts=hosts, clients=clients, **data)
    assert made["status"] == status
    assert any(found.startswith(line) for found in made["summary"]), made["summary"]


def test_a_failure_is_no_change_and_an_unknown_is_neither() -> None:
    made = said(changes=[sender(action) for action in ("failed", "not_attempted", "unknown")])
    assert made["changes"] == made["drift"] == []
    assert [len(made["failures"]), len(made["unknown"])] == [2, 1]


def test_in_a_check_a_change_is_drift_and_is_said_once() -> None:
    hosts = {"mail1": {**DONE, "changed": True}, "mail2": DONE}
    servers = {"mail1": {"authentication": "login", "login": "server@a.example", "logins": [{}, {}]}, "mail2": {}}
    given_: dict[str, Any] = {
        "changes": [sender("created")],
        "hosts": hosts,
        "mail_servers": servers,
        "passwords": {"unproven": 1},
    }
    made = said(check=True, **given_)
    assert made["status"] == "drift"
    assert (
        made["changes"]
        == made["drift"]
        == [
            "alice@a.example: would be created",
            "mail server mail1: would be changed, sends as server@a.example and 2 more",
        ]
    )
    assert made["summary"] == [
        *made["changes"],
        "note: mail1: Postfix opens a connection for each mail there, as the login goes by the sender. Where one login "
        "for all mail of the host would do, name the host in default_for of that one, and in relay of none.",
        "As declared: 0 of 0 senders in 0 domains, and 1 of 2 mail servers.",
    ]
    real = said(**given_)
    assert [change.replace("would be ", "") for change in made["changes"]] == real["changes"]
    assert real["status"] == "clean"


def test_whose_test_mail_the_smarthost_has_taken_is_said() -> None:
    hosts = {f"mail{number}": {**DONE, "test_mail": number != 3} for number in range(1, 9)}
    line = "The smarthost has taken a test mail from mail1, mail2, mail4, mail5, mail6 and 2 more."
    assert said(hosts=hosts)["summary"][1:] == [line]
    assert not [one for one in said(hosts={"mail1": DONE})["summary"] if "test mail" in one]


def test_thousands_are_fifty_lines_and_all_of_them_in_the_result() -> None:
    made = said(changes=[sender("created", username=f"user{number}") for number in range(9000)])
    assert len(made["changes"]) == 9000
    assert len(made["summary"]) == 52
    assert made["summary"][50] == "and 8950 more, see spamexperts_result_file"


names = st.text(max_size=5)
entries = st.builds(
    lambda kind, action, username, reason, unknown: {
        **{"kind": kind, "domain": "a.example", "username": username, "action": action},
        **({"reason": reason} if reason else {}),
        **({"unknown": unknown} if unknown else {}),
    },
    st.sampled_from(["domain", "sender"]),
    st.sampled_from(["created", "updated", "removed", "unchanged", "unknown", "failed", "not_attempted"]),
    names,
    names,
    st.lists(names, max_size=2),
)
states = st.dictionaries(names, st.fixed_dictionaries({}, optional={"done": st.booleans(), "changed": st.booleans()}))


@given(st.lists(entries), states, states, st.booleans(), st.lists(names), st.lists(names, max_size=60))
def test_whatever_comes_is_said_and_the_status_is_the_worst(
    changes: list[Any], hosts: Any, clients: Any, check: bool, problems: list[str], to_do: list[str]
) -> None:
    made = said(check, hosts, clients, changes=changes, problems=problems, to_do=to_do)
    json.dumps(made)
    assert all(isinstance(line, str) for line in made["summary"])
    done = all(state.get("done") for state in (*hosts.values(), *clients.values()))
    failed = any(one["action"] in ("failed", "not_attempted") for one in changes)
    assert (made["status"] == "failed") is (failed or bool(problems) or not done)
    if made["status"] == "clean":
        assert not made["drift"]
    for kind in ("changes", "failures", "unknown", "to_do"):
        assert sum(any(line in shown for shown in made["summary"]) for line in made[kind][:50]) == len(made[kind][:50])

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation may hold, and what is rotated, and where."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._rotation import (
    description,
    objections,
    plan,
    requests,
)

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


def planned(works: dict[str, bool] | None = None, **rotation: Any) -> dict[str, Any]:
    return plan.plan(rotation, STORE, USES, WORKS if works is None else works)


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
        ({"everything": True, "alternates": {"a": [{"login": "x"}, "y"]}}, "a needs a list of two different logins"),
        ({"everything": True, "emergency": True, "roll_back": True}, "would bring a leaked password back"),
        ({"everything": True, "emergency_action": "lock"}, "has emergency_action without emergency: true"),
        ({"everything": True, "emergency": True, "emergency_action": "x"}, "value of emergency_action must be one of"),
        ({"everything": "no"}, "spamexperts_rotation.everything has to be true or false, without quotes"),
        ({"everything": True, "emergency": "yes"}, "spamexperts_rotation.emergency has to be true or false"),
        ({"logins": "a@example.com"}, "spamexperts_rotation.logins has to be a list."),
        ({"logins": [1]}, "spamexperts_rotation.logins[0] has to be text, in quotes where it looks like a number"),
        ({"everything": True, "report": ["x"]}, "spamexperts_rotation.report has to be text"),
        ({"everything": True, "account": None}, "spamexperts_rotation.account is empty; give it a value, or leave"),
        ({"everything": True, "logns": ["a"], 1: 2}, "spamexperts_rotation has 1, logns, which it does not know; it"),
    ],
)
def test_problems(rotation: object, message: str) -> None:
    found = description.problems(rotation)
    assert len(found) == 1
    assert message in found[0]
    assert re.search(r"[^.]\.$", found[0])


@pytest.mark.parametrize(
    ("rotation", "named"),
    [
        ({"everything": True}, ["a@example.com", "scanner@example.com", "example.org"]),
        ({"logins": ["b@example.com"]}, []),
        ({"logins": ["Scanner@Example.com"]}, ["scanner@example.com"]),
        ({"logins": ["a@example.com", "b@example.com"]}, ["a@example.com"]),
        ({"domains": ["example.com"]}, ["a@example.com", "scanner@example.com"]),
        ({"hosts": ["h1"]}, ["a@example.com"]),
        ({"hosts": ["h4"]}, ["example.org"]),
    ],
)
def test_whose_password_stands_in_a_description_is_not_rotated(rotation: dict[str, Any], named: list[str]) -> None:
    """Not even where the store has one from before: nobody logs in with that."""
    places = {login: f"{login}.yml, line 3" for login in ("a@example.com", "scanner@example.com", "example.org")}
    uses = {**USES, "h4": ["@Example.org"]}
    found = plan.plan(rotation, STORE, uses, WORKS, described=places)["problems"]
    assert [problem.partition(" cannot be rotated, as its password stands in ")[0] for problem in found] == named
    assert all(f"{name}.yml, line 3, where a rotation" in problem for name, problem in zip(named, found))


def test_an_account_that_is_not_there() -> None:
    assert description.problems({"everything": True}, []) == []
    named = {"everything": True, "account": "office"}
    assert description.problems(named) == []
    assert description.problems(named, ["default", "office"]) == []
    (sentence,) = description.problems(named, ["default"])
    assert "names the account office, but spamexperts_accounts does not have it; add it there" in sentence


def test_no_problems() -> None:
    assert description.problems({"everything": True, "emergency": True, "alternates": {"a": ["x", "y"]}}) == []


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
    made = planned(**rotation)
    assert made["problems"] == []
    assert [entry["name"] for entry in made["credentials"]] == names
    assert made["hosts"] == hosts


@pytest.mark.parametrize("written", ["bücher.example", "XN--BCHER-KVA.example"])
@pytest.mark.parametrize("stored", ["bücher.example", "xn--bcher-kva.example"])
def test_a_domain_is_selected_in_either_form(written: str, stored: str) -> None:
    store = [{"name": "shop", "login": f"a@{stored}", "rotating": False}]
    made = plan.plan({"domains": [written]}, store, {}, WORKS)
    assert made["problems"] == []
    assert [entry["name"] for entry in made["credentials"]] == ["shop"]


@pytest.mark.parametrize("written", ["web1@example.com", "Web1@Example.com"])
def test_capital_letters_make_no_difference(written: str) -> None:
    store = [credential("Shop", "WEB1@EXAMPLE.COM")]
    pairs = {"Shop": [written, "WEB2@example.com"]}
    rotation = {"logins": [written], "strategy": "alternate", "alternates": pairs}
    made = plan.plan(rotation, store, {"h": [written]}, WORKS)
    assert made["problems"] == []
    (entry,) = made["credentials"]
    assert (entry["login"], entry["next_login"], entry["hosts"]) == ("WEB1@EXAMPLE.COM", "WEB2@example.com", ["h"])


def test_two_credentials_with_the_same_login() -> None:
    store = [credential("Web1@example.com"), credential("web1@EXAMPLE.com")]
    (problem,) = plan.plan({"everything": True}, store, {}, WORKS)["problems"]
    assert problem.startswith("Web1@example.com and web1@EXAMPLE.com are the same login in the credential store")


def test_mail_servers_that_would_keep_an_old_password() -> None:
    resumed = {"name": "r", "login": "r@example.com", "next_login": "r@example.com", "resumed": True}
    made = planned(logins=["a@example.com"])
    made["credentials"].append(resumed)
    seen: dict[str, Any] = {
        "h8": {"logins": [{"key": "[smart.test]", "login": "A@Example.com"}], "other_logins": ["r@example.com"]},
        "h9": {"logins": [{"key": "x", "login": "z@example.com"}], "other_logins": ["a@example.com", "a@example.com"]},
        "no Postfix": {"installed": False},
        "not reached": {},
    }
    found = objections.undeclared(made, seen)
    assert [text.partition(", which its variables do not name")[0] for text in found] == [
        "h8 sends with A@Example.com",
        "h9 sends with a@example.com",
    ]


def test_what_is_no_domain_is_named() -> None:
    (problem,) = planned(domains=["example..com"])["problems"]
    assert "spamexperts_rotation.domains: 'example..com' is not a domain name" in problem


def test_people_who_must_be_told() -> None:
    assert [entry["name"] for entry in planned(everything=True)["credentials"] if not entry["hosts"]] == [
        "c@example.net"
    ]


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
    found = planned(works, **rotation)["problems"]
    assert len(found) == 1
    assert message in found[0]


@pytest.mark.parametrize(
    ("login", "others"), [("two words", ["x"]), ("192.0.2.7@example.com", ["x"]), ("a@example.com", ["a@nowhere"])]
)
def test_a_login_that_nobody_can_have_is_not_rotated(login: str, others: list[str]) -> None:
    alternates = {"strategy": "alternate", "alternates": {"a": [login, *others]}} if "@example.com" in login else {}
    made = plan.plan({"everything": True, **alternates}, [credential("a", login)], {"h1": [login]}, WORKS)
    assert (len(made["problems"]), made["credentials"]) == (1, [])
    assert made["problems"][0].startswith("a: no outgoing user can have the login ")


def test_a_host_with_a_login_that_nobody_knows() -> None:
    made = plan.plan({"everything": True}, STORE, {"h1": ["other@example.com"]}, WORKS)
    assert made["problems"][0].startswith("h1 uses the login other@example.com, which is not in the credential store")


def test_alternate_goes_back_and_forth() -> None:
    pair = {"a": ["a@example.com", "a-b@example.com"]}
    for login, other in (pair["a"], pair["a"][::-1]):
        made = plan.plan(
            {"everything": True, "strategy": "alternate", "alternates": pair},
            [credential("a", login)],
            {"h": [login]},
            WORKS,
        )
        (entry,) = made["credentials"]
        assert (entry["next_login"], entry["locked"], entry["leaked"], entry["moves"]) == (other, False, False, True)


def test_what_has_begun_is_finished_as_it_was_begun() -> None:
    begun = credential("a", "a@example.com", "a-b@example.com")
    made = plan.plan({"everything": True}, [begun], {"h1": ["a-b@example.com"]}, WORKS)
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
            "leaked": False,
            "doubtful": False,
        }
    ]


@pytest.mark.parametrize(
    ("name", "declared", "senders"),
    [
        ("a@example.com", [], ["a@example.com"]),
        ("relay of the shop", [], ["old@example.com"]),
        ("a@example.com", ["@example.com", "ü@example.com", "a <b@example.com>"], ["a@example.com"]),
        ("a@example.com", ["y@example.com", "x@example.com", "y@example.com"], ["x@example.com", "y@example.com"]),
        ("a@müller.example", [], ["old@example.com"]),
    ],
)
def test_whose_mail_a_second_login_must_be_able_to_send(name: str, declared: list[str], senders: list[str]) -> None:
    made = plan.plan(
        {"everything": True, "strategy": "alternate", "alternates": {name: ["old@example.com", "new@example.com"]}},
        [credential(name, "old@example.com")],
        {"h": ["old@example.com"]},
        WORKS,
        [("old@example.com", declared), ("nobody@example.com", ["z@example.com"])],
    )
    (entry,) = made["credentials"]
    assert entry["senders"] == senders
    tried = {"login": "new@example.com", "password": "p", "senders": senders}
    assert requests.logins([entry], ["p"], "next_login") == [tried]


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
    made = plan.plan(rotation, [entry], {}, WORKS)
    assert made["problems"] == []
    assert (made["credentials"][0]["locks"], made["credentials"][0]["locked"]) == (locks, locked)


def test_locks_that_the_server_does_not_offer() -> None:
    (problem,) = planned({**WORKS, "lock_users": False}, **LOCKING)["problems"]
    assert problem == (
        "This server offers no calls to lock and unlock a user, so the logins cannot be locked first; name the calls "
        "in api_methods, or leave out spamexperts_rotation.emergency_action."
    )


@pytest.mark.parametrize(
    ("rotation", "state", "leaked"),
    [
        ({}, {}, False),
        ({"emergency": True}, {}, True),
        ({}, {"leaked": True}, True),
        ({"emergency": True}, {"leaked": False}, True),
        ({"roll_back": True}, {"leaked": False}, False),
    ],
)
def test_it_is_remembered_that_a_password_is_out(rotation: dict[str, Any], state: dict[str, Any], leaked: bool) -> None:
    entry = {**credential("a@example.com", next_login="a@example.com" if state else ""), **state}
    made = plan.plan({"everything": True, **rotation}, [entry], {}, WORKS)
    assert (made["problems"], made["credentials"][0]["leaked"]) == ([], leaked)


def test_a_password_that_is_out_is_not_rolled_back() -> None:
    out = {**credential("a@example.com", next_login="a@example.com"), "leaked": True}
    other = credential("b@example.com", next_login="b@example.com")
    made = plan.plan({"everything": True, "roll_back": True}, [out, other], {}, WORKS)
    (problem,) = made["problems"]
    assert problem.startswith("a@example.com: its password from before has leaked")
    assert plan.plan({"logins": ["b@example.com"], "roll_back": True}, [out, other], {}, WORKS)["problems"] == []


def alternate(name: str, second: str, **rotation: Any) -> dict[str, Any]:
    pair = {name: [name, second]}
    return {"logins": [name], "strategy": "alternate", "alternates": pair, **rotation}


@pytest.mark.parametrize(
    ("rotation", "message"),
    [
        (
            alternate("a@example.com", "b@example.com"),
            "cannot move to b@example.com, which the credential b@example.com has",
        ),
        (alternate("a@example.com", "B@EXAMPLE.com"), "which the credential b@example.com has already"),
        (alternate("a@example.com", "A@Example.com"), "with a@example.com and a second login"),
        (alternate("a@example.com", "x@example.com"), "which the host h4 uses already"),
        (alternate("a@example.com", "bob@example.com"), "which the host desk uses already"),
        (alternate("c@example.net", "c-b@example.net"), "c@example.net: no mail server uses c@example.net"),
        (
            alternate("a@example.com", "a-b@example.com", emergency=True),
            "add emergency_action: lock, or rotate it in_place",
        ),
    ],
)
def test_second_logins_that_would_lose_mail_or_leave_a_way_in(rotation: dict[str, Any], message: str) -> None:
    uses = {**USES, "h4": ["x@example.com"]}
    clients = {"desk": {"logins": ["bob@EXAMPLE.com"]}}
    (problem,) = plan.plan(rotation, STORE, uses, WORKS, clients=clients)["problems"]
    assert message in problem


def test_who_stays_does_not_hide_who_cannot_move() -> None:
    begun = credential("a@example.com", next_login="a@example.com")
    rotation = {**alternate("b@example.com", "c@example.net"), "logins": ["a@example.com", "b@example.com"]}
    (problem,) = plan.plan(rotation, [begun, *STORE[1:]], USES, WORKS)["problems"]
    assert "b@example.com cannot move to c@example.net" in problem


def test_two_credentials_cannot_have_the_same_second_login() -> None:
    names = ["a@example.com", "b@example.com"]
    rotation = {
        "logins": names,
        "strategy": "alternate",
        "alternates": {name: [name, "x@example.com"] for name in names},
    }
    (problem,) = plan.plan(rotation, STORE, USES, WORKS)["problems"]
    assert "b@example.com cannot move to x@example.com, which the credential a@example.com has already" in problem


def test_a_second_login_of_a_rotation_that_goes_on_is_its_own() -> None:
    begun = {**credential("a@example.com", next_login="a-b@example.com"), "switched": True}
    rotation = alternate("a@example.com", "a-b@example.com", emergency=True, emergency_action="lock")
    for uses in ({"h1": ["a-b@example.com"]}, {}):
        made = plan.plan(rotation, [begun, *STORE[1:]], uses, WORKS)
        assert made["problems"] == []
        assert made["credentials"][0]["locks"] is True


def test_a_mail_server_with_a_login_of_another_rotation() -> None:
    begun = credential("b@example.com", next_login="b@example.com")
    store = [STORE[0], begun]
    uses = {"h1": ["a@example.com"], "h2": ["b@example.com", "a@example.com"], "h3": ["b@example.com"]}
    assert plan.plan({"logins": ["a@example.com"]}, store, uses, WORKS)["mixed"] == ["h2", "h3"]
    assert plan.plan({"everything": True}, store, uses, WORKS)["mixed"] == []
    assert plan.plan({"logins": ["a@example.com"]}, [STORE[0], {**begun, "switched": True}], uses, WORKS)["mixed"] == []


@pytest.mark.parametrize(
    ("uses", "clients", "message"),
    [
        ({"localhost": []}, {}, "A mail server is called localhost"),
        ({"localhost": False}, {}, "A mail server is called localhost"),
        ({}, {"localhost": {}}, "A host with Thunderbird is called localhost"),
        ({"h1": False}, {}, "h1: its logins could not be read"),
        ({}, {"desk": {}}, "desk: its logins could not be read"),
    ],
)
def test_hosts_whose_part_is_not_known(uses: dict[str, Any], clients: dict[str, Any], message: str) -> None:
    (problem,) = plan.plan({"everything": True}, STORE, uses, WORKS, clients=clients)["problems"]
    assert problem.startswith(message)


def test_whose_thunderbird_takes_part() -> None:
    store = [credential("shop", "a@bücher.example")]
    logins = {"desk": ["a@xn--bcher-kva.example"], "lap": ["b@example.com"], "hall": []}
    clients = {host: {"logins": names, "state": "not_reached"} for host, names in logins.items()}
    assert plan.plan({"everything": True}, store, {}, WORKS, clients=clients)["clients"] == ["desk"]


@pytest.mark.parametrize(
    ("state", "rotation", "works", "locks"),
    [
        ({"locked": True, "leaked": True}, {}, WORKS, True),  # an earlier run may not have done it
        ({"locked": True, "leaked": True}, {}, {**WORKS, "lock_users": False}, False),
        ({"locked": False, "leaked": True}, {}, WORKS, False),
    ],
)
def test_the_first_of_two_logins_is_locked_by_a_later_run(
    state: dict[str, Any], rotation: dict[str, Any], works: dict[str, bool], locks: bool
) -> None:
    entry = {**credential("a@example.com", next_login="b@example.com"), "switched": True, **state}
    made = plan.plan({"everything": True, **rotation}, [entry], {}, works)
    assert (made["problems"], made["credentials"][0]["locks"]) == ([], locks)


@pytest.mark.parametrize(
    ("emergency", "switched", "leaked", "doubtful"),
    [(True, True, False, True), (True, True, True, False), (True, False, False, False), (False, True, False, False)],
)
def test_is_it_the_password_in_use_that_is_out(emergency: bool, switched: bool, leaked: bool, doubtful: bool) -> None:
    entry = {**credential("a@example.com", next_login="a@example.com"), "switched": switched, "leaked": leaked}
    made = plan.plan({"everything": True, "emergency": emergency}, [entry], {}, WORKS)
    assert (made["problems"], made["credentials"][0]["doubtful"]) == ([], doubtful)


def test_a_login_is_the_same_in_both_forms_of_its_domain() -> None:
    store = [credential("shop", "a@bücher.example")]
    made = plan.plan({"hosts": ["h"]}, store, {"h": ["a@xn--bcher-kva.example"]}, WORKS)
    assert (made["problems"], made["credentials"][0]["hosts"]) == ([], ["h"])


def test_an_address_that_cannot_be_offered_is_not_tried() -> None:
    pair = ["a@müller.example", "b@müller.example"]
    rotation = {"everything": True, "strategy": "alternate", "alternates": {pair[0]: pair}}
    made = plan.plan(rotation, [credential(pair[0])], {"h": [pair[0]]}, WORKS)
    assert (made["problems"], made["credentials"][0]["senders"]) == ([], [])

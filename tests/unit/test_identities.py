# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who was declared, who of them has left, and what spamexperts_only leaves of a run."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration import (
    description,
    identities,
    relays,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.description import Given, Site
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.identities import Identity, Known
from ansible_collections.smarthost.spamexperts.plugins.module_utils._declaration.only import Only, login_of, read_only
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import Key
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

GROUPS = {"mail1": ["mail1"], "mail2": ["mail2"], "laptop": ["laptop"], "mail_relays": ["mail1", "mail2"], "empty": []}
DOMAINS = ("a.example", "b.example", "xn--mller-kva.example")
IP = {"username": "192.0.2.1", "authentication_method": "ip", "acknowledge_ip_risk": True}
SENDERS: dict[str, dict[str, Any]] = {
    "alice": {"username": "alice", "people": [{"host": "laptop", "user": "alice", "primary_password": "Secret-42"}]},
    "server": {"username": "server", "relay": ["mail1"]},
    "domain": {"authentication_method": "domain"},
    "ip": {**IP, "default_for": ["mail2"]},
    "gone": {"username": "gone", "state": "absent"},
    "locked": {"username": "locked", "state": "locked"},
    "former": {"username": "server"},
    "unlocked": {"username": "locked"},
    "alone": {"username": "alice"},
    "all": {"username": "server", "relay": True, "default_for": ["mail_relays"]},
}
#: No two of them are the same sender, and none is an address, which is in one domain only.
APART = ("alice", "server", "domain", "gone", "locked")


def read(content: dict[str, list[str]], account: str = "default") -> list[description.Description]:
    """The descriptions of these domains with these senders."""
    contents = [
        {"domain": name, "account": account, "senders": [SENDERS[one] for one in chosen]}
        for name, chosen in content.items()
    ]
    descriptions, problems = description.read(
        [Given(f"domains/{content['domain']}.yml", content) for content in contents], {}, Site(GROUPS)
    )
    assert problems == []
    return descriptions


def remembered(content: dict[str, list[str]], before: Known | None = None) -> Known:
    return identities.remembered(read(content), before or {}, lambda _key: True, ())


described = st.dictionaries(st.sampled_from(DOMAINS), st.lists(st.sampled_from(APART), unique=True))
people = st.lists(
    st.fixed_dictionaries(
        {"host": st.sampled_from(["laptop", "desk"])},
        optional={"user": st.sampled_from(["a", "ü b"]), "profile": st.just("/home/x")},
    ),
    max_size=2,
).map(tuple)
known = st.dictionaries(
    st.tuples(st.sampled_from(DOMAINS), st.sampled_from(["", "alice", "o'brien", "192.0.2.1", "2001:db8::/64"])),
    st.tuples(st.booleans(), people, st.booleans(), st.booleans(), st.sampled_from(["", "2030-01-01"])),
).map(
    lambda entries: {
        Key(*key): Identity(
            Key(*key),
            "domain" if not key[1] else "ip" if key[1][0] == "1" or ":" in key[1] else "user",
            f"account of {key[0]}",
            f"domains/{key[0]}.yml",
            *rest,
        )
        for key, rest in entries.items()
    }
)


# The store


@given(known)
def test_the_store_remembers_exactly_what_it_is_given(remembers: Known) -> None:
    credentials = Credentials()
    credentials.declared = identities.to_store(remembers.values())
    text = credentials.to_text()
    assert identities.from_store(Credentials.from_text(text).declared) == remembers
    # As a person's editor may leave it.
    edited = yaml.safe_dump(json.loads(text))
    assert identities.from_store(Credentials.from_text(edited).declared) == remembers


@pytest.mark.parametrize(
    "entry",
    [
        {},
        {"senders": None},
        {"senders": ["alice"]},
        {"senders": {"alice": None}},
        {"senders": {"alice": "x"}},
        {"senders": {7: {}}},
        {"senders": {"alice": {"people": None}}},
        {"senders": {"alice": {"people": 7}}},
        {"senders": {"alice": {"people": "laptop"}}},
        {"senders": {"alice": {"people": [None, "laptop", {"user": "alice"}, {"host": None}]}}},
        {"senders": {"alice": {"authentication": ["ip"]}}},
        {"senders": {"alice": {"relay": "no", "gone": None}}, "account": None, "place": 7},
    ],
)
def test_what_somebody_has_made_of_it_stops_nothing(entry: dict[str, Any]) -> None:
    before = identities.from_store({"a.example": entry, "b.example": {"senders": {"bob": {}}}})
    assert Key("b.example", "bob") in before
    assert all(isinstance(key.username, str) for key in before)
    assert all(one.people == () for one in before.values())
    descriptions = read({"a.example": [], "b.example": []})
    assert {one.key for one in identities.leavers(descriptions, before)} >= {Key("b.example", "bob")}
    identities.to_store(before.values())


def test_no_secret_is_remembered() -> None:
    text = json.dumps(identities.to_store(remembered({"a.example": [*APART, "ip"]}).values()))
    assert "Secret" not in text
    assert '"people": [{"host": "laptop", "user": "alice"}]' in text


def test_the_store_keeps_of_each_sender_only_what_is_special() -> None:
    nobody = Identity(Key("b.example", "bob"), "user", "default", "")
    senders = {
        **{"": {}, "192.0.2.1": {"authentication": "ip", "relay": True}, "locked": {"locked": True}},
        **{"alice": {"people": [{"host": "laptop", "user": "alice"}]}, "server": {"relay": True}},
    }
    assert identities.to_store([*remembered({"a.example": [*APART, "ip"]}).values(), nobody]) == {
        "a.example": {"account": "default", "place": "domains/a.example.yml", "senders": senders},
        "b.example": {"account": "default", "place": "", "senders": {"bob": {}}},
    }


def test_who_is_remembered_is_who_is_declared_to_be_there() -> None:
    before = remembered({"a.example": [*APART, "ip"]})
    assert {login_of(key) for key in before} == {
        *("alice@a.example", "server@a.example", "a.example", "192.0.2.1@a.example", "locked@a.example")
    }
    assert {login_of(key) for key, one in before.items() if one.relay} == {"server@a.example", "192.0.2.1@a.example"}
    assert before[Key("a.example", "192.0.2.1")].login == ""
    assert before[Key("a.example", "")].to_user() == {"domain": "a.example", "authentication_method": "domain"}


def test_who_was_once_a_mail_servers_login_may_be_so_still() -> None:
    before = remembered({"a.example": ["server"]})
    assert remembered({"a.example": ["former"]}, before)[Key("a.example", "server")].relay
    assert not remembered({"a.example": ["former"]})[Key("a.example", "server")].relay


def test_who_was_once_locked_may_be_so_still() -> None:
    key = Key("a.example", "locked")
    for first, then, locked in (
        *(("unlocked", "unlocked", False), ("locked", "unlocked", True)),
        *(("unlocked", "locked", True), ("locked", "locked", True)),
    ):
        now = remembered({"a.example": [then]}, remembered({"a.example": [first]}))
        assert now[key].locked is locked


def test_whose_thunderbird_sent_as_somebody_is_known_until_it_does_so_no_more() -> None:
    key, person = Key("a.example", "alice"), {"host": "laptop", "user": "alice"}
    for first, then, people in (("alone", "alone", []), ("alice", "alone", [person]), ("alice", "alice", [person])):
        before = remembered({"a.example": [first]})
        assert list(remembered({"a.example": [then]}, before)[key].people) == people


def test_a_password_that_the_store_has_is_not_another_one() -> None:
    key = Key("a.example", "alice")
    before = {key: replace(remembered({"a.example": ["alice"]})[key], has_other_password=True)}
    descriptions = read({"a.example": ["alice"]})
    for stored in ((), ("alice@a.example",)):
        now = identities.remembered(descriptions, before, lambda _key: True, stored)
        assert now[key].has_other_password is (stored == ())


def test_who_comes_back_is_not_gone() -> None:
    before = {key: replace(one, gone="2030-01-01") for key, one in remembered({"a.example": ["alice"]}).items()}
    assert [one.gone for one in remembered({"a.example": ["alice"]}, before).values()] == [""]
    assert [one.gone for one in remembered({"a.example": []}, before).values()] == ["2030-01-01"]


def test_who_has_left_is_in_the_account_that_the_domain_is_in_now() -> None:
    before = remembered({"a.example": ["alice", "server"], "b.example": ["alice"]})
    now = identities.remembered(read({"a.example": ["server"]}, "second"), before, lambda _key: True, ())
    assert {login_of(key): one.account for key, one in now.items()} == {
        "alice@a.example": "second",
        "server@a.example": "second",
        "alice@b.example": "default",
    }


# Who leaves


@given(described, described)
def test_everybody_who_was_declared_stays_leaves_or_has_vanished(
    earlier: dict[str, list[str]], now: dict[str, list[str]]
) -> None:
    before = remembered(earlier)
    descriptions = read(now)
    leaves = {one.key for one in identities.leavers(descriptions, before)}
    vanished = {one.key for gone in identities.vanished(descriptions, before).values() for one in gone}
    named = {sender.wanted.key for one in descriptions for sender in one.senders}
    assert {key.domain for key in leaves} <= set(now), "nobody leaves for a file that has vanished"
    assert {key.domain for key in vanished}.isdisjoint(now)
    assert leaves | vanished | (named & set(before)) == set(before)
    assert leaves.isdisjoint(named | vanished)
    # It is the same in every later run, until something is done.
    after = identities.remembered(descriptions, before, lambda _key: True, ())
    assert {one.key for one in identities.leavers(descriptions, after)} == leaves
    # Who has been removed leaves once.
    done = {key: replace(one, gone="2030-01-01") if key in leaves else one for key, one in after.items()}
    assert identities.leavers(descriptions, done) == []


# What is left of a run

names = st.sampled_from(
    [
        *("a.example", "A.Example.", "b.example", "müller.example", "c.example", "mail1", "mail_relays", "empty"),
        *("alice@a.example", " Alice@A.EXAMPLE ", "nobody@a.example", "192.0.2.1@a.example"),
        *("", "@", "@a.example", "a..b", "x@y@z"),
    ]
)
onlys = st.fixed_dictionaries(
    {}, optional={name: st.lists(names, max_size=3) for name in ("domains", "logins", "hosts")}
)


@given(described, described, onlys)
def test_only_narrows(
    earlier: dict[str, list[str]], now: dict[str, list[str]], given_only: dict[str, list[str]]
) -> None:
    before, descriptions = remembered(earlier), read(now)
    everybody = {sender.wanted.key for one in descriptions for sender in one.senders} | set(before)
    only, problems = read_only(given_only, descriptions, before, GROUPS)
    if problems or given_only == {}:
        assert all(isinstance(problem, str) for problem in problems)
        return
    taken = {key for key in everybody if only.takes(key)}
    written = (name.strip().lower().rstrip(".") for name in given_only.get("logins", ()))
    logins = {name.replace("müller.example", "xn--mller-kva.example") for name in written}
    domains = {key.domain for key in taken if only.takes_domain(key.domain)}
    assert all(key.domain in domains or login_of(key) in logins for key in taken)
    if not given_only.get("domains"):
        assert domains == set()
        assert len(taken) <= len(given_only.get("logins", ()))
    # Whoever is left out stays as it was remembered, wherever the domain is now.
    after = identities.remembered(descriptions, before, only.takes, ())
    assert {key: replace(one, account="", place="") for key, one in after.items() if key not in taken} == {
        key: replace(one, account="", place="") for key, one in before.items() if key not in taken
    }
    # With one name less it is not more.
    for kind, listed in given_only.items():
        for name in listed if kind != "hosts" else ():
            less = {**given_only, kind: [other for other in listed if other != name]}
            narrower, _problems = read_only(less, descriptions, before, GROUPS)
            assert {key for key in everybody if narrower.takes(key)} <= taken


@pytest.mark.parametrize(
    "given_only",
    [
        *("", "a.example", 7, False, True, [], ["a.example"], {"domain": ["a.example"]}),
        *({"domains": wrong} for wrong in ("", "a.example", 7, False, None, {"a.example": 1}, [7], [None])),
    ],
)
def test_what_is_no_choice_is_not_taken_for_everything(given_only: object) -> None:
    _only, problems = read_only(given_only, read({"a.example": ["alice"]}), {}, GROUPS)
    assert len(problems) == 1


def test_what_may_be_chosen_is_named() -> None:
    _only, (problem,) = read_only({"domain": []}, [], {}, GROUPS)
    assert problem == "spamexperts_only has to be a dictionary with domains, logins or hosts."


def test_all_that_are_named_are_chosen() -> None:
    descriptions = read({"a.example": ["alice"], "b.example": ["alice"], "xn--mller-kva.example": ["alice"]})
    only, problems = read_only({"domains": ["a.example", "b.example"]}, descriptions, {}, GROUPS)
    assert problems == []
    assert [one.domain for one in descriptions if only.takes_domain(one.domain)] == ["a.example", "b.example"]


def test_nothing_that_is_chosen_is_nothing() -> None:
    descriptions = read({"a.example": ["alice"]})
    choices: list[dict[str, list[str]]] = [{"domains": []}, {"logins": []}, {"hosts": []}, {"hosts": ["empty"]}]
    for given_only in choices:
        only, problems = read_only(given_only, descriptions, {}, GROUPS)
        assert problems == []
        assert not only.takes(Key("a.example", "alice"))
        assert not only.visits("mail1", None)


@pytest.mark.parametrize(
    ("given_only", "visited"),
    [
        ({"domains": ["b.example"]}, ["mail1"]),
        ({"logins": ["server@b.example"]}, ["mail1"]),
        ({"logins": ["server@a.example"]}, ["mail1", "mail2"]),
        ({"logins": ["alice@a.example"]}, []),
        ({"domains": ["b.example"], "hosts": ["mail2"]}, ["mail2"]),
        ({"hosts": ["mail2", "laptop"]}, ["mail2", "laptop"]),
    ],
)
def test_the_mail_servers_that_send_as_whom_is_chosen_are_visited(
    given_only: dict[str, list[str]], visited: list[str]
) -> None:
    descriptions = read({"a.example": ["all", "alice"], "b.example": ["server"]})
    servers, problems = relays.logins_of_hosts(descriptions, ["mail1", "mail2"], GROUPS)
    only, more = read_only(given_only, descriptions, {}, GROUPS)
    assert problems + more == []
    assert [host for host in ("mail1", "mail2", "laptop") if only.visits(host, servers.get(host))] == visited


@pytest.mark.parametrize(
    ("given_only", "sentence"),
    [
        (
            {"domains": ["aa.example"]},
            "domains names aa.example, which no description has and the store does not know; "
            "perhaps a.example is meant.",
        ),
        (
            {"logins": ["x@y@z"]},
            "logins names x@y@z, which no description has and the store does not know; correct the name, or describe "
            "it first.",
        ),
        ({"hosts": ["mail3"]}, "hosts names mail3, which is no host and no group of the inventory; perhaps mail"),
        ({"hosts": ["x"]}, "hosts names x, which is no host and no group of the inventory; correct the name."),
    ],
)
def test_a_name_that_nobody_knows_is_a_slip(given_only: dict[str, list[str]], sentence: str) -> None:
    only, (problem,) = read_only(given_only, read({"a.example": ["alice"]}), {}, GROUPS)
    assert problem.startswith(f"spamexperts_only.{sentence}")
    assert not only.takes(Key("a.example", "alice"))


def test_names_are_taken_as_people_write_them() -> None:
    descriptions = read({"xn--mller-kva.example": ["alice", "domain"], "a.example": ["ip"]})
    only, problems = read_only(
        {"domains": ["Müller.Example."], "logins": ["192.0.2.1@A.example"]}, descriptions, {}, GROUPS
    )
    assert problems == []
    assert only.takes_domain("xn--mller-kva.example")
    assert only.takes(Key("a.example", "192.0.2.1"))
    assert not only.takes_domain("a.example")


def test_who_has_left_can_be_chosen() -> None:
    before = remembered({"a.example": ["alice"]})
    only, problems = read_only({"logins": ["alice@a.example"]}, read({"a.example": []}), before, GROUPS)
    assert problems == []
    assert only.takes(Key("a.example", "alice"))


def test_all_is_all() -> None:
    nothing: tuple[object, ...] = (None, {})
    for given_only in nothing:
        assert read_only(given_only, [], {}, GROUPS) == (Only(), [])
    assert Only().takes(Key("a.example", "alice"))
    assert Only().visits("mail1", None)

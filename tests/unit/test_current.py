# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of a list of outgoing users, in whatever shape a server sends it."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.client import ApiError, ErrorKind, Reply
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.connection import Smarthost
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.login import (
    LoginProof,
    Refusals,
    Verdict,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import current as _current
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users import methods as _methods
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import Key, OutgoingUser, parse_wanted

DOMAIN = "example.com"


def method(**parts: Any) -> _methods.Method:
    return _methods.parse_given("list", {"call": "a/list", "parameters": {"domain": "domain"}, **parts})


def rows(result: object, **parts: Any) -> list[OutgoingUser]:
    return _current.parse_rows(result, method(**parts), DOMAIN)


def row(**fields: Any) -> OutgoingUser:
    (user,) = rows([{"username": "alice", **fields}])
    return user


@pytest.mark.parametrize("result", [None, [], {}])
def test_nothing_is_an_empty_list(result: object) -> None:
    assert rows(result) == []


def test_a_list_with_keys_is_a_list() -> None:
    assert [user.key for user in rows({"7": {"username": "alice"}, "9": {"username": "bob"}})] == [
        Key(DOMAIN, "alice"),
        Key(DOMAIN, "bob"),
    ]


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("1", "did not answer with a list"),
        (True, "did not answer with a list"),
        (["alice"], "something else than users"),
        ({"items": [{"username": "alice"}], "total": 1}, "something else than users"),
        ([{"email": "alice@example.com"}], "users without a username"),
        ([{"username": "alice", "domain": "42"}], "'42' is not a domain name"),
        ([{"username": "", "type": "ip"}], "an IP user of example.com without an address"),
    ],
)
def test_what_is_no_list_of_users_is_refused(result: object, words: str) -> None:
    with pytest.raises(_methods.MethodError, match=words) as problem:
        rows(result)
    assert "api_methods.list.fields" in str(problem.value)


@pytest.mark.parametrize(
    ("fields", "key", "kind", "listed_name"),
    [
        ({"username": "Alice"}, Key(DOMAIN, "alice"), "user", "Alice"),
        ({"username": "alice@example.com"}, Key(DOMAIN, "alice"), "user", "alice"),
        ({"username": None}, Key(DOMAIN, ""), "domain", ""),
        ({"username": ""}, Key(DOMAIN, ""), "domain", ""),
        ({"username": "@Example.com"}, Key(DOMAIN, ""), "domain", ""),
        ({"username": "example.com", "type": "DOMAIN"}, Key(DOMAIN, ""), "domain", ""),
        ({"username": "192.0.2.7/32"}, Key(DOMAIN, "192.0.2.7"), "ip", "192.0.2.7/32"),
        ({"username": "2001:DB8::/64", "type": "IP"}, Key(DOMAIN, "2001:db8::/64"), "ip", "2001:DB8::/64"),
        # Names that nobody may give, but that are there.
        ({"username": "Two Words"}, Key(DOMAIN, "two words"), "user", "Two Words"),
        ({"username": "bob@example.net"}, Key(DOMAIN, "bob@example.net"), "user", "bob@example.net"),
        ({"username": "192.0.2.1-192.0.2.9", "type": "ip"}, Key(DOMAIN, "192.0.2.1-192.0.2.9"), "ip", None),
        ({"username": "192.0.2.7", "type": "user"}, Key(DOMAIN, "192.0.2.7"), "user", "192.0.2.7"),
        ({"username": "alice", "domain": "Bücher.example"}, Key("xn--bcher-kva.example", "alice"), "user", "alice"),
    ],
)
def test_who_a_row_is(fields: dict[str, Any], key: Key, kind: str, listed_name: Optional[str]) -> None:
    user = row(**fields)
    assert (user.key, user.authentication) == (key, kind)
    assert user.listed_name == (fields["username"] if listed_name is None else listed_name)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("locked", 1, {"locked": True}),
        ("is_locked", "No", {"locked": False}),
        ("locked", "maybe", {}),
        ("limit_per_hour", "500", {"limits.per_hour": 500}),
        ("limit_per_hour", 0, {"limits.per_hour": 0}),
        ("limit_per_hour", "Inherit (500)", {"limits.per_hour": "inherit"}),
        ("limit_per_hour", "many", {}),
        ("limit_per_hour", "²", {}),
        ("limit_per_hour", "9" * 5000, {}),
        ("limit_per_hour", True, {}),
        ("limit_per_hour", None, {}),
        ("limits_enabled", "on", {"limits.enabled": True}),
        ("lock_timeout", "60", {"lock_timeout": 60}),
        ("password", "Correct-Horse-42", {}),
        ("Smtp_Passwd", "Correct-Horse-42", {}),
        ("dkim_private_key", "-----BEGIN", {}),
        ("DKIM_Selector", "mail", {"settings.dkim_selector": "mail"}),
        ("signed", True, {"settings.signed": "1"}),
        ("comment", "", {}),
        ("contacts", ["a"], {}),
        ("more", {"a": 1}, {}),
    ],
)
def test_what_a_field_says(name: str, value: object, expected: dict[str, Any]) -> None:
    assert row(**{name: value}).state == expected


def test_words_translate_only_what_they_can_mean() -> None:
    values = {"inherit": "Default", "true": "1", "false": "0", "ip": "host", "user": "person"}
    default, host = rows(
        [
            {"username": "default", "kind": "person", "locked": "1", "limit_per_hour": 1, "limit_per_day": "default"},
            {"username": "192.0.2.1", "kind": "HOST", "note": "default"},
        ],
        values=values,
        fields={"authentication_method": "kind"},
    )
    assert default == OutgoingUser(
        Key(DOMAIN, "default"), "user", {"locked": True, "limits.per_hour": 1, "limits.per_day": "inherit"}
    )
    assert host == OutgoingUser(Key(DOMAIN, "192.0.2.1"), "ip", {"settings.note": "default"})


class Client:
    """Answers each call with the next of these."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.calls: list[list[tuple[str, str]]] = []

    def call(self, call: str, parameters: Any = (), *, write: bool, secrets: Any = ()) -> Reply:
        self.calls.append(list(parameters))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer)


def read(client: Client, given: Optional[dict[str, Any]], *domains: str) -> _current.Current:
    methods = _methods.Methods({"list": given} if given else None, False, lambda: None)
    return _current.read_lists(client, methods, domains, 1)  # type: ignore[arg-type]  # a stand-in


def test_without_a_list_nothing_is_known_and_nothing_is_asked() -> None:
    client = Client()
    assert read(client, None, DOMAIN).exists(Key(DOMAIN, "alice")) is None
    assert read(client, {"call": "a/list"}).listed == frozenset()
    assert client.calls == []


def test_a_list_of_all_domains_is_read_once_and_the_others_are_left_out() -> None:
    client = Client([{"username": "alice", "domain": DOMAIN}, {"username": "eve", "domain": "example.net"}])
    current = read(client, {"call": "a/list"}, DOMAIN, "example.org")
    assert client.calls == [[]]
    assert set(current.users) == {Key(DOMAIN, "alice")}
    assert current.exists(Key("example.org", "alice")) is False


@pytest.mark.parametrize("kind", [ErrorKind.NOT_FOUND, ErrorKind.NOT_YOURS, ErrorKind.FOREIGN])
def test_a_domain_that_is_not_there_yet_has_no_users(kind: ErrorKind) -> None:
    given = {"call": "a/list", "parameters": {"domain": "zone"}}
    client = Client(ApiError(kind, "no such domain"))
    assert read(client, given, DOMAIN).exists(Key(DOMAIN, "alice")) is False
    assert client.calls == [[("zone", DOMAIN)]]


def test_a_list_that_fails_otherwise_is_an_error() -> None:
    given = {"call": "a/list", "parameters": {"domain": "zone"}}
    with pytest.raises(ApiError, match="broken"):
        read(Client(ApiError(ErrorKind.SERVER_FAULT, "broken")), given, DOMAIN)


def prove(current: _current.Current, monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict) -> None:
    """Prove alice, bob and an IP user."""
    asked: list[Any] = []

    def logins(_server: Smarthost, pairs: list[tuple[str, str]], *, keep: int, **_options: Any) -> list[LoginProof]:
        assert keep == 1, "a refusal is left for the proof of what is written"
        asked.extend(pairs)
        return [
            LoginProof(login, verdict, "it is down" if verdict is Verdict.UNKNOWN else "")
            for (login, _password), verdict in zip(pairs, verdicts)
        ]

    monkeypatch.setattr(_current, "prove_logins", logins)
    wanted = [
        parse_wanted({"domain": DOMAIN, "username": name, "password": "Correct-Horse-42"}, position, "on_mismatch")
        for position, name in enumerate(["alice", "bob"])
    ] + [parse_wanted({"domain": DOMAIN, "username": "192.0.2.1", "authentication_method": "ip"}, 2, "on_mismatch")]
    _current.prove_passwords(
        current, wanted, Smarthost("mail.example"), domain_login="domain", connections=1, refusals=Refusals()
    )
    assert len(asked) == len(verdicts)


def test_logins_prove_and_what_cannot_be_asked_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    current = _current.Current()
    prove(current, monkeypatch, Verdict.ACCEPTED, Verdict.UNKNOWN)
    assert current.exists(Key(DOMAIN, "alice")) is True
    assert current.exists(Key(DOMAIN, "bob")) is None
    assert (current.unreachable, current.is_mute) == ("it is down", False)
    mute = _current.Current()
    prove(mute, monkeypatch, Verdict.UNKNOWN, Verdict.UNKNOWN)
    assert mute.is_mute


@pytest.mark.parametrize("known", [{"listed": frozenset({DOMAIN})}, {"new": frozenset({DOMAIN})}])
def test_nobody_logs_in_as_a_user_that_is_known_to_be_missing(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, frozenset[str]]
) -> None:
    """In a list, or as its domain is new."""
    current = _current.Current(**known)  # type: ignore[arg-type]  # both are sets of names
    prove(current, monkeypatch)
    assert current.proofs == {}
    assert current.exists(Key(DOMAIN, "alice")) is False

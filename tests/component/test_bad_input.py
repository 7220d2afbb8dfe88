# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad options and bad replies: the module fails with one clear sentence, without a secret, and nothing is written."""

from __future__ import annotations

import json
from typing import Any, Callable

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api import client, reply

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module
from tests.support.wire import ADDRESS, PASSWORD

ALICE: dict[str, Any] = {"domain": "example.com", "username": "alice", "password": PASSWORD}
SENDER: dict[str, Any] = {"domain": "example.com", "username": "192.0.2.1", "authentication_method": "ip"}
LIST: dict[str, Any] = {"call": "outgoingusers/list", "parameters": {"domain": "domain"}}


def with_list(entry: object) -> dict[str, Any]:
    return {"api_methods": {"list": entry}}


def method(operation: str, **parts: Any) -> dict[str, Any]:
    return {"api_methods": {operation: {"call": "outgoingusers/do", "parameters": ADDRESS, **parts}}}


#: What is wrong with one entry of `users`.
ENTRIES: list[dict[str, Any]] = [
    {"domain": ""},
    {"domain": "   "},
    {"domain": "."},
    {"domain": "localhost"},
    {"domain": "example..com"},
    {"domain": "-example.com"},
    {"domain": "example-.com"},
    {"domain": "exa mple.com"},
    {"domain": "exa/mple.com"},
    {"domain": "example.com/"},
    {"domain": "exa\x00mple.com"},
    {"domain": "exam\nple.com"},
    {"domain": "*.example.com"},
    {"domain": "https://example.com"},
    {"domain": "alice@example.com"},
    {"domain": "a" * 64 + ".com"},
    {"domain": "a." * 130 + "com"},
    {"domain": "\u200dexample.com"},
    {"domain": "exämple\u202e.com"},
    {"domain": "ü" * 70 + ".com"},
    {"username": ""},
    {"username": None},
    {"username": "  "},
    {"username": "a" * 65},
    {"username": "a/b"},
    {"username": "a b"},
    {"username": "a\tb"},
    {"username": "a\nb"},
    {"username": "a\x00"},
    {"username": "a\x7fb"},
    {"username": "ä"},
    {"username": ".alice"},
    {"username": "alice."},
    {"username": "a..b"},
    {"username": '"alice"'},
    {"username": "a,b"},
    {"username": "a;b"},
    {"username": "192.0.2.1"},
    {"username": "2001:db8::1"},
    {"username": "alice@"},
    {"username": "@example.com"},
    {"username": "alice@example.org"},
    {"username": "alice@bob@example.com"},
    {"authentication_method": "domain"},
    {"authentication_method": "domain", "username": "example.org"},
    {"password": ""},
    {"password": "short"},
    {"password": "Correct-Horse\n42"},
    {"password": "Correct-Horse\x0042"},
    {"password": "Correct-Horse\x7f42"},
    {"password": " Correct-Horse-42"},
    {"password": "Correct-Horse-42 "},
    {"password": "Correct-Horse-42\u00a0"},
    {"username": "administrator", "password": "Administrator"},
    {"password_file": "/nonexistent/alice"},
    {"password": None, "password_file": "/nonexistent/alice"},
    {"password": None, "password_file": "/"},
    {"password": None, "password_file": "/dev/null"},
    {"limits": {"per_minute": -1}},
    {"limits": {"per_hour": -1}},
    {"limits": {"recipients_per_day": -5}},
    {"limits": {"per_day": 2**31}},
    {"limits": {"per_month": 10**30}},
    {"limits": {"per_hour": True}},
    {"limits": {"per_hour": "many"}},
    {"limits": {"per_hour": 1.5}},
    {"limits": {"per_hour": ""}},
    {"limits": {"per_year": 1}},
    {"limits": {"enabled": "perhaps"}},
    {"limits": {"inherit": ["per_year"]}},
    {"limits": {"per_hour": 1, "inherit": ["per_hour"]}},
    {"limits": "unlimited"},
    {"locked": "maybe"},
    {"automatic_lock": 7},
    {"lock_timeout": 0},
    {"lock_timeout": 10081},
    {"lock_timeout": -60},
    {"lock_timeout": True},
    {"lock_timeout": "an hour"},
    {"maximum_unlocks": 0},
    {"maximum_unlocks": 101},
    {"settings": {"DKIM": "x"}},
    {"settings": {"a/b": "x"}},
    {"settings": {"": "x"}},
    {"settings": {"locked": True}},
    {"settings": {"per_hour": 1}},
    {"settings": {"selector": None}},
    {"settings": {"selector": ""}},
    {"settings": {"selector": " mail"}},
    {"settings": {"selector": "a\nb"}},
    {"settings": {"selector": ".."}},
    {"settings": {"selector": ["a"]}},
    {"settings": {"selector": 1.5}},
    {"settings": "selector"},
    {"state": "gone"},
    {"authentication_method": "certificate"},
    {"update_password": "sometimes"},
    {"passwort": "x"},
    {"ignore": "perhaps"},
    {**SENDER, "password": PASSWORD},
    {**SENDER, "password": None, "former_password": PASSWORD},
    {**SENDER, "password": None, "password_file": "/nonexistent/x"},
    *(
        {**SENDER, "password": None, "username": address}
        for address in [
            "",
            "mail.example.com",
            "192.0.2.256",
            "192.0.2",
            "192.0.2.1-192.0.2.9",
            "192.0.2.0/33",
            "192.0.2.1/",
            "192.0.2.1/28",
            "2001:db8::1/64",
            "010.0.0.1",
            "fe80::1%eth0",
            "0.0.0.0/0",
            "::/0",
            "0.0.0.0",
            "224.0.0.1",
            "ff02::1",
            "10.0.0.5",
            "fe80::1",
            "8.0.0.0/5",
            "2000::/3",
        ]
    ),
]

#: Options of the whole task; the last one is wrong.
OPTIONS: list[dict[str, Any]] = [
    {"users": None},
    {"users": [{"username": "alice"}]},
    {"user": [ALICE]},
    {"users": [ALICE, {**ALICE, "username": "ALICE@Example.COM."}]},
    {"users": [ALICE, {**ALICE, "state": "absent"}]},
    {"users": [SENDER, {**SENDER, "domain": "example.org", "username": "192.0.2.1/32"}]},
    {"users": [SENDER, {**SENDER, "domain": "example.org", "username": "192.0.2.0/24"}]},
    {"users": [{**SENDER, "username": "2001:DB8::1"}, {**SENDER, "username": "2001:db8:0::1"}]},
    {"refused_logins": -1},
    {"new_domains": ["example.com", "bad domain"]},
    {"concurrency": 0},
    {"concurrency": 17},
    {"wait_timeout": -1},
    {"update_password": "sometimes"},
    {"purge": True},
    {"purge": True, "purge_domains": []},
    {"purge": True, "purge_domains": ["example.org"]},
    {"purge": True, "purge_domains": ["bad domain"]},
    {"purge": True, "purge_domains": ["example.com"], "purge_limit": -1},
    {"api_url": "http://localhost"},
    {"api_url": "https://"},
    {"api_url": "localhost"},
    {"api_url": "https://localhost/api/"},
    {"api_url": "https://localhost:99999"},
    {"api_url": f"https://admin:{PASSWORD}@localhost"},
    {"api_username": ""},
    {"api_username": "a:b"},
    {"api_password": ""},
    {"ca_path": "/nonexistent"},
    {"client_cert": "/nonexistent"},
    {"client_key": "/nonexistent"},
    {"proxy": f"socks://u:{PASSWORD}@localhost"},
    {"timeout": 0},
    {"retries": -1},
    {"retry_time": -1},
    {"http_method": "PUT"},
    {"http_agent": "a\r\nX-Evil: 1"},
    {"smarthost": ""},
    {"smarthost": "host:587"},
    {"smarthost": "[host]"},
    {"smarthost_port": 0},
    {"smarthost_port": 65536},
    {"smarthost_ca_path": "/nonexistent"},
    {"api_methods": ["list"]},
    {"api_methods": {"enumerate": LIST}},
    with_list("outgoingusers/list"),
    with_list({"call": "list"}),
    with_list({"call": "outgoingusers/list/../../x"}),
    with_list({**LIST, "verb": "GET"}),
    with_list({**LIST, "parameters": ["domain"]}),
    with_list({**LIST, "parameters": {"domain": ""}}),
    with_list({**LIST, "parameters": {"domain": "a/b"}}),
    with_list({**LIST, "parameters": {"domains": "domain"}}),
    with_list({**LIST, "fields": {"username": "user name"}}),
    with_list({**LIST, "fields": {"username": "name", "domain": "name"}}),
    with_list({**LIST, "values": {"default": "x"}}),
    with_list({**LIST, "fixed": {"a/b": "x"}}),
    with_list({**LIST, "fixed": {"domain": "x"}}),
    with_list({**LIST, "fixed": {"format": "plain"}}),
    method("lock", parameters={"domain": "domain"}),
    method("lock", fields={"username": "name"}),
    method("set_limits", parameters={**ADDRESS, "per_year": "y"}),
    method("set_password"),
]

#: What ansible-core refuses of several users -> whom the message names, where it can.
USERS: list[tuple[list[Any], str]] = [
    (["alice"], "dictionary"),
    ([ALICE, {**ALICE, "username": "bob", "limits": {"per_hour": ""}}], "; see users[1] (bob@example.com)"),
    ([ALICE, {"domain": "example.org", "limits": {"per_hour": "x"}}], "; see users[1] (example.org)"),
    (
        [{**ALICE, "limits": None}, {"username": "bob"}],
        "domain found in users; see users[1] (bob@no domain)",
    ),
    ([ALICE, {**ALICE, "username": "bob", "no_such": 1}], "; see users[1] (bob@example.com)"),
    ([ALICE, *[{**ALICE, "locked": "x"}] * 12], "users[10] (alice@example.com) and 2 more"),
]

#: Bodies of a reply to a list -> the code of the failure.
REPLIES: list[tuple[str, str]] = [
    ("", "bad_reply"),
    ("\ufeff\n", "bad_reply"),
    ("{", "bad_reply"),
    ('{"messages":[],"result":[{"username":"al', "bad_reply"),
    ('{"messages":[],"result":NaN}', "bad_reply"),
    ('{"messages":[],"result":"1"}', "bad_reply"),
    ('{"messages":[],"result":1}', "bad_reply"),
    ('{"messages":[],"result":true}', "bad_reply"),
    ('{"messages":[],"result":"none"}', "bad_reply"),
    ('{"messages":[],"result":["alice"]}', "bad_reply"),
    ('{"messages":[],"result":[[]]}', "bad_reply"),
    ('{"messages":[],"result":[null]}', "bad_reply"),
    ('{"messages":[],"result":[{"id":7}]}', "bad_reply"),
    ('{"messages":[],"result":[{"username":"alice","domain":"?"}]}', "bad_reply"),
    ('{"messages":null,"result":0}', "bad_reply"),
    ('{"messages":["Everything is wrong"],"result":null}', "other"),
    ('{"messages":{"error":["No.","Failed."]},"result":null}', "other"),
    ('{"messages":{"error":"No."},"result":[]}', "other"),
    ('{"messages":{"success":["Fine"],"error":["Not fine"]},"result":[]}', "other"),
    ('{"error":"Broken","result":[]}', "other"),
    ('\ufeff\n{"messages":{"error":["Behind a mark"]}}', "other"),
    ("\n\n  ERROR: Behind newlines\n", "other"),
    ("1", "bad_reply"),
    ('"text"', "bad_reply"),
    ("some plain text", "bad_reply"),
    ("ERROR: Database connection error.\n", "server_fault"),
    ("exception : SQLSTATE[HY000] [2002] Connection refused", "server_fault"),
    ("<!DOCTYPE html><html><head><title>Please log in</title></head></html>", "bad_reply"),
    ("<html><body>It works!</body></html>", "bad_reply"),
    ("ERROR: Incorrect usage of API\n", "unsupported"),
    ("ERROR: You have no permission to call this method\n", "no_permission"),
    ("ERROR: Supplied credential is invalid.\n", "credentials"),
    ("ERROR: You don't have permissions to access the API.\n", "api_not_allowed"),
    ("ERROR: The user 'x' has status 'inactive'\n", "admin_inactive"),
    ("ERROR: no access to this API, current IP address '192.0.2.1' is not allowed\n", "address_not_allowed"),
]

#: Other faults of the server, at any call -> the code of the failure.
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "status", "code": 503}, "server_fault"),
    ({"kind": "status", "code": 500}, "server_fault"),
    ({"kind": "status", "code": 404}, "server_fault"),
    ({"kind": "status", "code": 403}, "credentials"),
    ({"kind": "status", "code": 429, "retry_after": 3600}, "server_fault"),
    ({"kind": "redirect", "location": "https://evil.example/api/"}, "bad_reply"),
    ({"kind": "redirect", "location": "http://localhost/"}, "bad_reply"),
    ({"kind": "half_reply"}, "unreachable"),
    ({"kind": "reset_before"}, "unreachable"),
    ({"kind": "bad_credentials"}, "credentials"),
    ({"kind": "inactive"}, "admin_inactive"),
    ({"kind": "ip_not_allowed"}, "address_not_allowed"),
    ({"kind": "api_not_allowed"}, "api_not_allowed"),
    ({"kind": "sqlstate"}, "server_fault"),
]

Run = Callable[..., ModuleRun]


@pytest.fixture
def run(emulator: Emulator) -> Run:
    emulator.seed(domains=["example.com", "example.org"])

    def run_it(**options: Any) -> ModuleRun:
        arguments = {**emulator.connection, **emulator.smarthost_options, "users": [ALICE], "retries": 0, **options}
        return run_module("outgoing_users", arguments)

    return run_it


def check(run: ModuleRun, code: str, emulator: Emulator) -> None:
    """One clear sentence, its code, nothing written, no secret."""
    assert run.failed, run.result
    assert run.code == code, run.message
    assert "\n" not in run.message
    assert len(run.message) < 900
    assert "Traceback" not in run.raw
    assert not run.changed
    for secret in (PASSWORD, emulator.api_password):
        assert secret not in run.raw
    assert emulator.counters()["effective_writes"] == 0


@pytest.mark.parametrize("entry", ENTRIES)
def test_bad_entries_are_refused_before_anything_is_asked(run: Run, emulator: Emulator, entry: dict[str, Any]) -> None:
    done = run(users=[{**ALICE, "username": "bob"}, {**ALICE, **entry}])
    check(done, "invalid_options", emulator)
    assert "users[1]" in done.message
    counters = emulator.counters()
    assert counters["reads"] + counters["writes"] + counters["auths"] == 0


@pytest.mark.parametrize("options", OPTIONS)
def test_bad_options_are_refused_before_anything_is_asked(
    run: Run, emulator: Emulator, options: dict[str, Any]
) -> None:
    done = run(**options)
    check(done, "invalid_options", emulator)
    assert list(options)[-1] in done.message
    counters = emulator.counters()
    assert counters["reads"] + counters["writes"] + counters["auths"] == 0


@pytest.mark.parametrize(("users", "words"), USERS)
def test_what_ansible_core_refuses_names_the_user(run: Run, emulator: Emulator, users: list[Any], words: str) -> None:
    done = run(users=users)
    check(done, "invalid_options", emulator)
    assert words in done.message


@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
@pytest.mark.parametrize(("body", "code"), REPLIES)
def test_bad_replies_to_a_list_stop_everything(
    run: Run, emulator: Emulator, body: str, code: str, content_type: str
) -> None:
    emulator.faults(
        {"match": "outgoingusers/list", "kind": "body", "text": body, "content_type": content_type, "times": None}
    )
    check(run(**with_list(LIST)), code, emulator)
    assert emulator.counters()["writes"] == 0


@pytest.mark.parametrize(("fault", "code"), FAULTS)
def test_faults_of_the_server_stop_everything(run: Run, emulator: Emulator, fault: dict[str, Any], code: str) -> None:
    emulator.faults({"match": "outgoingusers/list", "times": None, **fault})
    check(run(**with_list(LIST)), code, emulator)
    assert emulator.counters()["writes"] == 0


@pytest.mark.parametrize("body", [b'{"messages":[],"result":[{"username":"\xff\xfe"}]}', b"\xff\xfe\x00{"])
def test_text_that_is_not_utf_8_is_refused(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(f"{client.__name__}.parse_reply", lambda _body, *, write: reply.parse_reply(body, write=write))
    check(run(**with_list(LIST)), "bad_reply", emulator)
    assert emulator.counters()["writes"] == 0


#: A server that answers these to a list is taken at its word.
@pytest.mark.parametrize(
    "body",
    [
        '{"messages":[],"result":[]}',
        '{"messages":{},"result":{}}',
        '{"messages":null,"result":null}',
        '{"result":[]}',
        "[]",
        '\ufeff\r\n{"messages":{"success":["1 user"]},"result":{"17":{"username":"bob"}}}',
    ],
)
def test_odd_but_good_replies_are_understood(run: Run, emulator: Emulator, body: str) -> None:
    emulator.faults({"match": "outgoingusers/list", "kind": "body", "text": body, "times": None})
    done = run(**with_list(LIST), wait_timeout=0)
    assert not done.failed, done.message
    assert done.result["totals"]["created"] == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("ERROR: The password is too weak\n", "The password is too weak"),
        (f"ERROR: The password '{PASSWORD}' is too weak\n", "The password '********' is too weak"),
        ("<html><title>Oops</title></html>", "a web page (Oops)"),
        ("done, I think", "done, I think"),
        ("false", "false"),
        ('{"messages":{"error":["The outgoing product is not enabled"]}}', "product is not enabled"),
        ("ERROR: You are not allowed to manage the domain 'example.com'\n", "use the admin that it belongs to"),
        ("ERROR: You have reached the allowed limit\n", "ask the provider for more"),
    ],
)
def test_bad_replies_to_a_write_name_the_user_and_the_rest_goes_on(
    run: Run, emulator: Emulator, body: str, words: str
) -> None:
    emulator.faults({"match": "outgoingusers/add", "kind": "body", "text": body, "times": 1})
    done = run(users=[ALICE, {**ALICE, "username": "bob"}], concurrency=1)
    assert done.failed
    assert "1 of 2 outgoing users failed: alice@example.com: " in done.message
    assert words in done.message
    assert done.result["totals"] == {**done.result["totals"], "created": 1, "failed": 1}
    assert PASSWORD not in done.raw


def test_hopeless_errors_are_one_sentence_and_stop_the_run(run: Run, emulator: Emulator) -> None:
    emulator.faults({"match": "outgoingusers/add", "kind": "bad_credentials", "times": None, "skip": 5})
    done = run(users=[{**ALICE, "username": f"user{number}"} for number in range(200)], concurrency=4)
    assert done.failed
    assert len(done.message) < 400
    assert done.message.count("check api_username") == 1
    assert done.result["totals"]["created"] == 5
    assert emulator.counters()["writes"] <= 5 + 4


@pytest.mark.parametrize("command", ["outgoing_user", "outgoing_users"])
def test_check_mode_predicts_what_cannot_be_done(emulator: Emulator, command: str) -> None:
    emulator.seed(domains=["example.com"])
    nobody = {"domain": "example.com", "username": "alice"}
    entry: dict[str, Any] = nobody if command == "outgoing_user" else {"users": [nobody]}
    runs = [
        run_module(command, {**emulator.connection, **emulator.smarthost_options, **entry}, check=c)
        for c in (True, False)
    ]
    assert [done.failed for done in runs] == [True, True]
    assert json.dumps(runs[0].result, sort_keys=True) == json.dumps(runs[1].result, sort_keys=True)


def test_there_are_at_least_120_bad_inputs() -> None:
    assert len(ENTRIES) + len(OPTIONS) + len(REPLIES) + len(FAULTS) >= 120

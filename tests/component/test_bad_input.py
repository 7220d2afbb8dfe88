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

PASSWORD = "Correct-Horse-42"
ALICE: dict[str, Any] = {"domain": "example.com", "username": "alice", "password": PASSWORD}
SENDER: dict[str, Any] = {"domain": "example.com", "username": "192.0.2.1", "authentication_method": "ip"}
ADDRESS = {"domain": "domain", "username": "username"}
LIST: dict[str, Any] = {"call": "outgoingusers/list", "parameters": {"domain": "domain"}}


def with_list(entry: object) -> dict[str, Any]:
    return {"api_methods": {"list": entry}}


def method(operation: str, **parts: Any) -> dict[str, Any]:
    return {"api_methods": {operation: {"call": "outgoingusers/do", "parameters": ADDRESS, **parts}}}


#: What is wrong with one entry of `users` -> a part of the message.
ENTRIES: list[tuple[dict[str, Any], str]] = [
    ({"domain": ""}, "the domain is empty"),
    ({"domain": "   "}, "the domain is empty"),
    ({"domain": "."}, "the domain is empty"),
    ({"domain": "localhost"}, "give it as in example.com"),
    ({"domain": "example..com"}, "is not a domain name"),
    ({"domain": "-example.com"}, "is not a domain name"),
    ({"domain": "example-.com"}, "is not a domain name"),
    ({"domain": "exa mple.com"}, "is not a domain name"),
    ({"domain": "exa/mple.com"}, "is not a domain name"),
    ({"domain": "example.com/"}, "is not a domain name"),
    ({"domain": "exa\x00mple.com"}, "is not a domain name"),
    ({"domain": "exam\nple.com"}, "is not a domain name"),
    ({"domain": "*.example.com"}, "is not a domain name"),
    ({"domain": "https://example.com"}, "is not a domain name"),
    ({"domain": "alice@example.com"}, "is not a domain name"),
    ({"domain": "a" * 64 + ".com"}, "is not a domain name"),
    ({"domain": "a." * 130 + "com"}, "is not a domain name"),
    ({"domain": "\u200dexample.com"}, "IDNA"),
    ({"domain": "exämple\u202e.com"}, "IDNA"),
    ({"domain": "ü" * 70 + ".com"}, "is not a domain name"),
    ({"username": ""}, "username is missing"),
    ({"username": None}, "username is missing"),
    ({"username": "  "}, "username is missing"),
    ({"username": "a" * 65}, "at most 64"),
    ({"username": "a/b"}, "is not the local part"),
    ({"username": "a b"}, "is not the local part"),
    ({"username": "a\tb"}, "is not the local part"),
    ({"username": "a\nb"}, "is not the local part"),
    ({"username": "a\x00"}, "is not the local part"),
    ({"username": "a\x7fb"}, "is not the local part"),
    ({"username": "ä"}, "is not the local part"),
    ({"username": ".alice"}, "is not the local part"),
    ({"username": "alice."}, "is not the local part"),
    ({"username": "a..b"}, "is not the local part"),
    ({"username": '"alice"'}, "is not the local part"),
    ({"username": "a,b"}, "is not the local part"),
    ({"username": "a;b"}, "is not the local part"),
    ({"username": "192.0.2.1"}, "authentication_method to ip"),
    ({"username": "2001:db8::1"}, "is not the local part"),
    ({"username": "alice@"}, "the domain is empty"),
    ({"username": "@example.com"}, "username is missing"),
    ({"username": "alice@example.org"}, "belongs to another domain"),
    ({"username": "alice@bob@example.com"}, "is not the local part"),
    ({"authentication_method": "domain"}, "has no username"),
    ({"authentication_method": "domain", "username": "example.org"}, "has no username"),
    ({"password": ""}, "shorter than 12"),
    ({"password": "short"}, "shorter than 12"),
    ({"password": "Correct-Horse\n42"}, "control character"),
    ({"password": "Correct-Horse\x0042"}, "control character"),
    ({"password": "Correct-Horse\x7f42"}, "control character"),
    ({"password": " Correct-Horse-42"}, "begins or ends with a blank"),
    ({"password": "Correct-Horse-42 "}, "begins or ends with a blank"),
    ({"password": "Correct-Horse-42\u00a0"}, "begins or ends with a blank"),
    ({"username": "administrator", "password": "Administrator"}, "part of the login"),
    ({"password_file": "/nonexistent/alice"}, "choose one"),
    ({"password": None, "password_file": "/nonexistent/alice"}, "cannot be written"),
    ({"password": None, "password_file": "/"}, "cannot be read"),
    ({"password": None, "password_file": "/dev/null"}, "shorter than 12"),
    ({"limits": {"per_minute": -1}}, "per_minute is -1"),
    ({"limits": {"per_hour": -1}}, "per_hour is -1"),
    ({"limits": {"recipients_per_day": -5}}, "recipients_per_day is -5"),
    ({"limits": {"per_day": 2**31}}, "from 0 to 2147483647"),
    ({"limits": {"per_month": 10**30}}, "from 0 to 2147483647"),
    ({"limits": {"per_hour": True}}, "per_hour is True"),
    ({"limits": {"per_hour": "many"}}, "int"),
    ({"limits": {"per_hour": 1.5}}, "int"),
    ({"limits": {"per_hour": ""}}, "int"),
    ({"limits": {"per_year": 1}}, "per_year"),
    ({"limits": {"enabled": "perhaps"}}, "enabled"),
    ({"limits": {"inherit": ["per_year"]}}, "per_year"),
    ({"limits": {"per_hour": 1, "inherit": ["per_hour"]}}, "choose one"),
    ({"limits": "unlimited"}, "dict"),
    ({"locked": "maybe"}, "locked"),
    ({"automatic_lock": 7}, "automatic_lock"),
    ({"lock_timeout": 0}, "from 1 to 10080 minutes"),
    ({"lock_timeout": 10081}, "from 1 to 10080 minutes"),
    ({"lock_timeout": -60}, "from 1 to 10080 minutes"),
    ({"lock_timeout": True}, "lock_timeout is True"),
    ({"lock_timeout": "an hour"}, "int"),
    ({"maximum_unlocks": 0}, "from 1 to 100"),
    ({"maximum_unlocks": 101}, "from 1 to 100"),
    ({"settings": {"DKIM": "x"}}, "lower-case"),
    ({"settings": {"a/b": "x"}}, "lower-case"),
    ({"settings": {"": "x"}}, "lower-case"),
    ({"settings": {"locked": True}}, "option of its own"),
    ({"settings": {"per_hour": 1}}, "option of its own"),
    ({"settings": {"selector": None}}, "not empty"),
    ({"settings": {"selector": ""}}, "not empty"),
    ({"settings": {"selector": " mail"}}, "blank at either end"),
    ({"settings": {"selector": "a\nb"}}, "control characters"),
    ({"settings": {"selector": ".."}}, "setting selector"),
    ({"settings": {"selector": ["a"]}}, "setting selector"),
    ({"settings": {"selector": 1.5}}, "setting selector"),
    ({"settings": "selector"}, "dict"),
    ({"state": "gone"}, "state"),
    ({"authentication_method": "certificate"}, "authentication_method"),
    ({"update_password": "sometimes"}, "update_password"),
    ({"passwort": "x"}, "passwort"),
    ({"ignore": "perhaps"}, "ignore"),
    ({**SENDER, "password": PASSWORD}, "an IP user has no password"),
    ({**SENDER, "password": None, "former_password": PASSWORD}, "an IP user has no password"),
    ({**SENDER, "password": None, "password_file": "/nonexistent/x"}, "an IP user has no password"),
    *(
        ({**SENDER, "password": None, "username": address}, words)
        for address, words in [
            ("", "is not an IP address"),
            ("mail.example.com", "is not an IP address"),
            ("192.0.2.256", "is not an IP address"),
            ("192.0.2", "is not an IP address"),
            ("192.0.2.1-192.0.2.9", "is not an IP address"),
            ("192.0.2.0/33", "is not an IP address"),
            ("192.0.2.1/", "is not an IP address"),
            ("192.0.2.1/28", "write 192.0.2.0/28"),
            ("2001:db8::1/64", "write 2001:db8::/64"),
            ("010.0.0.1", "is not an IP address"),
            ("fe80::1%eth0", "give one without %"),
            ("0.0.0.0/0", "cannot be the address of a sender"),
            ("::/0", "cannot be the address of a sender"),
            ("0.0.0.0", "cannot be the address of a sender"),
            ("224.0.0.1", "cannot be the address of a sender"),
            ("ff02::1", "cannot be the address of a sender"),
            ("10.0.0.5", "no filter in the internet sees a sender come from 10.0.0.5"),
            ("fe80::1", "set allow_private_address: true"),
            ("8.0.0.0/5", "8.0.0.0/5 is wider than /24"),
            ("2000::/3", "set allow_wide_network: true"),
        ]
    ),
]

#: Options of the whole task -> a part of the message.
OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"users": None}, "users"),
    ({"users": ["alice"]}, "dict"),
    ({"users": [{"username": "alice"}]}, "domain"),
    ({"user": [ALICE]}, "user"),
    ({"users": [ALICE, {**ALICE, "username": "ALICE@Example.COM."}]}, "users[1] and users[0] are both"),
    ({"users": [ALICE, {**ALICE, "state": "absent"}]}, "users[1] and users[0] are both"),
    ({"users": [SENDER, {**SENDER, "domain": "example.org", "username": "192.0.2.1/32"}]}, "to two domains"),
    ({"users": [SENDER, {**SENDER, "domain": "example.org", "username": "192.0.2.0/24"}]}, "to two domains"),
    ({"users": [{**SENDER, "username": "2001:DB8::1"}, {**SENDER, "username": "2001:db8:0::1"}]}, "are both"),
    ({"users": [ALICE, {**ALICE, "username": "bob", "limits": {"per_hour": ""}}]}, "; see users[1] (bob@example.com)"),
    ({"users": [ALICE, {"domain": "example.org", "limits": {"per_hour": "x"}}]}, "; see users[1] (example.org)"),
    (
        {"users": [{**ALICE, "limits": None}, {"username": "bob"}]},
        "domain found in users; see users[1] (bob@no domain)",
    ),
    ({"users": [ALICE, {**ALICE, "username": "bob", "no_such": 1}]}, "; see users[1] (bob@example.com)"),
    ({"users": [ALICE, *[{**ALICE, "locked": "x"}] * 12]}, "users[10] (alice@example.com) and 2 more"),
    ({"refused_logins": -1}, "refused_logins is -1"),
    ({"new_domains": ["example.com", "bad domain"]}, "'bad domain' is not a domain name"),
    ({"concurrency": 0}, "concurrency is 0"),
    ({"concurrency": 17}, "concurrency is 17"),
    ({"wait_timeout": -1}, "wait_timeout is -1"),
    ({"update_password": "sometimes"}, "update_password"),
    ({"purge": True}, "purge needs purge_domains"),
    ({"purge": True, "purge_domains": []}, "purge needs purge_domains"),
    ({"purge": True, "purge_domains": ["example.org"]}, "purge_domains does not name it"),
    ({"purge": True, "purge_domains": ["bad domain"]}, "is not a domain name"),
    ({"purge": True, "purge_domains": ["example.com"], "purge_limit": -1}, "purge_limit is -1"),
    ({"api_url": "http://localhost"}, "api_url must be https://"),
    ({"api_url": "https://"}, "api_url must be https://"),
    ({"api_url": "localhost"}, "api_url must be https://"),
    ({"api_url": "https://localhost/api/"}, "without a path"),
    ({"api_url": "https://localhost:99999"}, "api_url must be https://"),
    ({"api_url": f"https://admin:{PASSWORD}@localhost"}, "api_url holds a user name or a password"),
    ({"api_username": ""}, "api_username is empty"),
    ({"api_username": "a:b"}, "has a colon"),
    ({"api_password": ""}, "api_password is empty"),
    ({"ca_path": "/nonexistent"}, "ca_path names /nonexistent"),
    ({"client_cert": "/nonexistent"}, "client_cert names /nonexistent"),
    ({"client_key": "/nonexistent"}, "client_key needs client_cert"),
    ({"proxy": f"socks://u:{PASSWORD}@localhost"}, "proxy must be http://"),
    ({"timeout": 0}, "timeout is 0"),
    ({"retries": -1}, "retries is -1"),
    ({"retry_time": -1}, "retry_time is -1"),
    ({"http_method": "PUT"}, "http_method"),
    ({"http_agent": "a\r\nX-Evil: 1"}, "http_agent"),
    ({"smarthost": ""}, "is neither a host name nor an IP address"),
    ({"smarthost": "host:587"}, "is neither a host name nor an IP address"),
    ({"smarthost": "[host]"}, "is neither a host name nor an IP address"),
    ({"smarthost_port": 0}, "smarthost_port: 0 is not a port"),
    ({"smarthost_port": 65536}, "smarthost_port: 65536 is not a port"),
    ({"smarthost_ca_path": "/nonexistent"}, "smarthost_ca_path names"),
    ({"api_methods": ["list"]}, "dict"),
    ({"api_methods": {"enumerate": LIST}}, "unknown operation"),
    (with_list("outgoingusers/list"), "must have the keys call, parameters"),
    (with_list({"call": "list"}), "must be controller/action"),
    (with_list({"call": "outgoingusers/list/../../x"}), "must be controller/action"),
    (with_list({**LIST, "verb": "GET"}), "must have the keys call, parameters"),
    (with_list({**LIST, "parameters": ["domain"]}), "must map names"),
    (with_list({**LIST, "parameters": {"domain": ""}}), "must map names"),
    (with_list({**LIST, "parameters": {"domain": "a/b"}}), "cannot be a name of the API"),
    (with_list({**LIST, "parameters": {"domains": "domain"}}), "has 'domains'"),
    (with_list({**LIST, "fields": {"username": "user name"}}), "cannot be a name of the API"),
    (with_list({**LIST, "fields": {"username": "name", "domain": "name"}}), "for two things"),
    (with_list({**LIST, "values": {"default": "x"}}), "has 'default'"),
    (with_list({**LIST, "fixed": {"a/b": "x"}}), "cannot be a name of the API"),
    (with_list({**LIST, "fixed": {"domain": "x"}}), "for two things"),
    (with_list({**LIST, "fixed": {"format": "plain"}}), "cannot be a name of the API"),
    (method("lock", parameters={"domain": "domain"}), "does not say how outgoingusers/do names username"),
    (method("lock", fields={"username": "name"}), "fields has no meaning"),
    (method("set_limits", parameters={**ADDRESS, "per_year": "y"}), "has 'per_year'"),
    (method("set_password"), "does not say how outgoingusers/do names password"),
]

#: Bodies of a reply to a list -> a part of the message.
REPLIES: list[tuple[str, str]] = [
    ("", "an empty page"),
    ("\ufeff\n", "an empty page"),
    ("{", "JSON that ends in the middle"),
    ('{"messages":[],"result":[{"username":"al', "JSON that ends in the middle"),
    ('{"messages":[],"result":NaN}', "JSON"),
    ('{"messages":[],"result":"1"}', "did not answer with a list"),
    ('{"messages":[],"result":1}', "did not answer with a list"),
    ('{"messages":[],"result":true}', "did not answer with a list"),
    ('{"messages":[],"result":"none"}', "did not answer with a list"),
    ('{"messages":[],"result":["alice"]}', "something else than users"),
    ('{"messages":[],"result":[[]]}', "something else than users"),
    ('{"messages":[],"result":[null]}', "something else than users"),
    ('{"messages":[],"result":[{"id":7}]}', "users without a username"),
    ('{"messages":[],"result":[{"username":"alice","domain":"?"}]}', "is not a domain name"),
    ('{"messages":null,"result":0}', "did not answer with a list"),
    ('{"messages":["Everything is wrong"],"result":null}', "Everything is wrong"),
    ('{"messages":{"error":["No.","Failed."]},"result":null}', "No; Failed"),
    ('{"messages":{"error":"No."},"result":[]}', "the server answered: No"),
    ('{"messages":{"success":["Fine"],"error":["Not fine"]},"result":[]}', "Not fine"),
    ('{"error":"Broken","result":[]}', "Broken"),
    ('\ufeff\n{"messages":{"error":["Behind a mark"]}}', "Behind a mark"),
    ("\n\n  ERROR: Behind newlines\n", "Behind newlines"),
    ("1", "did not answer with a list"),
    ('"text"', "did not answer with a list"),
    ("some plain text", "did not answer with a list"),
    ("ERROR: Database connection error.\n", "Database connection error"),
    ("exception : SQLSTATE[HY000] [2002] Connection refused", "SQLSTATE"),
    ("<!DOCTYPE html><html><head><title>Please log in</title></head></html>", "a web page (Please log in)"),
    ("<html><body>It works!</body></html>", "a web page"),
    ("ERROR: Incorrect usage of API\n", "api_methods"),
    ("ERROR: You have no permission to call this method\n", "use an admin who may do this"),
    ("ERROR: Supplied credential is invalid.\n", "check api_username and api_password"),
    ("ERROR: You don't have permissions to access the API.\n", "Control Panel API usage"),
    ("ERROR: The user 'x' has status 'inactive'\n", "activate this admin"),
    ("ERROR: no access to this API, current IP address '192.0.2.1' is not allowed\n", "may use the API"),
]

#: Other faults of the server, at any call -> a part of the message.
FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "status", "code": 503}, "HTTP status 503"),
    ({"kind": "status", "code": 500}, "HTTP status 500"),
    ({"kind": "status", "code": 404}, "HTTP status 404"),
    ({"kind": "status", "code": 403}, "HTTP status 403"),
    ({"kind": "status", "code": 429, "retry_after": 3600}, "asked to wait 3600 seconds"),
    ({"kind": "redirect", "location": "https://evil.example/api/"}, "sent it on to https://evil.example"),
    ({"kind": "redirect", "location": "http://localhost/"}, "sent it on to http://localhost"),
    ({"kind": "half_reply"}, "outgoingusers/list"),
    ({"kind": "reset_before"}, "ended the connection"),
    ({"kind": "bad_credentials"}, "check api_username and api_password"),
    ({"kind": "inactive"}, "activate this admin"),
    ({"kind": "ip_not_allowed"}, "may use the API"),
    ({"kind": "api_not_allowed"}, "Control Panel API usage"),
    ({"kind": "sqlstate"}, "SQLSTATE"),
]

Run = Callable[..., ModuleRun]


@pytest.fixture
def run(emulator: Emulator) -> Run:
    emulator.seed(domains=["example.com", "example.org"])

    def run_it(**options: Any) -> ModuleRun:
        arguments = {**emulator.connection, **emulator.smarthost_options, "users": [ALICE], "retries": 0, **options}
        return run_module("outgoing_users", arguments)

    return run_it


def check(run: ModuleRun, words: str, emulator: Emulator) -> None:
    """One clear sentence, nothing written, no secret."""
    assert run.failed, run.result
    assert words in run.message
    assert "\n" not in run.message
    assert len(run.message) < 900
    assert "Traceback" not in run.raw
    assert not run.changed
    for secret in (PASSWORD, emulator.api_password):
        assert secret not in run.raw
    assert emulator.counters()["effective_writes"] == 0


@pytest.mark.parametrize(("entry", "words"), ENTRIES)
def test_bad_entries_are_refused_before_anything_is_asked(
    run: Run, emulator: Emulator, entry: dict[str, Any], words: str
) -> None:
    check(run(users=[{**ALICE, **entry}]), words, emulator)
    counters = emulator.counters()
    assert counters["reads"] + counters["writes"] + counters["auths"] == 0


@pytest.mark.parametrize(("options", "words"), OPTIONS)
def test_bad_options_are_refused_before_anything_is_asked(
    run: Run, emulator: Emulator, options: dict[str, Any], words: str
) -> None:
    check(run(**options), words, emulator)
    counters = emulator.counters()
    assert counters["reads"] + counters["writes"] + counters["auths"] == 0


@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
@pytest.mark.parametrize(("body", "words"), REPLIES)
def test_bad_replies_to_a_list_stop_everything(
    run: Run, emulator: Emulator, body: str, words: str, content_type: str
) -> None:
    emulator.faults(
        {"match": "outgoingusers/list", "kind": "body", "text": body, "content_type": content_type, "times": None}
    )
    check(run(**with_list(LIST)), words, emulator)
    assert emulator.counters()["writes"] == 0


@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_faults_of_the_server_stop_everything(run: Run, emulator: Emulator, fault: dict[str, Any], words: str) -> None:
    emulator.faults({"match": "outgoingusers/list", "times": None, **fault})
    check(run(**with_list(LIST)), words, emulator)
    assert emulator.counters()["writes"] == 0


@pytest.mark.parametrize("body", [b'{"messages":[],"result":[{"username":"\xff\xfe"}]}', b"\xff\xfe\x00{"])
def test_text_that_is_not_utf_8_is_refused(
    run: Run, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    monkeypatch.setattr(f"{client.__name__}.parse_reply", lambda _body, *, write: reply.parse_reply(body, write=write))
    check(run(**with_list(LIST)), "outgoingusers/list", emulator)
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

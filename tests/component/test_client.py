# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against the emulator: what is sent, repeated, followed, and said when it fails."""

from __future__ import annotations

import base64
import gc
import json
import logging
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable
from urllib.parse import quote, quote_plus

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.client import (
    ApiError,
    Client,
    ErrorKind,
    Reply,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.connection import Connection
from ansible_collections.smarthost.spamexperts.plugins.module_utils._names import InputError

from tests.support.emulator import Emulator
from tests.support.tunnel import tunnel

NASTY = "Ge/heim+ %41\\'\"ä€😀?#&;"


class Session:
    """A client of the emulator, with the warnings that it gave."""

    def __init__(self, emulator: Emulator, **changes: Any) -> None:
        self.warnings: list[str] = []
        connection = Connection(
            emulator.api_url,
            emulator.api_username,
            emulator.api_password,
            ca_path=emulator.ca_file,
            timeout=10,
            retry_time=10,
        )
        self.client = Client(replace(connection, **changes), self.warnings.append)

    def read(self) -> Reply:
        return self.client.call("version/get", write=False)

    def write(self, username: str = "bob", password: str = NASTY) -> Reply:
        parameters = [("domain", "example.com"), ("username", username), ("password", password)]
        return self.client.call("outgoingusers/add", parameters, write=True, secrets=[password])

    def failure(self, send: Callable[[], object]) -> ApiError:
        with pytest.raises(ApiError) as caught:
            send()
        error = caught.value
        assert error.__context__ is None, "the exception of requests holds the address"
        assert "\n" not in str(error)
        assert str(error).endswith(".")
        return error


@pytest.fixture
def open_session(emulator: Emulator) -> Iterator[Callable[..., Session]]:
    opened: list[Session] = []
    emulator.seed(domains=["example.com"])
    emulator.reset_counters()

    def start(**changes: Any) -> Session:
        opened.append(Session(changes.pop("server", emulator), **changes))
        return opened[-1]

    yield start
    for session in opened:
        session.client.close()


Opener = Callable[..., Session]


def port_of(emulator: Emulator) -> int:
    return int(emulator.api_url.rpartition(":")[2])


# What arrives


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_any_password_arrives(open_session: Opener, emulator: Emulator, method: str) -> None:
    session = open_session(http_method=method)
    for number, password in enumerate([NASTY, "%2F%252F", "a" * 300, "\\", "..x", "日本語"]):
        session.write(f"user{number}", password)
    assert len(emulator.users()) == 6
    assert {entry["method"] for entry in emulator.requests()} == {method}
    assert session.warnings == []


def test_a_reply_has_result_and_success(open_session: Opener) -> None:
    session = open_session()
    assert session.read().success == ()
    assert isinstance(session.read().result, str)
    assert session.write().result is None
    assert session.client.call("domain/exists", [("domain", "example.com")], write=False).result == {"present": 1}


def test_the_help_page(open_session: Opener) -> None:
    assert "/api/outgoingusers/add/domain/" in open_session().client.page("/api/help/")


@pytest.mark.parametrize("letters", ["ädmin@example.test", "admin"])
def test_login_in_utf8(emulator_factory: Callable[..., Emulator], letters: str) -> None:
    running = emulator_factory(username=letters)
    session = Session(running)
    assert session.read().result
    session.client.close()


# Connections


def test_connections_are_reused_over_threads_and_over_pools(open_session: Opener, emulator: Emulator) -> None:
    with tunnel(port_of(emulator)) as counted:
        session = open_session(url=f"https://localhost:{counted.port}")
        for _round in range(3):
            with ThreadPoolExecutor(max_workers=4) as pool:
                replies = list(pool.map(lambda _number: session.read(), range(40)))
            assert len(replies) == 40
        assert counted.connections <= 4
    assert emulator.counters()["requests"] == {"version/get": 120}


def test_more_threads_than_connections(open_session: Opener, emulator: Emulator) -> None:
    with tunnel(port_of(emulator)) as counted:
        session = open_session(url=f"https://localhost:{counted.port}")
        with ThreadPoolExecutor(max_workers=24) as pool:
            assert len(list(pool.map(lambda number: session.write(f"user{number}"), range(60)))) == 60
        assert counted.connections <= 16
    assert len(emulator.users()) == 60


def test_a_write_after_the_server_has_closed_idle_connections(emulator_factory: Callable[..., Emulator]) -> None:
    running = emulator_factory(persistent=True)
    running.seed(domains=["example.com"])
    session = Session(running)
    session.read()
    running.restart()
    session.write()
    assert len(running.users()) == 1
    assert session.warnings == []
    session.client.close()


def test_it_says_who_it_is(open_session: Opener, emulator: Emulator) -> None:
    for agent in ("smarthost.spamexperts/9.9", "night shift"):
        open_session(http_agent=agent).read()
        assert emulator.requests()[-1]["agent"] == agent


# Repetition


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "half_reply", "sqlstate"])
def test_a_read_is_repeated(open_session: Opener, emulator: Emulator, kind: str) -> None:
    session = open_session()
    emulator.faults({"match": "version/get", "kind": kind, "times": 2})
    assert session.read().result
    assert len(session.warnings) == 2
    assert session.warnings[0].startswith("version/get failed: ")
    assert "It is tried again in " in session.warnings[0]


def test_each_pause_is_longer_and_none_is_like_another(open_session: Opener, emulator: Emulator) -> None:
    """So that many clients that failed together do not come back together."""
    pauses = []
    for session in (open_session(), open_session(), open_session()):
        emulator.faults({"match": "version/get", "kind": "reset_before", "times": 2})
        begin = time.monotonic()
        session.read()
        said = [float(warning.split()[-2]) for warning in session.warnings]
        assert time.monotonic() - begin == pytest.approx(sum(said), abs=0.5)
        pauses.append(said)
    for first, second in pauses:
        assert 0.2 <= first <= 0.8
        assert 0.5 <= second <= 1.5
    assert len({tuple(said) for said in pauses}) > 1


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_read_is_repeated_after_a_bad_status(open_session: Opener, emulator: Emulator, code: int) -> None:
    session = open_session()
    emulator.faults({"match": "*", "kind": "status", "code": code, "times": 1})
    assert session.read().result
    assert f"HTTP status {code}" in session.warnings[0]


def test_half_a_json_that_arrived_whole_is_repeated_as_a_read(open_session: Opener, emulator: Emulator) -> None:
    session = open_session()
    emulator.faults({"match": "*", "kind": "body", "text": '{"messages":[],"resu', "times": 1})
    assert session.read().result
    emulator.faults({"match": "*", "kind": "body", "text": '{"messages":[],"resu', "times": 1})
    assert session.failure(session.write).kind is ErrorKind.LOST_REPLY


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset_before"},
        {"kind": "reset_after"},
        {"kind": "half_reply"},
        {"kind": "latency", "seconds": 2},
        {"kind": "status", "code": 502},
        {"kind": "status", "code": 503},
        {"kind": "status", "code": 504},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_write_without_a_reply_is_never_repeated(
    open_session: Opener, emulator: Emulator, fault: dict[str, Any], method: str
) -> None:
    session = open_session(timeout=1, http_method=method)
    emulator.faults({"match": "*", **fault})
    error = session.failure(session.write)
    assert error.kind is ErrorKind.LOST_REPLY
    assert "it may or may not have been done" in str(error)
    assert emulator.counters()["writes"] == 1
    assert session.warnings == []
    if fault["kind"] == "latency":  # it happens after all, and must not happen during the next test
        deadline = time.monotonic() + 10
        while not emulator.users() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(emulator.users()) == 1


@pytest.mark.parametrize("code", [429, 503])
def test_a_write_is_repeated_when_the_server_asks_for_it(open_session: Opener, emulator: Emulator, code: int) -> None:
    session = open_session()
    emulator.faults({"match": "*", "kind": "status", "code": code, "retry_after": 1, "times": 2})
    started = time.monotonic()
    session.write()
    assert 2 <= time.monotonic() - started < 8
    assert "asked to wait 1 seconds" in session.warnings[0]
    assert emulator.counters()["effective_writes"] == 1


def test_a_write_is_repeated_after_429_without_a_time(open_session: Opener, emulator: Emulator) -> None:
    session = open_session()
    emulator.faults({"match": "*", "kind": "status", "code": 429, "times": 1})
    session.write()
    assert len(session.warnings) == 1


def test_a_write_that_never_left_is_repeated(open_session: Opener, emulator: Emulator) -> None:
    with tunnel(port_of(emulator), reset=2) as broken:
        session = open_session(url=f"https://localhost:{broken.port}")
        session.write()
    assert len(session.warnings) == 2
    assert emulator.counters()["writes"] == 1


def test_a_write_that_never_left_is_not_a_lost_one(open_session: Opener, emulator: Emulator) -> None:
    with tunnel(port_of(emulator), reset=9) as broken:
        session = open_session(url=f"https://localhost:{broken.port}", retries=1)
        assert session.failure(session.write).kind is ErrorKind.UNREACHABLE
    assert broken.connections == 2
    assert emulator.counters()["writes"] == 0


def test_a_write_that_left_on_a_second_connection_is_lost(open_session: Opener, emulator: Emulator) -> None:
    """What a thread has sent before says nothing about its next request, and the other way round."""
    with tunnel(port_of(emulator)) as counted:
        session = open_session(url=f"https://localhost:{counted.port}", retries=0)
        session.write("first")
    error = session.failure(lambda: session.write("second"))
    assert error.kind in (ErrorKind.UNREACHABLE, ErrorKind.LOST_REPLY)
    assert session.failure(lambda: session.write("third")).kind is ErrorKind.UNREACHABLE


@pytest.mark.parametrize(
    "kind", ["bad_credentials", "inactive", "ip_not_allowed", "api_not_allowed", "html", "redirect"]
)
def test_what_cannot_pass_is_never_repeated(open_session: Opener, emulator: Emulator, kind: str) -> None:
    session = open_session()
    emulator.faults(
        {"match": "*", "kind": kind, **({"location": "https://localhost:1/"} if kind == "redirect" else {})}
    )
    session.failure(session.read)
    assert emulator.counters()["requests"] == {"version/get": 1}
    assert session.warnings == []


def test_the_time_for_all_repetitions_is_limited(open_session: Opener, emulator: Emulator) -> None:
    session = open_session(timeout=1, retry_time=2.5, retries=99)
    emulator.faults({"match": "*", "kind": "latency", "seconds": 3})
    started = time.monotonic()
    error = session.failure(session.read)
    assert time.monotonic() - started < 4.5
    assert error.kind is ErrorKind.UNREACHABLE
    assert "localhost did not answer within 1 seconds" in str(error)


def test_a_longer_wait_than_there_is_time_fails_at_once(open_session: Opener, emulator: Emulator) -> None:
    session = open_session()
    emulator.faults({"match": "*", "kind": "status", "code": 503, "retry_after": 3600})
    started = time.monotonic()
    error = session.failure(session.write)
    assert time.monotonic() - started < 2
    assert (error.kind, session.warnings) == (ErrorKind.SERVER_FAULT, [])
    assert "asked to wait 3600 seconds" in str(error)


def test_the_number_of_repetitions_is_limited(open_session: Opener, emulator: Emulator) -> None:
    session = open_session(retries=1)
    emulator.faults({"match": "*", "kind": "status", "code": 500})
    assert "failed 2 times: the server answered with the HTTP status 500" in str(session.failure(session.read))
    assert emulator.counters()["requests"] == {"version/get": 2}


def test_no_repetition_when_none_is_wanted(open_session: Opener, emulator: Emulator) -> None:
    session = open_session(retries=0)
    emulator.faults({"match": "*", "kind": "reset_before"})
    assert "version/get at" in str(session.failure(session.read))
    assert emulator.counters()["requests"] == {"version/get": 1}


# Errors


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (
            "bad_credentials",
            ErrorKind.CREDENTIALS,
            "Supplied credential is invalid; check api_username and api_password",
        ),
        ("api_not_allowed", ErrorKind.API_NOT_ALLOWED, 'allow this admin "Control Panel API usage"'),
        ("ip_not_allowed", ErrorKind.ADDRESS_NOT_ALLOWED, "'127.0.0.1' is not allowed; add this address to those"),
        ("inactive", ErrorKind.ADMIN_INACTIVE, "activate this admin in the control panel"),
        ("html", ErrorKind.BAD_REPLY, "a web page (Please log in); check that api_url is the address"),
        ("sqlstate", ErrorKind.SERVER_FAULT, "SQLSTATE[HY000] [2002] Connection refused; try again later"),
    ],
)
def test_errors_say_what_to_do(
    open_session: Opener, emulator: Emulator, fault: str, kind: ErrorKind, words: str
) -> None:
    session = open_session(retries=0)
    emulator.faults({"match": "*", "kind": fault})
    for send in (session.read, session.write):
        error = session.failure(send)
        assert error.kind is kind
        assert words in str(error)
        assert error.lines


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (400, ErrorKind.SERVER_FAULT, "HTTP status 400"),
        (401, ErrorKind.CREDENTIALS, "check api_username and api_password"),
        (403, ErrorKind.CREDENTIALS, "check api_username and api_password"),
        (404, ErrorKind.SERVER_FAULT, "HTTP status 404 (a web page (Error 404)); check api_url"),
        (405, ErrorKind.SERVER_FAULT, "choose the other http_method"),
        (414, ErrorKind.SERVER_FAULT, "HTTP status 414"),
        (500, ErrorKind.SERVER_FAULT, "ask the provider"),
        (304, ErrorKind.SERVER_FAULT, "HTTP status 304"),
    ],
)
def test_statuses(open_session: Opener, emulator: Emulator, code: int, kind: ErrorKind, words: str) -> None:
    session = open_session(retries=0)
    emulator.faults({"match": "*", "kind": "status", "code": code})
    for send in (session.read, session.write):
        error = session.failure(send)
        assert error.kind is kind
        assert words in str(error)


@pytest.mark.parametrize(("code", "kind"), [(403, ErrorKind.NO_PERMISSION), (404, ErrorKind.NOT_FOUND)])
def test_a_server_without_a_help_page(open_session: Opener, emulator: Emulator, code: int, kind: ErrorKind) -> None:
    session = open_session(retries=0)
    emulator.faults({"match": "help", "kind": "status", "code": code})
    assert session.failure(lambda: session.client.page("/api/help/")).kind is kind


def test_an_error_in_place_of_a_page(open_session: Opener) -> None:
    session = open_session(password="wrong-horse-battery")
    assert session.failure(lambda: session.client.page("/api/help/")).kind is ErrorKind.CREDENTIALS


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("\ufeff\n" + json.dumps({"messages": {"error": ["No such domain"]}}), ErrorKind.NOT_FOUND),
        ("ERROR: Domain already exists.\nERROR: Failed to add domain 'x'\n", ErrorKind.ALREADY_EXISTS),
        (json.dumps({"messages": {"error": {"0": "You are not the owner of 'x'."}}}), ErrorKind.NOT_YOURS),
        (json.dumps({"messages": "You have reached the allowed limit"}), ErrorKind.LIMIT_REACHED),
        ("Incorrect usage of API", ErrorKind.UNSUPPORTED),
        ("Hello", ErrorKind.BAD_REPLY),
    ],
)
@pytest.mark.parametrize("content_type", ["text/html", "application/json", "text/plain"])
def test_the_content_type_says_nothing(
    open_session: Opener, emulator: Emulator, text: str, kind: ErrorKind, content_type: str
) -> None:
    session = open_session()
    emulator.faults({"match": "*", "kind": "body", "text": text, "content_type": content_type})
    assert session.failure(session.write).kind is kind


def test_an_empty_reply(open_session: Opener, emulator: Emulator) -> None:
    session = open_session()
    emulator.faults({"match": "*", "kind": "body", "text": ""})
    assert session.write() == Reply()
    assert "the server answered: an empty page" in str(session.failure(session.read))


def test_long_and_many_lines_are_shortened_in_the_sentence_only(open_session: Opener, emulator: Emulator) -> None:
    session = open_session()
    lines = [f"{number} {'long ' * 200}" for number in range(9)]
    emulator.faults({"match": "*", "kind": "body", "text": json.dumps({"messages": {"error": lines}})})
    error = session.failure(session.read)
    assert len(str(error)) < 1600
    assert error.lines == tuple(line.strip() for line in lines)


def test_wrong_password(open_session: Opener) -> None:
    session = open_session(password="wrong-horse-battery")
    error = session.failure(session.read)
    assert error.kind is ErrorKind.CREDENTIALS
    assert error.lines == ("Supplied credential is invalid.",)


# Hosts and TLS


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"url": "https://localhost:1"}, "localhost could not be reached (connection refused); check api_url"),
        ({"url": "https://nowhere.invalid"}, "the host name nowhere.invalid is not known; check api_url"),
        ({"ca_path": None}, "could not be verified (unable to get local issuer certificate); set ca_path to the file"),
        ({"ca_path": __file__}, "could not agree on TLS"),
        ({"client_cert": __file__}, "could not agree on TLS"),
    ],
)
def test_hosts_that_cannot_be_reached(open_session: Opener, changes: dict[str, Any], words: str, write: bool) -> None:
    session = open_session(**changes, retries=0)
    error = session.failure(session.write if write else session.read)
    assert error.kind is ErrorKind.UNREACHABLE
    assert words in str(error)


def test_a_server_without_tls(open_session: Opener, emulator: Emulator) -> None:
    session = open_session(url=f"https://localhost:{emulator.smtp_port}")
    error = session.failure(session.write)
    assert error.kind is ErrorKind.UNREACHABLE
    assert "could not agree on TLS (wrong version number); check api_url, ca_path" in str(error)


def test_a_name_that_is_not_in_the_certificate(open_session: Opener, emulator: Emulator) -> None:
    with tunnel(port_of(emulator), proxy=True) as proxy:
        session = open_session(url=f"https://panel.example:{proxy.port}", proxy=f"http://127.0.0.1:{proxy.port}")
        error = session.failure(session.write)
    assert error.kind is ErrorKind.UNREACHABLE
    assert "certificate of panel.example could not be verified (Hostname mismatch" in str(error)
    assert "set ca_path to the file with the right authority, or api_url to the name in the certificate" in str(error)


def test_verification_switched_off(open_session: Opener, recwarn: pytest.WarningsRecorder) -> None:
    session = open_session(ca_path=None, validate_certs=False)
    assert session.read().result
    assert len(recwarn) == 0


def test_a_client_certificate_is_taken(open_session: Opener, tmp_path: Path) -> None:
    import trustme  # noqa: PLC0415 - only this test makes certificates

    certificate = trustme.CA().issue_cert("me@example.test")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    certificate.private_key_pem.write_to_path(key)
    certificate.cert_chain_pems[0].write_to_path(chain)
    both = tmp_path / "both.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(both)
    assert open_session(client_cert=str(chain), client_key=str(key)).read().result
    assert open_session(client_cert=str(both)).read().result


# The environment


def test_the_options_win_over_the_environment(
    open_session: Opener, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/nowhere/ca.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with tunnel(port_of(emulator), proxy=True) as proxy:
        assert open_session(proxy=f"http://127.0.0.1:{proxy.port}").read().result
        assert open_session(proxy=f"http://127.0.0.1:{proxy.port}", ca_path=None, validate_certs=False).read().result


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_from_the_environment(
    open_session: Opener, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, emulator.ca_file)
    assert open_session(ca_path=None).read().result


def test_a_certificate_file_of_the_environment_that_is_missing(
    open_session: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    session = open_session(ca_path=None, retries=0)
    assert session.failure(session.read).kind is ErrorKind.UNREACHABLE


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_from_the_environment(
    open_session: Opener, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with tunnel(port_of(emulator), proxy=True) as proxy:
        monkeypatch.setenv(variable, f"http://me:hunter-is-22@127.0.0.1:{proxy.port}")
        assert open_session().write().success
        login = base64.b64encode(b"me:hunter-is-22").decode()
        assert proxy.connects[0].startswith(f"CONNECT localhost:{port_of(emulator)} ")
        assert f"Proxy-Authorization: Basic {login}" in proxy.connects[0]
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert open_session().read().result
        assert len(proxy.connects) == 1


@pytest.mark.parametrize("status", [407, 502])
def test_a_proxy_that_refuses(open_session: Opener, emulator: Emulator, status: int) -> None:
    with tunnel(port_of(emulator), proxy=True, status=status) as proxy:
        session = open_session(proxy=f"http://me:hunter-is-22@127.0.0.1:{proxy.port}")
        error = session.failure(session.write)
    assert error.kind is ErrorKind.UNREACHABLE
    assert f"the proxy did not let it through (HTTP status {status}); check proxy" in str(error)
    assert len(proxy.connects) == 1
    assert "hunter" not in str(error)


def test_a_proxy_that_is_not_there(open_session: Opener) -> None:
    session = open_session(proxy="http://me:hunter-is-22@127.0.0.1:1", retries=1)
    error = session.failure(session.write)
    assert error.kind is ErrorKind.UNREACHABLE
    assert "failed 2 times: the proxy did not let it through (no connection)" in str(error)


@pytest.mark.parametrize("address", ["http://us[er:hunter-is-22@proxy:3128", "http://u:hunter-is-22\u2100@proxy:3128"])
def test_a_proxy_of_the_environment_whose_address_is_none(
    open_session: Opener, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(InputError, match="has an address that cannot be read; correct it") as problem:
        open_session()
    assert "hunter" not in str(problem.value)


def test_a_socks_proxy_of_the_environment(open_session: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    session = open_session(retries=0)
    assert "check proxy, or the variables HTTPS_PROXY" in str(session.failure(session.read))


# Redirects


def test_a_redirect_on_the_same_host_is_followed(open_session: Opener, emulator: Emulator) -> None:
    session = open_session()
    emulator.faults({"match": "*", "kind": "redirect", "location": "/api/version/get/format/json/", "times": 2})
    assert session.read().result
    absolute = f"{emulator.api_url}/api/version/get/format/json/"
    emulator.faults({"match": "*", "kind": "redirect", "location": absolute, "times": 1})
    assert session.write().result


def test_a_circle_of_redirects(open_session: Opener, emulator: Emulator) -> None:
    session = open_session()
    emulator.faults({"match": "*", "kind": "redirect", "location": "/api/version/get/"})
    assert "again and again" in str(session.failure(session.read))
    assert emulator.counters()["requests"] == {"version/get": 4}


def test_a_redirect_to_another_place_gets_nothing(
    open_session: Opener, emulator: Emulator, documented_emulator: Emulator
) -> None:
    session = open_session()
    elsewhere = documented_emulator.api_url
    for location in (
        f"{elsewhere}/api/version/get/",
        f"http://localhost:{port_of(emulator)}/",
        f"//127.0.0.1:{port_of(emulator)}/",
        "ftp://localhost/",
        f"https://localhost:{port_of(emulator)}0000/{quote(NASTY, safe='')}",
        f"https://[x/{quote(NASTY, safe='')}",
    ):
        emulator.faults({"match": "*", "kind": "redirect", "location": location})
        for send in (session.read, session.write):
            error = session.failure(send)
            assert error.kind is ErrorKind.BAD_REPLY
            assert "where no password is sent; set api_url to the right address" in str(error)
            assert NASTY[:2] not in str(error)
    assert documented_emulator.counters()["requests"] == {}
    assert f"sent it on to {elsewhere}" in _redirect_error(session, emulator, f"{elsewhere}/x")
    assert "sent it on to an address that cannot be read, where" in _redirect_error(session, emulator, "https://[x")


def _redirect_error(session: Session, emulator: Emulator, location: str) -> str:
    emulator.faults({"match": "*", "kind": "redirect", "location": location})
    return str(session.failure(session.read))


# Secrets


def _forms(secret: str) -> list[str]:
    encoded = quote(secret, safe="")
    return [secret, encoded, encoded.lower(), quote_plus(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset_before"},
        {"kind": "reset_after"},
        {"kind": "half_reply"},
        {"kind": "latency", "seconds": 2},
        {"kind": "status", "code": 429},
        {"kind": "status", "code": 500},
        {
            "kind": "body",
            "text": "ERROR: Failed: /api/outgoingusers/add/password/{percent}/ ({raw}) {json} {form} {repr}",
        },
        {"kind": "body", "text": "<html><title>/password/{percent}/ {raw}</title></html>"},
        {"kind": "body", "text": "{raw} {basic}"},
        {"kind": "body", "text": "ERROR: {basic} {api}"},
        {"kind": "redirect", "location": "https://localhost:1/{percent}"},
        {"kind": "redirect", "location": "https://{api}.example/{basic}"},
    ],
)
def test_no_secret_in_any_error(
    open_session: Opener, emulator: Emulator, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session = open_session(timeout=1, retries=1, retry_time=3)
    basic = base64.b64encode(f"{emulator.api_username}:{emulator.api_password}".encode()).decode()
    words = {
        "{percent}": quote(NASTY, safe=""),
        "{raw}": NASTY,
        "{json}": json.dumps(NASTY),
        "{form}": quote_plus(NASTY),
        "{repr}": repr(NASTY),
        "{basic}": basic,
        "{api}": emulator.api_password,
    }
    filled = dict(fault)
    for name in ("text", "location"):
        for mark, value in words.items():
            if name in filled:
                filled[name] = filled[name].replace(mark, value if name == "text" else quote(value, safe="%"))
    emulator.faults({"match": "*", **filled})
    error = session.failure(session.write)
    told = [str(error), repr(error), *error.lines, *session.warnings, caplog.text]
    told += traceback.format_exception(type(error), error, error.__traceback__)
    for text in told:
        for secret in (NASTY, emulator.api_password):
            assert not any(form in text for form in _forms(secret))
        assert basic not in text


def test_nothing_is_left_open(open_session: Opener, recwarn: pytest.WarningsRecorder) -> None:
    gc.collect()
    recwarn.clear()  # of what earlier tests left
    session = open_session()
    session.read()
    session.client.close()
    del session
    gc.collect()
    assert not [warning for warning in recwarn if issubclass(warning.category, ResourceWarning)]

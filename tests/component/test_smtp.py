# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One login, at the emulator's smarthost and at servers that lack something; test_smtp_many.py has many."""

from __future__ import annotations

import base64
import dataclasses
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.connection import Client, Smarthost
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.login import (
    LoginProof,
    Refusals,
    Verdict,
    _address_literal,
    _Attempts,
    failure,
    prove_login,
    prove_logins,
)

from tests.support.emulator import Emulator
from tests.support.smarthost import RIGHT, seed, smarthost, smtp_server

ACCEPTED = LoginProof("a@example.com", Verdict.ACCEPTED)
NASTY = 'Zwölf "quoted" it\'s \\ + 日本語 😀'


# What is said of several


@pytest.mark.parametrize(
    ("proofs", "sentence", "code"),
    [
        ([], "", ""),
        ([ACCEPTED], "", ""),
        ([LoginProof("b@x", Verdict.REFUSED, "no")], "The login b@x was refused: no.", "login_refused"),
        (
            [ACCEPTED, LoginProof("b@x", Verdict.UNKNOWN, "away"), LoginProof("c@x", Verdict.REFUSED, "no")],
            "The login b@x could not be proven: away; 2 of 3 logins were not accepted, see there.",
            "login_not_proven",
        ),
        (
            [LoginProof("b@x", Verdict.ACCEPTED, "not this sender", Verdict.REFUSED)],
            "The login b@x was refused: not this sender.",
            "login_refused",
        ),
        (
            [LoginProof("b@x", Verdict.ACCEPTED, "who knows", Verdict.UNKNOWN)],
            "The login b@x could not be proven: who knows.",
            "login_not_proven",
        ),
    ],
)
def test_what_is_said_of_logins_that_are_not_accepted(proofs: list[LoginProof], sentence: str, code: str) -> None:
    assert failure(proofs, ", see there") == (sentence, code)


# One login


@pytest.mark.parametrize("password", [RIGHT, NASTY, "a" * 400, "\udcfc\udce4-latin-1"])
def test_any_password(emulator: Emulator, password: str) -> None:
    if "\udcfc" not in password:
        seed(emulator, password=password)
        assert prove_login(smarthost(emulator), "user0@example.com", password).verdict is Verdict.ACCEPTED
    proof = prove_login(smarthost(emulator), "user0@example.com", password + "x")
    assert (proof.verdict, proof.reason) == (Verdict.REFUSED, "localhost answered: 535 Incorrect authentication data")


@pytest.mark.parametrize("login", ["example.com", "@example.com"])
def test_domain_users(emulator: Emulator, login: str) -> None:
    emulator.seed(users=[{"domain": "example.com", "username": "", "password": RIGHT}])
    assert prove_login(smarthost(emulator), login, RIGHT) == LoginProof(login, Verdict.ACCEPTED)


def test_a_proof_stays_as_it_was_found() -> None:
    for each, name in ((LoginProof("alice", Verdict.REFUSED), "verdict"), (Smarthost("localhost"), "host")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(each, name, None)


def test_a_login_that_does_not_exist(emulator: Emulator) -> None:
    assert prove_login(smarthost(emulator), "nobody@example.com", RIGHT).verdict is Verdict.REFUSED


def test_the_password_goes_over_tls_and_no_mail_is_sent(emulator: Emulator) -> None:
    seed(emulator)
    prove_login(smarthost(emulator), "user0@example.com", RIGHT)
    assert [(entry["tls"], entry["mechanism"], entry["ok"]) for entry in emulator.auths()] == [(True, "PLAIN", True)]
    assert emulator.mails() == []


def test_login_where_plain_is_not_supported(emulator: Emulator) -> None:
    seed(emulator, password=NASTY)
    emulator.faults({"match": "smtp:auth", "kind": "smtp_reply", "text": "504 Mechanism not supported", "times": 1})
    assert prove_login(smarthost(emulator), "user0@example.com", NASTY).verdict is Verdict.ACCEPTED
    assert [entry["mechanism"] for entry in emulator.auths()] == ["PLAIN", "LOGIN"]


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("535 5.7.8 Wrong", Verdict.REFUSED),
        ("454 4.7.0 Temporary authentication failure", Verdict.UNKNOWN),
        ("534 5.7.9 Mechanism too weak", Verdict.UNKNOWN),
        ("530 5.7.0 Must issue a STARTTLS command first", Verdict.UNKNOWN),
        ("550 No", Verdict.UNKNOWN),
        ("501 Bad base64", Verdict.UNKNOWN),
        ("503 Bad sequence", Verdict.UNKNOWN),
        ("505 Not now", Verdict.UNKNOWN),
    ],
)
def test_answers_to_a_login(emulator: Emulator, reply: str, verdict: Verdict) -> None:
    seed(emulator)
    emulator.faults({"match": "smtp:auth", "kind": "smtp_reply", "text": reply})
    proof = prove_login(smarthost(emulator), "user0@example.com", RIGHT)
    assert (proof.verdict, proof.reason) == (verdict, f"localhost answered: {reply}")
    assert len(emulator.auths()) == 1, "a password is sent once"


@pytest.mark.parametrize("kind", ["reset_before", "latency"])
def test_a_connection_that_breaks_during_the_login(emulator: Emulator, kind: str) -> None:
    seed(emulator)
    emulator.faults({"match": "smtp:auth", "kind": kind, **({"seconds": 2} if kind == "latency" else {})})
    proof = prove_login(smarthost(emulator), "user0@example.com", RIGHT, timeout=1)
    assert proof.verdict is Verdict.UNKNOWN
    assert proof.reason == "localhost ended the connection, or did not answer, during the login"


def test_a_server_that_repeats_what_it_was_sent(emulator: Emulator) -> None:
    tokens = [base64.b64encode(text.encode()).decode() for text in (f"\0user0@example.com\0{NASTY}", NASTY)]
    emulator.faults(
        {"match": "smtp:auth", "kind": "smtp_reply", "text": f"535 {NASTY} {tokens[0]} {tokens[1]} {'x' * 900}"}
    )
    proof = prove_login(smarthost(emulator), "user0@example.com", NASTY)
    assert not any(secret in proof.reason for secret in (NASTY, *tokens))
    assert len(proof.reason) == len("localhost answered: 535 ") + 300


@pytest.mark.parametrize("password", ["lone \ud800 surrogate"])
def test_what_cannot_be_sent(emulator: Emulator, password: str) -> None:
    proof = prove_login(smarthost(emulator), "user0@example.com", password)
    assert proof.verdict is Verdict.UNKNOWN
    assert "cannot be sent" in proof.reason
    assert emulator.counters()["auths"] == 0


# Servers that cannot be asked


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"port": 1}, "localhost could not be reached on port 1 (connection refused)"),
        ({"host": "nowhere.invalid"}, "the host name nowhere.invalid is not known"),
        ({"host": "a..b"}, "the host name a..b is not known"),
        ({"ca_path": None}, "could not be verified (unable to get local issuer certificate); set smarthost_ca_path"),
        ({"ca_path": "/nowhere/ca.pem"}, "/nowhere/ca.pem cannot be used (No such file or directory)"),
        ({"ca_path": __file__}, "cannot be used (NO_CERTIFICATE_OR_CRL_FOUND); check smarthost_ca_path"),
    ],
)
def test_hosts(emulator: Emulator, changes: dict[str, Any], words: str) -> None:
    server = smarthost(emulator)
    proof = prove_login(Smarthost(**{**vars(server), **changes}), "user0@example.com", RIGHT)
    assert proof.verdict is Verdict.UNKNOWN
    assert words in proof.reason
    assert emulator.counters()["auths"] == 0


def test_the_port_of_submission_is_taken_unless_another_is_given() -> None:
    proof = prove_login(Smarthost("127.0.0.9"), "user0@example.com", RIGHT, timeout=2)
    assert "127.0.0.9" in proof.reason
    assert "587" in proof.reason


def test_ipv6_addresses_may_be_named(emulator: Emulator) -> None:
    proof = prove_login(Smarthost("::1", emulator.smtp_port), "user0@example.com", RIGHT)
    assert proof.reason.startswith("::1 ")


@pytest.mark.parametrize("implicit_tls", [False, True])
def test_a_server_that_says_nothing(implicit_tls: bool) -> None:
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = Smarthost("127.0.0.1", silent.getsockname()[1], implicit_tls=implicit_tls)
        proof = prove_login(server, "user0@example.com", RIGHT, timeout=1)
    assert time.monotonic() - started < 5
    assert "127.0.0.1 did not answer on port" in proof.reason
    assert "within 1 seconds" in proof.reason


def test_starttls_at_a_port_for_tls_from_the_first_byte(emulator: Emulator) -> None:
    """The server waits for our TLS and we for its greeting: said long before the time is over, and no AUTH was sent."""
    server = dataclasses.replace(smarthost(emulator), port=emulator.smtps_port)
    started = time.monotonic()
    proof = prove_login(server, *seed(emulator)[0], timeout=60)
    assert time.monotonic() - started < 10
    assert (proof.verdict, proof.reason) == (
        Verdict.UNKNOWN,
        f"localhost begins with TLS on port {server.port}, and not with STARTTLS, so no password was sent; set "
        "smarthost_tls to implicit, or smarthost_port to the port for STARTTLS, usually 587",
    )
    assert emulator.counters()["auths"] == 0


def test_tls_from_the_first_byte_at_a_port_for_starttls(emulator: Emulator) -> None:
    server = dataclasses.replace(smarthost(emulator), implicit_tls=True)
    started = time.monotonic()
    proof = prove_login(server, *seed(emulator)[0], timeout=60)
    assert time.monotonic() - started < 2
    assert (proof.verdict, proof.reason) == (
        Verdict.UNKNOWN,
        f"localhost begins with STARTTLS on port {server.port}, and not with TLS, so no password was sent; set "
        "smarthost_tls to starttls, or smarthost_port to the port for TLS from the first byte, usually 465",
    )
    assert emulator.counters()["auths"] == 0


def test_a_greeting_that_takes_its_time() -> None:
    with Scripted(b"220 hello", b"500 what", delay=1.5) as scripted:
        proof = prove_login(scripted.server, "user0@example.com", RIGHT, timeout=3)
    assert proof.reason == "127.0.0.1 answered: 500 what"


def test_a_greeting_is_waited_for_as_long_as_there_is_time() -> None:
    with Scripted(b"220 hello", delay=2) as scripted:
        Client(scripted.server, ssl.create_default_context(), 4, lambda _patience: False).close()


def test_the_server_is_looked_at_after_a_third_of_the_time_and_for_another_third() -> None:
    """And a look that takes all of the time leaves no more of it."""
    looked: list[float] = []

    def look(patience: float) -> bool:
        looked.append(patience)
        time.sleep(0.7)
        return False

    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = Smarthost("127.0.0.1", silent.getsockname()[1])
        with pytest.raises((TimeoutError, socket.timeout)):
            Client(server, ssl.create_default_context(), 0.6, look)
    assert looked == [pytest.approx(0.2)]


def test_a_server_without_tls_that_takes_no_second_connection() -> None:
    """It cannot be asked whether it greets, so nothing is said of STARTTLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Smarthost("127.0.0.1", listener.getsockname()[1], implicit_tls=True)

        def serve() -> None:
            answer(listener, b"no TLS at all", last=True)

        proof = proven_beside(serve, server)
    assert "could not agree on TLS" in proof.reason


def test_a_server_without_tls_that_greets_otherwise_than_a_mail_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Smarthost("127.0.0.1", listener.getsockname()[1], implicit_tls=True)

        def serve() -> None:
            answer(listener, b"no TLS at all")
            answer(listener, b"22 hello", greets=True)

        proof = proven_beside(serve, server)
    assert "could not agree on TLS" in proof.reason


def answer(listener: socket.socket, line: bytes, *, last: bool = False, greets: bool = False) -> None:
    """Take one connection and answer it with a line, after the first words of the other side unless it `greets`.

    last: no further connection is taken.
    """
    connection, _address = listener.accept()
    if last:
        listener.close()
    with connection:
        if not greets:
            connection.recv(9999)
        connection.sendall(line + b"\r\n")


def proven_beside(serve: Callable[[], None], server: Smarthost) -> LoginProof:
    """A proof while this serves."""
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    proof = prove_login(server, "user0@example.com", RIGHT, timeout=5)
    thread.join(10)
    return proof


def test_a_login_over_tls_from_the_first_byte(emulator: Emulator) -> None:
    pair = seed(emulator)[0]
    server = dataclasses.replace(smarthost(emulator), port=emulator.smtps_port, implicit_tls=True)
    assert prove_login(server, *pair).verdict is Verdict.ACCEPTED
    assert prove_login(server, pair[0], "not the password").verdict is Verdict.REFUSED
    assert [(entry["tls"], entry["mechanism"], entry["ok"]) for entry in emulator.auths()] == [
        (True, "PLAIN", True),
        (True, "PLAIN", False),
    ]


def test_no_password_for_an_unverified_server_that_begins_with_tls(emulator: Emulator) -> None:
    server = Smarthost("localhost", emulator.smtps_port, implicit_tls=True)
    proof = prove_login(server, *seed(emulator)[0])
    assert proof.verdict is Verdict.UNKNOWN
    assert "the certificate of localhost could not be verified" in proof.reason
    assert emulator.counters()["auths"] == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "smtp_reply", "text": "554 No service here"}, "localhost answered: 554 No service here"),
        ({"kind": "smtp_down"}, "localhost "),
        ({"kind": "reset_before"}, "localhost "),
    ],
)
def test_servers_that_hang_up(emulator: Emulator, fault: dict[str, Any], words: str) -> None:
    emulator.faults({"match": "smtp:connect", **fault})
    proof = prove_login(smarthost(emulator), "user0@example.com", RIGHT)
    assert proof.verdict is Verdict.UNKNOWN
    assert proof.reason.startswith(words)


def test_no_tls_no_password(tmp_path: Path) -> None:
    with smtp_server(tmp_path, auth_require_tls=False, authenticator=lambda *_: pytest.fail("sent")) as server:
        proof = prove_login(server, "user0@example.com", RIGHT)
    assert proof.verdict is Verdict.UNKNOWN
    assert proof.reason == f"127.0.0.1 offers no TLS on port {server.port}, so no password was sent"


def test_no_auth(tmp_path: Path) -> None:
    with smtp_server(tmp_path, tls=True, auth_exclude_mechanism=["PLAIN", "LOGIN"]) as server:
        proof = prove_login(server, "user0@example.com", RIGHT)
    assert proof.verdict is Verdict.UNKNOWN
    assert proof.reason == "127.0.0.1 offers neither AUTH PLAIN nor AUTH LOGIN"


def test_login_only(tmp_path: Path) -> None:
    with smtp_server(tmp_path, tls=True, auth_exclude_mechanism=["PLAIN"]) as server:
        assert prove_login(server, "user0@example.com", RIGHT).verdict is Verdict.REFUSED


class LoginHandler:
    """Refuses AUTH LOGIN before it asks for anything."""

    async def auth_LOGIN(self, _server: SMTP, _arguments: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        return AuthResult(success=False, handled=False, message="454 Later")


def test_login_refused_before_the_first_question(tmp_path: Path) -> None:
    with smtp_server(tmp_path, tls=True, auth_exclude_mechanism=["PLAIN"], handler=LoginHandler()) as server:
        proof = prove_login(server, "user0@example.com", RIGHT)
    assert (proof.verdict, proof.reason) == (Verdict.UNKNOWN, "127.0.0.1 answered: 454 Later")


def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    with smtp_server(tmp_path, tls=True, names=["smtp.example"]) as server:
        proof = prove_login(server, "user0@example.com", RIGHT)
    assert proof.verdict is Verdict.UNKNOWN
    assert "the certificate of 127.0.0.1 could not be verified (IP address mismatch" in proof.reason


class Scripted:
    """Answers a connection with these lines, one for each line that comes, and then hangs up, or resets it.

    delay: seconds before the first.
    """

    def __init__(self, *lines: bytes, reset: bool = False, delay: float = 0) -> None:
        self._lines = lines
        self._reset = reset
        self._delay = delay
        self.received: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.server = Smarthost("127.0.0.1", self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        connection, _address = self._listener.accept()
        time.sleep(self._delay)
        with connection, connection.makefile("rb") as stream:
            for number, line in enumerate(self._lines):
                if number:
                    self.received.append(stream.readline())
                connection.sendall(line + b"\r\n")
            if self._reset:
                stream.readline()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def __enter__(self) -> Scripted:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._thread.join(10)
        self._listener.close()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((b"220 hello", b"500 what"), "127.0.0.1 answered: 500 what"),
        (
            (b"220 hello", b"250-x\r\n250 STARTTLS", b"454 TLS not available"),
            "127.0.0.1 answered: 454 TLS not available",
        ),
        ((b"220 hello",), "127.0.0.1 ended the connection on port"),
        (
            (b"220 hello", b"250-x\r\n250 STARTTLS", b"220 go", b"no TLS at all"),
            "could not agree on TLS (WRONG_VERSION",
        ),
        ((b"220 hello", b"250-x\r\n250 STARTTLS", b"220 go"), "127.0.0.1"),
        ((b"x" * 9000,), "127.0.0.1 "),
        ((b"000 hello",), "127.0.0.1 answered: 0 hello"),
        ((b"\xff\x00\x07",), "127.0.0.1 did not answer like a mail server on port"),
    ],
)
def test_strange_servers(lines: tuple[bytes, ...], reason: str) -> None:
    with Scripted(*lines) as scripted:
        proof = prove_login(scripted.server, "user0@example.com", RIGHT, timeout=2)
    assert proof.verdict is Verdict.UNKNOWN
    assert reason in proof.reason
    assert proof.reason.isprintable()


def test_this_host_says_its_address_instead_of_a_name() -> None:
    """RFC 5321 4.1.3; a name that does not exist would be refused by some, and a look-up of it takes time."""
    with Scripted(b"220 hello", b"500 what") as scripted:
        prove_login(scripted.server, "user0@example.com", RIGHT, timeout=2)
    assert scripted.received == [b"ehlo [127.0.0.1]\r\n"]


@pytest.mark.parametrize(
    ("address", "literal"), [("2001:db8::1", "[IPv6:2001:db8::1]"), ("fe80::1%eth0", "[IPv6:fe80::1]")]
)
def test_addresses_of_ipv6_are_called_so(address: str, literal: str) -> None:
    class Connection:
        @staticmethod
        def getsockname() -> tuple[str, int, int, int]:
            return address, 12345, 0, 2

    assert _address_literal(cast(socket.socket, Connection())) == literal


def test_a_server_that_resets_the_connection() -> None:
    with Scripted(b"220 hello", reset=True) as scripted:
        proof = prove_login(scripted.server, "user0@example.com", RIGHT, timeout=2)
    assert (proof.verdict, proof.reason) == (
        Verdict.UNKNOWN,
        f"127.0.0.1 ended the connection on port {scripted.server.port}",
    )


def test_a_port_that_providers_block_is_named() -> None:
    """Nothing answers there, as with port 25 of most hosts that one can rent."""

    def said(port: int) -> str:
        return _Attempts(Smarthost("localhost", port), 15, {}, Refusals(), 0)._connection_problem(TimeoutError())

    assert said(25).endswith("within 15 seconds; many providers block this port, so use 587 or 465")
    assert said(587).endswith("within 15 seconds")


# For whose mail


def offered(emulator: Emulator, *senders: str) -> LoginProof:
    (pair,) = seed(emulator)
    return prove_logins(smarthost(emulator), [pair], senders={pair[0]: senders})[0]


def test_a_login_that_may_send_for_others_and_no_mail_leaves(emulator: Emulator) -> None:
    proof = offered(emulator, "a@example.com", "b@example.com")
    assert proof == LoginProof("user0@example.com", Verdict.ACCEPTED, "", Verdict.ACCEPTED)
    assert emulator.mails() == []


@pytest.mark.parametrize(
    ("reply", "may_send"),
    [
        ("550 Sender verify failed", Verdict.REFUSED),
        ("451 Later", Verdict.UNKNOWN),
        ("421 Too busy", Verdict.UNKNOWN),
        ("500 What", Verdict.REFUSED),
        ("599 Never", Verdict.REFUSED),
        ("499 What is that", Verdict.UNKNOWN),
        ("600 What is that", Verdict.UNKNOWN),
    ],
)
def test_a_login_that_may_not_send_for_one(emulator: Emulator, reply: str, may_send: Verdict) -> None:
    emulator.faults({"match": "smtp:mail", "kind": "smtp_reply", "text": reply, "skip": 1, "times": 1})
    proof = offered(emulator, "a@example.com", "b@example.com", "c@example.com")
    assert (proof.verdict, proof.may_send) == (Verdict.ACCEPTED, may_send)
    assert proof.reason == f"localhost takes the login, but not mail of b@example.com: {reply}"


class RecipientHandler:
    """Refuses one address as a recipient, after it was taken as a sender."""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if address == "b@example.com":
            return "550 Not for you"
        if address == "c@example.com":
            return "251 It lives elsewhere, and gets it"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, *_arguments: Any) -> str:  # noqa: N802 - aiosmtpd's name
        return pytest.fail("a mail was sent")


def test_a_sender_that_is_judged_at_the_recipient(tmp_path: Path) -> None:
    def authenticator(*_arguments: Any) -> AuthResult:
        return AuthResult(success=True, auth_data="somebody")

    with smtp_server(tmp_path, tls=True, handler=RecipientHandler(), authenticator=authenticator) as server:
        allowed, refused, forwarded = (
            prove_logins(server, [("user0@example.com", RIGHT)], senders={"user0@example.com": [sender]})[0]
            for sender in ("a@example.com", "b@example.com", "c@example.com")
        )
        pair, senders = ("user0@example.com", RIGHT), ["c@example.com", "a@example.com"]
        (both,) = prove_logins(server, [pair], senders={pair[0]: senders})
    assert {proof.may_send for proof in (allowed, forwarded, both)} == {Verdict.ACCEPTED}
    assert refused.may_send is Verdict.REFUSED
    assert refused.reason.endswith("b@example.com: 550 Not for you")


def test_a_connection_that_breaks_when_mail_begins(emulator: Emulator) -> None:
    emulator.faults({"match": "smtp:mail", "kind": "reset_before"})
    proof = offered(emulator, "a@example.com")
    assert (proof.verdict, proof.may_send) == (Verdict.ACCEPTED, Verdict.UNKNOWN)
    assert proof.reason == "localhost ended the connection, or did not answer, when mail of a@example.com began"


def test_nothing_is_offered_where_the_login_is_refused(emulator: Emulator) -> None:
    seed(emulator)
    pair = ("user0@example.com", "not the password")
    (proof,) = prove_logins(smarthost(emulator), [pair], senders={pair[0]: ["a@example.com"]})
    assert (proof.verdict, proof.may_send) == (Verdict.REFUSED, None)

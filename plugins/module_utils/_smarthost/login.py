# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a login work at the smarthost, from this host, and for whose mail? TLS and AUTH, and no mail."""

from __future__ import annotations

import base64
import contextlib
import enum
import random
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Optional, Union, cast

from .._names import RELAY_PORT
from .._redaction import Redactor
from .connection import Client, Smarthost, UnreachableError

#: The vendor's limit of connections from one address at a time.
#: https://github.com/SpamExperts/sekb/blob/master/docs/5-Outgoing_Filtering_Service/15-Classifications.rst
MOST_CONNECTIONS = 10
#: The vendor delays and then blocks an address whose logins fail often.
#: https://documentation.n-able.com/spamexperts/userguide/Content/smtp-auth-blocklist.htm
MOST_REFUSALS = 3
_CONNECTION_FAILURES = 3  # in a row; then the others are not tried
_BUSY_PAUSES = (0.5, 1.0, 2.0, 4.0)  # seconds, after a 421


class Verdict(enum.Enum):
    """What an attempt to log in has shown."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # no such login, or another password
    UNKNOWN = "unknown"  # the smarthost could not be asked, or did not decide


@dataclass(frozen=True)
class LoginProof:
    """The outcome for one login.

    may_send: whether it may send mail of the senders that were asked for; None when none were, or it is not accepted.
    reason: why one of the two is not so, without the password; empty when all is well.
    """

    login: str
    verdict: Verdict
    reason: str = ""
    may_send: Optional[Verdict] = None


def failure(proofs: Sequence[LoginProof], others_are: str = "") -> tuple[str, str]:
    """A sentence on the logins that were not accepted, or may not send, and its code; empty when there are none.

    others_are: where the reasons of all of them stand.
    """
    failed = [proof for proof in proofs if proof.reason]
    if not failed:
        return "", ""
    first = failed[0]
    refused = Verdict.REFUSED in (first.verdict, first.may_send)
    outcome = "was refused" if refused else "could not be proven"
    others = f"; {len(failed)} of {len(proofs)} logins were not accepted{others_are}"
    sentence = f"The login {first.login} {outcome}: {first.reason}{others if len(proofs) > 1 else ''}."
    return sentence, "login_refused" if refused else "login_not_proven"


class Refusals:
    """The budget of refused logins of one run, which all its logins share.

    used: how many were refused, in this run. blocked: the smarthost's answer that it takes no login from here any more.
    """

    def __init__(self, used: int = 0) -> None:
        self.used = used
        self.blocked = ""

    def spent(self, keep: int = 0) -> bool:
        """Whether no login may be tried any more by somebody who leaves `keep` refusals to others."""
        return bool(self.blocked) or self.used >= MOST_REFUSALS - keep


class _BusyError(Exception):
    """The smarthost answered 421: later."""


def prove_login(
    server: Smarthost, login: str, password: str, timeout: float = 15, refusals: Optional[Refusals] = None
) -> LoginProof:
    """Log in once, over verified TLS. timeout: seconds for the connection, and for each reply."""
    return prove_logins(server, [(login, password)], connections=1, timeout=timeout, refusals=refusals)[0]


def prove_logins(
    server: Smarthost,
    pairs: Sequence[tuple[str, str]],
    *,
    connections: int = 6,
    timeout: float = 15,
    senders: Optional[Mapping[str, Sequence[str]]] = None,
    refusals: Optional[Refusals] = None,
    keep: int = 0,
) -> list[LoginProof]:
    """Try these (login, password), several at a time, and give the proofs in their order.

    senders: login -> envelope senders whose mail it must be able to send. Each is offered as far as its recipient,
    which is the sender itself, and then taken back, so that no mail leaves.

    refusals: the run's budget; one of its own where none is given. keep: how many refusals of it are left to others.
    However wrong the passwords are, no more logins are refused than the budget has left: so many AUTH commands are
    under way at once, while connections are made ahead. What is not tried is unknown. Never raises for what the server
    does.
    """
    different = list(dict.fromkeys(pairs))
    if not different:
        return []
    attempt = _Attempts(server, timeout, senders or {}, Refusals() if refusals is None else refusals, keep)
    workers = max(1, min(connections, MOST_CONNECTIONS, len(different)))
    with ThreadPoolExecutor(max_workers=workers) as pool:
        proofs = dict(zip(different, pool.map(lambda pair: attempt.prove(*pair), different)))
    return [proofs[pair] for pair in pairs]


class _Attempts:
    """What the threads share: the TLS context, and when to stop."""

    def __init__(
        self, server: Smarthost, timeout: float, senders: Mapping[str, Sequence[str]], refusals: Refusals, keep: int
    ) -> None:
        self._refusals = refusals
        self._keep = keep
        self._server = server
        self._senders = senders
        self._timeout = timeout
        self._changed = threading.Condition()
        self._look = threading.Lock()
        self._begins_with_tls: Optional[bool] = None
        self._under_way = 0
        self._failures = 0
        self._stopped = ""  # why no more logins are tried
        self._random = random.SystemRandom()
        try:
            self._context = ssl.create_default_context(cafile=server.ca_path)
            self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        except OSError as error:
            detail = error.reason if isinstance(error, ssl.SSLError) else error.strerror
            self._stopped = f"the authorities in {server.ca_path} cannot be used ({detail}); check smarthost_ca_path"
        self._brake()

    def prove(self, login: str, password: str) -> LoginProof:
        """Log in, again after a pause when the smarthost is busy."""
        busy = ""
        for pause in (0.0, *_BUSY_PAUSES):
            time.sleep(pause * self._random.uniform(0.5, 1.5))
            if self._stopped:
                return LoginProof(login, Verdict.UNKNOWN, self._stopped)
            try:
                return self._prove_once(login, password)
            except _BusyError as error:
                busy = str(error)
            except UnreachableError as error:
                self._count_failure(str(error))
                return LoginProof(login, Verdict.UNKNOWN, str(error))
        self._count_failure(busy)
        return LoginProof(login, Verdict.UNKNOWN, busy)

    def _count_failure(self, reason: str) -> None:
        with self._changed:
            self._failures += 1
            if self._failures >= _CONNECTION_FAILURES:
                self._stop(reason)
                self._changed.notify_all()

    def _brake(self) -> None:
        """Stop where the budget is spent."""
        if self._refusals.spent(self._keep):
            self._stop(
                self._refusals.blocked
                or f"not tried, because {self._server.host} has refused {self._refusals.used} logins, "
                "and blocks an address that fails often"
            )

    def _stop(self, reason: str) -> None:
        """Try no other login. The caller holds `_changed`, or is alone."""
        self._stopped = self._stopped or reason

    def _prove_once(self, login: str, password: str) -> LoginProof:
        with contextlib.ExitStack() as stack:
            client = self._connect(stack)
            with self._changed:
                self._failures = 0
                while not self._stopped and self._refusals.used + self._under_way >= MOST_REFUSALS - self._keep:
                    self._changed.wait()
                if self._stopped:
                    return LoginProof(login, Verdict.UNKNOWN, self._stopped)
                self._under_way += 1
            verdict, reason = Verdict.UNKNOWN, ""
            try:
                verdict, reason = self._authenticate(client, login, password)
            finally:
                with self._changed:
                    self._under_way -= 1
                    self._refusals.used += verdict is Verdict.REFUSED
                    self._brake()
                    self._changed.notify_all()
            may_send = None
            if verdict is Verdict.ACCEPTED and self._senders.get(login):
                may_send, reason = self._offer(client, self._senders[login])
        return LoginProof(login, verdict, reason, may_send)

    def _connect(self, stack: contextlib.ExitStack) -> smtplib.SMTP:
        """A connection with TLS, which ends with the stack. Raises UnreachableError or _BusyError."""
        host, port = self._server.host, self._server.port
        text: Union[bytes, str] = b""
        try:
            client = Client(self._server, self._context, self._timeout, self._takes_tls)
            stack.callback(_quit, client)
            client.local_hostname = _address_literal(cast(socket.socket, client.sock))
            code, text = client.ehlo()
            if code == 250 and not self._server.implicit_tls:
                if not client.has_extn("starttls"):
                    raise UnreachableError(f"{host} offers no TLS on port {port}, so no password was sent")
                code, text = client.starttls(context=self._context)
                if code == 220:
                    code, text = client.ehlo()
        except smtplib.SMTPResponseException as error:
            code, text = error.smtp_code, error.smtp_error
        except (OSError, UnicodeError, smtplib.SMTPException) as error:
            raise UnreachableError(self._connection_problem(error)) from None
        if code == 421:
            raise _BusyError(f"{host} answered: {_shown(code, text)}")
        if code < 0:
            raise UnreachableError(f"{host} did not answer like a mail server on port {port}")
        if code != 250:
            raise UnreachableError(f"{host} answered: {_shown(code, text)}")
        return client

    def _takes_tls(self, timeout: float) -> bool:
        """Whether a connection can begin with TLS, whatever the certificate is; found out once, for all who wait."""
        with self._look:
            if self._begins_with_tls is None:
                place = (self._server.host, self._server.port)
                self._begins_with_tls = True
                try:
                    with socket.create_connection(place, timeout) as connection:
                        self._context.wrap_socket(connection, server_hostname=place[0]).close()
                except OSError as error:
                    self._begins_with_tls = isinstance(error, ssl.SSLCertVerificationError)
            return self._begins_with_tls

    def _connection_problem(self, error: Exception) -> str:
        host, port = self._server.host, self._server.port
        if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, OSError):
            error = error.__context__  # smtplib keeps the cause only there
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {host} could not be verified ({error.verify_message}); set smarthost_ca_path to "
                "the file with the right authority, or smarthost to the name in the certificate"
            )
        if isinstance(error, ssl.SSLError):
            return f"{host} and this host could not agree on TLS ({error.reason or 'it ended early'})"
        if isinstance(error, (socket.gaierror, UnicodeError)):
            return f"the host name {host} is not known"
        if isinstance(error, (socket.timeout, TimeoutError)):
            blocked = "; many providers block this port, so use 587 or 465" if port == RELAY_PORT else ""
            return f"{host} did not answer on port {port} within {self._timeout:.0f} seconds{blocked}"
        if isinstance(error, OSError) and error.strerror and not isinstance(error, ConnectionResetError):
            return f"{host} could not be reached on port {port} ({error.strerror.lower()})"
        return f"{host} ended the connection on port {port}"

    def _authenticate(self, client: smtplib.SMTP, login: str, password: str) -> tuple[Verdict, str]:
        """AUTH PLAIN, or LOGIN where the server has no PLAIN. Raises _BusyError."""
        host = self._server.host
        try:
            name, secret = (value.encode("utf-8", "surrogateescape") for value in (login, password))
        except UnicodeEncodeError:
            return Verdict.UNKNOWN, "the login or its password has a character that cannot be sent"
        tokens = [_base64(b"\0" + name + b"\0" + secret), _base64(name), _base64(secret)]
        mechanisms = client.esmtp_features.get("auth", "").upper().split()
        code, text = 0, b""
        try:
            if "PLAIN" in mechanisms:
                code, text = client.docmd("AUTH", f"PLAIN {tokens[0]}")
            if "LOGIN" in mechanisms and code in (0, 504):
                code, text = client.docmd("AUTH", "LOGIN")
                for token in tokens[1:]:
                    if code == 334:
                        code, text = client.docmd(token)
        except (OSError, smtplib.SMTPException):
            return Verdict.UNKNOWN, f"{host} ended the connection, or did not answer, during the login"
        if code == 0:
            return Verdict.UNKNOWN, f"{host} offers neither AUTH PLAIN nor AUTH LOGIN"
        if code == 235:
            return Verdict.ACCEPTED, ""
        reason = f"{host} answered: {_shown(code, text, [password, *tokens])}"
        if b"denied authentication" in text.lower():  # the address is blocked; the password was not looked at
            self._refusals.blocked = reason
            return Verdict.UNKNOWN, reason
        if code == 421:
            raise _BusyError(reason)
        return (Verdict.REFUSED if code == 535 else Verdict.UNKNOWN), reason

    def _offer(self, client: smtplib.SMTP, senders: Sequence[str]) -> tuple[Verdict, str]:
        """Offer a mail of each sender to itself, and take it back before its content.

        Exim, which the vendor runs, judges a sender at the recipient as a rule.
        """
        host = self._server.host
        for sender in senders:
            try:
                code, text = client.docmd("MAIL", f"FROM:<{sender}>")
                if code == 250:
                    code, text = client.docmd("RCPT", f"TO:<{sender}>")
                if code in (250, 251):
                    client.docmd("RSET")
            except (OSError, smtplib.SMTPException):
                return Verdict.UNKNOWN, f"{host} ended the connection, or did not answer, when mail of {sender} began"
            if code not in (250, 251):
                verdict = Verdict.REFUSED if 500 <= code < 600 else Verdict.UNKNOWN
                return verdict, f"{host} takes the login, but not mail of {sender}: {_shown(code, text)}"
        return Verdict.ACCEPTED, ""


def _quit(client: smtplib.SMTP) -> None:
    """Say goodbye and wait for the answer, so that the server does not count this connection any more."""
    with contextlib.suppress(OSError, smtplib.SMTPException):
        client.quit()
    client.close()


def _address_literal(connection: socket.socket) -> str:
    """This end of the connection, as RFC 5321 4.1.3 wants it from a host without a public name."""
    address = str(connection.getsockname()[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _shown(code: int, text: Union[bytes, str], secrets: Sequence[str] = ()) -> str:
    """A reply, as one short printable line without secrets."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    words = " ".join(Redactor(secrets).clean(text).split())
    return f"{code} {''.join(filter(str.isprintable, words))[:300]}".strip()

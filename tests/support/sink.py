# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail servers that the emulator is not: without TLS, with a bad certificate, or simply somebody else's."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email import message_from_string
from pathlib import Path
from types import TracebackType
from typing import Any

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Received:
    """One mail as it arrived."""

    sender: str
    recipients: list[str]
    tls: bool
    login: str | None
    subject: str = ""


@dataclass
class Sink:
    """A mail server on a free port of 127.0.0.1 that takes everything and remembers what it saw.

    `tls` is its certificate, None for a server without STARTTLS; `wrapped` says that TLS comes before the first word,
    as on port 465. Logins are recorded as text and always accepted. `hashes` offers CRAM-MD5, too, whose answer is
    recorded in place of a password.
    """

    tls: ssl.SSLContext | None = None
    wrapped: bool = False
    hashes: bool = False
    mails: list[Received] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)

    def __enter__(self) -> Sink:
        self._controller = _Controller(self)
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    @property
    def subjects(self) -> list[str]:
        """The subjects of all mails, in the order of their arrival."""
        return [mail.subject for mail in self.mails]

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return self._controller.port

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        """Take any login."""
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=True, auth_data=data)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Take any mail."""
        login = session.auth_data.login.decode() if isinstance(session.auth_data, LoginPassword) else None
        sender = (envelope.mail_from or "").replace("<>", "")  # aiosmtpd's way to write a bounce
        content = envelope.content or b""
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
        subject = str(message_from_string(text)["subject"] or "")
        self.mails.append(Received(sender, envelope.rcpt_tos, session.ssl is not None, login, subject))
        return "250 OK"


class FreePortController(Controller):
    """A server on a free port of 127.0.0.1, which it knows as soon as it has started."""

    def __init__(self, handler: Any, **options: Any) -> None:
        super().__init__(handler, hostname="127.0.0.1", port=0, ready_timeout=10, **options)

    def _trigger_server(self) -> None:
        """The base class would connect to port 0."""
        server: Any = self.server
        self.port = int(server.sockets[0].getsockname()[1])
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd has no types here


class _WithHashes(SMTP):
    """A server that asks for a hash of the password as well."""

    async def auth_CRAM__MD5(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's name
        answer = await self.challenge_auth(b"<1.2@localhost>")
        if isinstance(answer, bytes):
            login, _blank, digest = answer.decode().rpartition(" ")
            self.event_handler.logins.append((login, digest))
        return AuthResult(success=True, auth_data=answer)


class _Controller(FreePortController):
    def __init__(self, sink: Sink) -> None:
        super().__init__(sink, ssl_context=sink.tls if sink.wrapped else None)
        self.sink = sink

    def factory(self) -> SMTP:
        return (_WithHashes if self.sink.hashes else SMTP)(
            self.sink,
            tls_context=None if self.sink.wrapped else self.sink.tls,
            authenticator=self.sink.authenticate,
            auth_require_tls=False,
            auth_required=False,
        )


def certificate(authority: trustme.CA, *names: str, expired: bool = False) -> ssl.SSLContext:
    """A server's TLS context with a certificate for these names."""
    end = datetime.now(timezone.utc) - timedelta(days=1)
    issued = authority.issue_cert(*names, not_after=end) if expired else authority.issue_cert(*names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued.configure_cert(context)
    return context


def authority_file(authority: trustme.CA, folder: Path) -> str:
    """Write the authority's own certificate and return the path."""
    path = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smarthost: STARTTLS or TLS from the first byte, AUTH, locks, limits and ten connections for each address."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections import defaultdict
from email.parser import BytesHeaderParser
from email.policy import SMTPUTF8
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from .api import reset_connection
from .faults import Fault
from .names import ascii_domain
from .replies import RefusedError
from .server import Server
from .spam import GTUBE
from .state import State, User

CONNECTIONS_PER_ADDRESS = 10
_LINE_LIMIT = 65536  # passwords may be long; aiosmtpd's 512 would refuse their AUTH line
_TOO_MANY_CONNECTIONS = "421 Too many concurrent SMTP connections from this IP address; please try again later."
_TOO_MANY_MESSAGES = "451 Too many messages. Please wait for a while and try again."
_NOT_AUTHORISED = "530 5.7.0 Message submission is for authorised users only!"
_WRONG_PASSWORD = "535 Incorrect authentication data"


def user_of_login(state: State, login: str, password: str) -> User | None:
    """Who logs in with `user@domain`, the domain's own user with `domain` or `@domain`, and with this password."""
    local, _separator, domain = login.rpartition("@")
    try:
        user = state.user(ascii_domain(domain), local.lower())
    except RefusedError:
        return None
    return user if user and state.working_hash(user) == state.hashed(password) else None


class SmtpProtocol(SMTP):
    """One SMTP connection. TLS is needed for AUTH only, so that a test can see whether a client insists on it."""

    line_length_limit = _LINE_LIMIT

    def __init__(self, server: Server, tls_context: ssl.SSLContext | None, loop: asyncio.AbstractEventLoop) -> None:
        """tls_context: for STARTTLS; None where the connection itself begins with TLS."""
        self.server = server
        self.begins_with_tls = tls_context is None
        self.metered = False
        self._counted_address: str | None = None
        self._auth_reply: str | None = None
        super().__init__(
            _Handler(),
            hostname="smarthost.test",
            ident="ESMTP Exim",
            enable_SMTPUTF8=True,
            tls_context=tls_context,
            auth_require_tls=not self.begins_with_tls,
            authenticator=self._authenticated,
            loop=loop,
        )
        self.command_size_limits = defaultdict(lambda: _LINE_LIMIT)

    async def _handle_client(self) -> None:
        address, record = self.client_address(), self.server.record
        # Counted before anything is awaited, so that the tenth and the eleventh cannot be confused.
        if record.open_connections[address] >= CONNECTIONS_PER_ADDRESS:
            record.numbers["connections_refused"] += 1
            await self.push(self.closing(_TOO_MANY_CONNECTIONS))
            return
        record.connected(address)
        self._counted_address = address
        fault = await self.fault_at("smtp:connect")
        if fault:
            await self.push(str(fault.values["text"]))
            self._close()
            return
        await super()._handle_client()

    def eof_received(self) -> bool | None:
        """Free the slot of a client that has hung up while a fault made it wait; aiosmtpd would hold on to it."""
        open_still = super().eof_received()
        self.loop.call_soon(self._close)
        return open_still

    def connection_lost(self, error: Exception | None) -> None:
        """Free the slot; aiosmtpd calls this twice after a failed TLS handshake."""
        self._count_down()
        super().connection_lost(error)

    async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Free the slot before the reply, so that a client that waits for it is never one too many."""
        self._count_down()
        await super().smtp_QUIT(arg)

    def _count_down(self) -> None:
        if self._counted_address:
            self.server.record.disconnected(self._counted_address)
            self._counted_address = None

    def client_address(self) -> str:
        assert self.session is not None
        assert self.session.peer is not None
        return str(self.session.peer[0])

    def tls(self) -> Any:
        """The connection's TLS; None before STARTTLS."""
        assert self.session is not None
        if self.begins_with_tls and self.transport is not None:
            return self.transport.get_extra_info("ssl_object")
        return (self.session.ssl or {}).get("ssl_object")

    async def fault_at(self, step: str) -> Fault | None:
        """Wait or reset the connection as told; gives a fault that the caller has to apply.

        That is `smtp_reply`, and at smtp:data also `reset_after`.
        """
        seconds, fault = self.server.faults.take(step)
        if seconds and await self.server.is_reset_within(seconds):
            await self.reset()
        if fault is None or fault.kind == "smtp_reply" or (step == "smtp:data" and fault.kind == "reset_after"):
            return fault
        await self.reset()
        return None

    async def reset(self) -> None:
        """End with a TCP reset; `connection_lost` then cancels this very task."""
        reset_connection(self.transport)
        await self.loop.create_future()

    def closing(self, reply: str) -> str:
        """The reply; after a 421 the connection ends."""
        if reply.startswith("421"):
            self.loop.call_soon(self._close)
        return reply

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Take the mechanism in any case, as RFC 4954 has it; aiosmtpd would not."""
        fault = await self.fault_at("smtp:auth")
        self._auth_reply = self.closing(str(fault.values["text"])) if fault else None
        mechanism, space, rest = (arg or "").partition(" ")
        await super().smtp_AUTH(mechanism.upper() + space + rest)

    def _authenticated(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        login, password = (value.decode("utf-8", "surrogateescape") for value in (data.login, data.password))
        state = self.server.panel.state
        user = user_of_login(state, login, password)
        ok = user is not None and self._auth_reply is None
        shown = login.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        self.server.record.auth(shown, mechanism, self.client_address(), ok=ok, tls=self.tls() is not None)
        if ok and user:
            # `handled` would suppress the reply, and the client would wait for ever.
            return AuthResult(success=True, handled=False, message="235 Authentication succeeded", auth_data=user.key)
        return AuthResult(success=False, handled=False, message=self._auth_reply or _WRONG_PASSWORD)

    def sender(self) -> User | None:
        """The outgoing user of this session: by login, or by an address that needs no password."""
        assert self.session is not None
        state = self.server.panel.state
        if self.session.authenticated:
            logged_in: Any = self.session.auth_data  # the key that _authenticated gave
            return state.user(*logged_in)
        key = state.networks.containing(ipaddress.ip_network(self.client_address()))
        user = state.user(*key) if key else None
        return None if user is None or user.password_hash else user

    def too_many(self, user: User) -> str:
        """The answer to a reached limit; the quirk decides whether it also locks the user."""
        if self.server.panel.quirks.limit_reaction == "lock":
            self.server.panel.state.change_user(user, {"locked": 1})
            self.server.state_file.save()
        return _TOO_MANY_MESSAGES


class _Handler:
    """aiosmtpd's hooks for the steps of a message."""

    async def handle_MAIL(  # noqa: N802
        self, server: SmtpProtocol, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        fault = await server.fault_at("smtp:mail")
        if fault:
            return server.closing(str(fault.values["text"]))
        user = server.sender()
        if user is None:
            return _NOT_AUTHORISED
        if not server.metered:
            if not server.server.meter.connection(user):
                return server.too_many(user)
            server.metered = True
        # aiosmtpd takes an empty sender for "no MAIL yet", so the brackets stay until the mail is recorded.
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SmtpProtocol, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        user = server.sender()
        if user is None:
            return _NOT_AUTHORISED
        if not server.server.meter.recipient(user):
            return server.too_many(user)
        envelope.rcpt_tos.append(address)
        return "250 Accepted"

    async def handle_DATA(  # noqa: N802
        self, server: SmtpProtocol, session: Session, envelope: Envelope
    ) -> str:
        fault = await server.fault_at("smtp:data")
        if fault and fault.kind == "smtp_reply":
            return server.closing(str(fault.values["text"]))
        user = server.sender()
        if user is None:
            return _NOT_AUTHORISED
        panel = server.server.panel
        contact = panel.state.domains[user.domain].administrator_contact or panel.state.administrator
        # Mail to the administrator is always accepted, so that a locked customer can ask for help.
        if user.values["locked"] and set(envelope.rcpt_tos) != {contact}:
            return f"451 Your account is locked. Please contact the administrator: {contact}"
        content = envelope.content or b""
        content = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        spam = server.server.spam
        identity = spam.identity(user, envelope.mail_from or "", content)
        if (user.key, identity) in spam.locked:
            return f"451 The identity {identity} is locked. Please contact the administrator: {contact}"
        if GTUBE in content:
            server.server.record.numbers["quarantined"] += 1
            spam.spam(panel.state, user, identity)
            server.server.state_file.save()
            return "250 OK, kept in the quarantine"
        number = _record(server, session, envelope, content)
        if fault:
            await server.reset()
        return f"250 OK id={number}"


def _record(server: SmtpProtocol, session: Session, envelope: Envelope, content: bytes) -> str:
    ssl_object = server.tls()
    subject = BytesHeaderParser(policy=SMTPUTF8).parsebytes(content)["subject"]
    user = server.sender()
    login = None
    if session.authenticated and user:
        login = f"{user.username}@{user.domain}" if user.username else user.domain
    return server.server.record.mail(
        login=login,
        client_ip=server.client_address(),
        tls=ssl_object is not None,
        tls_version=ssl_object.version() if ssl_object else None,
        begins_with_tls=server.begins_with_tls,
        mail_from="" if envelope.mail_from == "<>" else envelope.mail_from,
        recipients=list(envelope.rcpt_tos),
        size=len(content),
        subject=None if subject is None else str(subject),
        content=content.decode("utf-8", "replace"),
    )

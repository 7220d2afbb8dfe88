# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection to the smarthost that begins with TLS as the server does, and one sentence where it does not."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Callable, Optional

from .._names import IMPLICIT_TLS_PORT

#: How many seconds a greeting may take before we look whether the server waits for TLS instead.
_GREETING_SECONDS = 3.0


@dataclass(frozen=True)
class Smarthost:
    """Where to log in.

    ca_path: a file (PEM) with authorities; None: the system's. implicit_tls: TLS begins before the first word, as on
    port 465, and not with STARTTLS.
    """

    host: str
    port: int = 587
    ca_path: Optional[str] = None
    implicit_tls: bool = False


class UnreachableError(Exception):
    """No login could be tried; the message says why."""


class Client(smtplib.SMTP):
    """A connection that begins with TLS where the server does; its password goes nowhere else.

    Raises UnreachableError where the server begins TLS in the other way. Who waits for STARTTLS there would wait for a
    greeting until the time is over, as the server waits as well.
    """

    def __init__(
        self, server: Smarthost, context: ssl.SSLContext, timeout: float, takes_tls: Callable[[float], bool]
    ) -> None:
        """takes_tls: whether the server begins with TLS, found out in so many seconds."""
        self._server = server
        self._context = context
        self._takes_tls = takes_tls
        # With a name given, smtplib asks no name server for the one of this host.
        super().__init__(server.host, server.port, local_hostname="localhost", timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """What smtplib calls for its connection, as in its own SMTP_SSL."""
        connection = socket.create_connection((host, port), timeout)
        with contextlib.ExitStack() as stack:
            stack.callback(connection.close)
            if self._server.implicit_tls:
                connection = self._wrapped(connection, timeout)
            else:
                self._wait_for_greeting(connection, timeout)
            stack.pop_all()
        return connection

    def _wait_for_greeting(self, connection: socket.socket, timeout: float) -> None:
        end = time.monotonic() + timeout
        patience = min(_GREETING_SECONDS, timeout / 3)
        if _first_bytes(connection, patience) is None:
            if self._takes_tls(patience):
                raise UnreachableError(
                    f"{self._server.host} begins with TLS on port {self._server.port}, and not with STARTTLS, so no "
                    "password was sent; set smarthost_tls to implicit, or smarthost_port to the port for STARTTLS, "
                    "usually 587"
                )
            if _first_bytes(connection, max(0.1, end - time.monotonic())) is None:
                raise TimeoutError
        connection.settimeout(timeout)

    def _wrapped(self, connection: socket.socket, timeout: float) -> socket.socket:
        host, port = self._server.host, self._server.port
        try:
            return self._context.wrap_socket(connection, server_hostname=host)
        except ssl.SSLCertVerificationError:
            raise
        except ssl.SSLError:
            if not self._greets(min(_GREETING_SECONDS, timeout)):
                raise
            remedy = (
                "smarthost_port to the port for STARTTLS, usually 587"
                if port == IMPLICIT_TLS_PORT
                else "smarthost_tls to starttls, or smarthost_port to the port for TLS from the first byte, usually 465"
            )
            raise UnreachableError(
                f"{host} begins with STARTTLS on port {port}, and not with TLS, so no password was sent; set {remedy}"
            ) from None

    def _greets(self, timeout: float) -> bool:
        """Whether another connection begins with the words of a mail server."""
        try:
            with socket.create_connection((self._server.host, self._server.port), timeout) as connection:
                return (_first_bytes(connection, timeout) or b"").isdigit()
        except OSError:
            return False


def _first_bytes(connection: socket.socket, patience: float) -> Optional[bytes]:
    """What the server says first, which stays to be read; None where it says nothing for so many seconds."""
    connection.settimeout(patience)
    try:
        return connection.recv(3, socket.MSG_PEEK)
    except (socket.timeout, TimeoutError):
        return None

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TCP tunnel to the emulator: counts connections, cuts some of them, or serves as an HTTP proxy."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SECONDS = 20


class Tunnel:
    """Passes bytes on, and keeps what a test wants to know.

    reset: so many connections, the first ones, are reset at once. connects: the heads of CONNECT requests.
    """

    def __init__(self, target_port: int, *, proxy: bool, reset: int, status: int) -> None:
        self._target_port = target_port
        self._proxy = proxy
        self._status = status
        self.reset = reset
        self.connections = 0
        self.connects: list[str] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._run(self._accept)

    def _run(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]  # any callable
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                client.settimeout(_SECONDS)
                self.connections += 1
                if self.connections <= self.reset:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.close()
                    continue
                self._sockets.append(client)
                self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._proxy:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += client.recv(4096)
                self.connects.append(head.decode("latin-1"))
                client.sendall(f"HTTP/1.1 {self._status} Said the proxy\r\n\r\n".encode())
                if self._status != 200:
                    client.close()
                    return
            server = socket.create_connection(("127.0.0.1", self._target_port), timeout=_SECONDS)
            self._sockets.append(server)
            self._run(self._pass_on, server, client)
            self._pass_on(client, server)

    @staticmethod
    def _pass_on(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for end in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(_SECONDS)


@contextmanager
def tunnel(target_port: int, *, proxy: bool = False, reset: int = 0, status: int = 200) -> Iterator[Tunnel]:
    """A tunnel to a port of this host. status: what a proxy answers; other than 200 it lets nothing through."""
    opened = Tunnel(target_port, proxy=proxy, reset=reset, status=status)
    try:
        yield opened
    finally:
        opened.close()

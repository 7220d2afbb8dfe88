# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the emulator has seen: counters, requests, logins and mails. Never a password."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any


class Record:
    """Counters and logs since the last reset."""

    def __init__(self) -> None:
        self.open_connections: Counter[str] = Counter()
        self.clear()

    def clear(self) -> None:
        """Forget everything but the connections that are open now."""
        self.reset_counters()
        self.requests: list[dict[str, Any]] = []
        self.auths: list[dict[str, Any]] = []
        self.mails: list[dict[str, Any]] = []

    def reset_counters(self) -> None:
        self.numbers: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._peak = max(self.open_connections.values(), default=0)

    def counters(self) -> dict[str, Any]:
        names = ("reads", "writes", "effective_writes", "auths", "auths_refused", "mails", "quarantined")
        connections = ("connections", "connections_refused")
        return {
            **{name: self.numbers[name] for name in (*names, *connections)},
            "connections_peak": self._peak,
            "requests": dict(self.calls),
        }

    def request(self, method: str, path: str, status: int | str, agent: str) -> None:
        entry = {"method": method, "path": path, "time": time.time(), "status": status, "agent": agent}
        self.requests.append(entry)

    def connected(self, address: str) -> None:
        self.numbers["connections"] += 1
        self.open_connections[address] += 1
        self._peak = max(self._peak, self.open_connections[address])

    def disconnected(self, address: str) -> None:
        self.open_connections[address] -= 1
        if not self.open_connections[address]:
            del self.open_connections[address]

    def auth(self, login: str, mechanism: str, client_ip: str, *, ok: bool, tls: bool) -> None:
        self.numbers["auths"] += 1
        if not ok:
            self.numbers["auths_refused"] += 1
        entry = {"login": login, "mechanism": mechanism, "ok": ok, "client_ip": client_ip, "tls": tls}
        self.auths.append({**entry, "time": time.time()})

    def mail(self, **entry: Any) -> str:
        """Keep a mail; gives its id."""
        self.numbers["mails"] += 1
        identity = str(self.numbers["mails"])
        self.mails.append({"id": identity, **entry, "received": time.time()})
        return identity

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control interface below /control/: for tests only, without authentication."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web

from .names import ascii_domain
from .replies import RefusedError
from .server import Server
from .state import NEW_PRODUCTS, Domain
from .user_calls import seeded_user


class Control:
    """Shows and changes everything that a test has to see or to prepare."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def routes(self) -> list[web.RouteDef]:
        record = self._server.record
        shown: dict[str, Callable[[], Any]] = {
            "state": self._state,
            "counters": record.counters,
            "mails": lambda: record.mails,
            "auths": lambda: record.auths,
            "requests": lambda: record.requests,
        }
        changes: dict[str, Callable[[dict[str, Any]], None]] = {
            "reset": self._reset,
            "counters/reset": lambda body: record.reset_counters(),
            "seed": self._seed,
            "faults": self._faults,
            "quirks": self._server.panel.quirks.change,
            "users/password": self._password,
            "identities/unlock": lambda body: self._server.spam.locked.clear(),
        }
        return [
            *(web.get(f"/control/{name}", _show(function)) for name, function in shown.items()),
            *(web.post(f"/control/{name}", self._change(function)) for name, function in changes.items()),
        ]

    def _change(self, function: Callable[[dict[str, Any]], None]) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.Response:
            try:
                function(await request.json() if request.can_read_body else {})
            except (RefusedError, ValueError, KeyError, TypeError, AttributeError) as error:
                return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
            self._server.state_file.save()
            return web.json_response({})

        return handle

    def _state(self) -> dict[str, Any]:
        state = self._server.panel.state
        return {
            "domains": [
                {**vars(domain), "domain_user": domain.domain_user and {"email": domain.domain_user["email"]}}
                for domain in state.domains.values()
            ],
            "users": [user.shown() for user in state.all_users()],
            "quirks": self._server.panel.quirks.shown(),
            "faults": [fault.shown() for fault in self._server.faults.entries],
            "locked_identities": [identity for _user, identity in sorted(self._server.spam.locked)],
            "lag": state.lag,
            "login_lag": state.login_lag,
        }

    def _reset(self, body: dict[str, Any]) -> None:
        server = self._server
        server.resets += 1
        server.panel.state.lag = server.panel.state.login_lag = 0.0
        server.panel.state.clear()
        server.panel.quirks.reset()
        server.faults.replace([])
        server.meter.clear()
        server.spam.clear()
        server.record.clear()

    def _seed(self, body: dict[str, Any]) -> None:
        """Create domains (names, or objects with products, owner, contacts) and users; existing ones are replaced."""
        state = self._server.panel.state
        lags, state.lag, state.login_lag = (state.lag, state.login_lag), 0.0, 0.0
        try:
            for entry in body.get("domains", []):
                values = {"name": entry} if isinstance(entry, str) else dict(entry)
                name = ascii_domain(values.pop("domain", None) or values.pop("name"))
                products = {key: int(values.pop(key, default)) for key, default in NEW_PRODUCTS.items()}
                owner = values.pop("owner", state.administrator)
                values.setdefault("administrator_contact", owner)
                values.setdefault("destinations", [f"mail.{name}::25"])
                state.add_domain(Domain(name, owner, products, **values))
            for entry in body.get("users", []):
                user = seeded_user(self._server.panel, entry)
                if user.domain not in state.domains:
                    state.add_domain(Domain(user.domain, state.administrator))
                existing = state.user(*user.key)
                if existing:
                    state.remove_user(existing)
                state.put_user(user)
        finally:
            state.lag, state.login_lag = lags

    def _faults(self, body: dict[str, Any]) -> None:
        self._server.faults.replace(body.get("faults", []))
        self._server.panel.state.lag = float(body.get("lag", 0))
        self._server.panel.state.login_lag = float(body.get("login_lag", 0))

    def _password(self, body: dict[str, Any]) -> None:
        """Change a password behind the API's back."""
        state = self._server.panel.state
        user = state.user(ascii_domain(body["domain"]), str(body.get("username") or "").lower())
        if user is None:
            raise ValueError("no such user")
        state.set_password(user, body["password"])


def _show(function: Callable[[], Any]) -> Callable[[web.Request], Any]:
    async def handle(request: web.Request) -> web.Response:
        return web.json_response(function())

    return handle

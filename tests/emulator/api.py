# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTPS side of the API: paths, authentication, formats, faults."""

from __future__ import annotations

import asyncio
import base64
import copy
import re
import socket
import struct
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote_plus

from aiohttp import web

from .faults import Fault
from .help_page import help_page
from .panel import Call, Panel
from .replies import RefusedError, Reply
from .server import Server

#: Faults that do not stand in the place of the call.
_AFTER_THE_CALL = ("reset_after", "half_reply", "lie", "refuse_password")
_SECRETS = {"password", "secret"}
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HTML = "<!DOCTYPE html>\n<html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>\n"


def parse_path(raw: str) -> tuple[str, dict[str, str]]:
    """Split a raw path below /api/ into the call and its parameters.

    Values are decoded once, and "+" is a space, as in a Zend wildcard route. Empty parts (double slashes), a name
    without value and a repeated name are refused: the vendor's clients had to avoid them.
    """
    parts = raw.split("/")
    if parts[-1] == "":
        parts.pop()
    name = "/".join(parts[:2])
    pairs = parts[2:]
    if len(parts) < 2 or "" in parts or len(pairs) % 2 or any(_ESCAPE.search(part) for part in parts):
        raise RefusedError("Incorrect usage of API")
    try:
        decoded = [unquote_plus(part, errors="strict") for part in pairs]
    except UnicodeDecodeError:
        raise RefusedError("Incorrect usage of API") from None
    arguments = dict(zip(decoded[::2], decoded[1::2]))
    if len(arguments) * 2 != len(decoded):
        raise RefusedError("Incorrect usage of API")
    return name, arguments


def reply_to(panel: Panel, calls: Mapping[str, Call], raw: str, fault: Fault | None) -> tuple[Reply, str]:
    """What the panel answers to a raw path below /api/, and the path as the log may show it."""
    name = "/".join(raw.split("/")[:2]).rstrip("/")
    shown = f"/api/{name}/..."
    try:
        _name, arguments = parse_path(raw)
        if name not in calls:
            raise RefusedError("You have no permission to call this method")
        if arguments.pop("format", "plain") not in ("json", "plain"):
            raise RefusedError("Incorrect usage of API")
        calls[name].check(arguments)
        shown = _shown_path(name, arguments)
        if fault and fault.kind == "refuse_password" and arguments.get("password") == fault.values["password"]:
            raise RefusedError("The password is not strong enough", "Failed to save the outgoing user")
        if fault and fault.kind == "lie":  # all that it does is done to a copy
            panel = replace(panel, state=copy.deepcopy(panel.state))
        return calls[name].handler(panel, arguments), shown
    except RefusedError as refused:
        return Reply(errors=refused.lines), shown


def reset_connection(transport: asyncio.BaseTransport | None) -> None:
    """End a connection with a TCP reset."""
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


class Api:
    """Answers everything below /api/."""

    def __init__(self, server: Server) -> None:
        self._server = server
        login = f"{server.panel.state.administrator}:{server.password}".encode()
        self._authorization = "Basic " + base64.b64encode(login).decode("ascii")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = request.raw_path.partition("?")[0].removeprefix("/api").removeprefix("/")
        name = "/".join(raw.split("/")[:2]).rstrip("/")
        call = self._server.calls.get(name)
        self._count(name, call)
        seconds, fault = self._server.faults.take(name)
        if seconds and await self._server.is_reset_within(seconds):
            reset_connection(request.transport)
            return web.Response()
        shown = f"/api/{name}/..."
        agent = request.headers.get("User-Agent", "")
        if fault and fault.kind == "reset_before":
            self._server.record.request(request.method, shown, "reset", agent)
            reset_connection(request.transport)
            return web.Response()
        response = None
        if fault and fault.kind not in _AFTER_THE_CALL:
            response = self._faulty(fault, raw, request.remote)
        if response is None:
            response, shown = self._answer(request, raw, name, fault)
        if fault and fault.kind == "reset_after":
            self._server.record.request(request.method, shown, "reset", agent)
            reset_connection(request.transport)
            return web.Response()
        self._server.record.request(request.method, shown, response.status, agent)
        if fault and fault.kind == "half_reply":
            return await self._half(request, response)
        return response

    def _count(self, name: str, call: Call | None) -> None:
        record = self._server.record
        record.calls[name] += 1
        if call or name == "help":
            record.numbers["writes" if call and call.write else "reads"] += 1

    def _answer(self, request: web.Request, raw: str, name: str, fault: Fault | None) -> tuple[web.Response, str]:
        """The reply of the panel, and the path as the log may show it."""
        shown = f"/api/{name}/..."
        # A panel that does not know the caller answers 200 with an error, like for every other error.
        if request.headers.get("Authorization") != self._authorization:
            return _response(Reply(errors=["Supplied credential is invalid."]), raw), shown
        if request.method not in ("GET", "POST"):
            return web.Response(
                status=405, text=_HTML.format("405 Method Not Allowed"), content_type="text/html"
            ), shown
        if name == "help":
            return web.Response(text=help_page(self._server.calls), content_type="text/html"), "/api/help/"
        version = self._server.panel.state.version
        reply, shown = reply_to(self._server.panel, self._server.calls, raw, fault)
        if self._server.panel.state.version != version:
            self._server.record.numbers["effective_writes"] += 1
            self._server.state_file.save()
        return _response(reply, raw), shown

    def _faulty(self, fault: Fault, raw: str, address: str | None) -> web.Response:
        values = fault.values
        if fault.kind == "status":
            code = int(values["code"])
            headers = {"Retry-After": str(values["retry_after"])} if "retry_after" in values else {}
            return web.Response(
                status=code, text=_HTML.format(f"Error {code}"), content_type="text/html", headers=headers
            )
        if fault.kind == "redirect":
            return web.Response(status=302, headers={"Location": str(values["location"])})
        if fault.kind == "html":
            return web.Response(text=_HTML.format("Please log in"), content_type="text/html")
        if fault.kind == "sqlstate":
            text = "exception 'PDOException' with message : SQLSTATE[HY000] [2002] Connection refused"
            return web.Response(text=text, content_type="text/html")
        if fault.kind == "body":
            return web.Response(text=str(values["text"]), content_type=str(values.get("content_type", "text/html")))
        administrator = self._server.panel.state.administrator
        line = {
            "inactive": f"The user '{administrator}' has status 'inactive'",
            "ip_not_allowed": f"You have no access to this API, current IP address '{address}' is not allowed",
            "api_not_allowed": "You don't have permissions to access the API.",
            "bad_credentials": "Supplied credential is invalid.",
        }[fault.kind]
        return _response(Reply(errors=[line]), raw)

    async def _half(self, request: web.Request, response: web.Response) -> web.StreamResponse:
        """Announce the whole reply, send half of it, and hang up."""
        body = response.text or ""
        half = web.StreamResponse(headers={"Content-Type": response.headers["Content-Type"]})
        half.content_length = len(body.encode())
        await half.prepare(request)
        await half.write(body.encode()[: len(body.encode()) // 2])
        if request.transport:
            request.transport.close()
        return half


def _response(reply: Reply, raw: str) -> web.Response:
    if "/format/json" in f"/{raw}":
        return web.Response(text=reply.as_json(), content_type="application/json")
    return web.Response(text=reply.as_plain(), content_type="text/html")


def _shown_path(name: str, arguments: Mapping[str, str]) -> str:
    """The path for the log, with secrets left out; only called with parameters that the call knows."""
    pairs = "".join(f"/{key}/{'***' if key in _SECRETS else value}" for key, value in arguments.items())
    return f"/api/{name}{pairs}"

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the emulator: `python -m tests.emulator`; prints one JSON line when it is ready."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import socket
import tempfile
import warnings
from pathlib import Path
from typing import Any

from aiohttp import web

from .api import Api
from .certificates import server_context
from .control import Control
from .methods import offered
from .panel import Panel
from .server import Server, StateFile
from .smtp import SmtpProtocol
from .state import State

_LOOPBACK = {"127.0.0.1", "0.0.0.0"}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.emulator", description=__doc__)
    parser.add_argument("--methods", choices=("documented", "full"), default="full", help="calls that are offered")
    parser.add_argument("--dialect", choices=("plain", "odd"), default="plain", help="names of our extensions")
    parser.add_argument("--host", action="append", help="address to listen on; may be repeated (127.0.0.1)")
    parser.add_argument("--api-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--smtp-port", type=int, default=0, help="0: any free port")
    parser.add_argument("--smtps-port", type=int, default=0, help="TLS from the first byte; 0: any free port")
    parser.add_argument("--state", type=Path, help="JSON file that keeps domains and users over a restart")
    parser.add_argument("--directory", type=Path, help="keeps the certificate authority (a temporary directory)")
    parser.add_argument("--name", action="append", default=[], help="further name in the certificate; may be repeated")
    parser.add_argument(
        "--username", default="admin@example.test", help="administrator; password: EMULATOR_API_PASSWORD"
    )
    parser.add_argument("--die-with-parent", action="store_true", help="end when the starting process is gone")
    return parser.parse_args()


def _listen(hosts: list[str], port: int) -> list[socket.socket]:
    """Sockets on the same port of every address; a free port of the first may be taken on another, so it is retried."""
    for attempt in range(20):
        sockets: list[socket.socket] = []
        chosen = port
        try:
            for host in hosts:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                # asyncio switches Nagle's delays off only for sockets that name their protocol.
                listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
                sockets.append(listening)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind((host, chosen))
                chosen = listening.getsockname()[1]
        except OSError:
            for listening in sockets:
                listening.close()
            if port or len(hosts) == 1 or attempt == 19:
                raise
        else:
            return sockets
    raise AssertionError("unreachable")


async def _watch_parent(parent: int, stop: asyncio.Event) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    stop.set()


def _unless_client_reset(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say what nobody has caught, but that a client has reset its connection while nobody read from it any more."""
    if not isinstance(context.get("exception"), ConnectionResetError):
        loop.default_exception_handler(context)


async def _run(arguments: argparse.Namespace, parent: int, directory: Path) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_unless_client_reset)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    hosts = arguments.host or ["127.0.0.1"]
    context, authority_file = server_context(
        directory, list(dict.fromkeys(["localhost", "127.0.0.1", *hosts, *arguments.name]))
    )
    panel = Panel(State(arguments.username))
    password = os.environ.pop("EMULATOR_API_PASSWORD", "") or secrets.token_urlsafe()
    server = Server(panel, offered(arguments.methods, arguments.dialect), password, StateFile(arguments.state, panel))
    application = web.Application(client_max_size=256 * 2**20)
    application.add_routes(Control(server).routes())
    api = Api(server).handle
    application.router.add_route("*", "/api", api)
    application.router.add_route("*", r"/api/{path:[\s\S]*}", api)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5, max_line_size=65536)
    await runner.setup()
    api_sockets = _listen(hosts, arguments.api_port)
    for listening in api_sockets:
        await web.SockSite(runner, listening, ssl_context=context, backlog=1024).start()
    smtp_sockets = _listen(hosts, arguments.smtp_port)
    smtp_servers = [
        await loop.create_server(lambda: SmtpProtocol(server, context, loop), sock=listening, backlog=1024)
        for listening in smtp_sockets
    ]
    smtps_sockets = _listen(hosts, arguments.smtps_port)
    smtp_servers += [
        await loop.create_server(lambda: SmtpProtocol(server, None, loop), sock=listening, backlog=1024, ssl=context)
        for listening in smtps_sockets
    ]
    host = "localhost" if _LOOPBACK & set(hosts) else hosts[0]
    api_url = f"https://{f'[{host}]' if ':' in host else host}:{api_sockets[0].getsockname()[1]}"
    ready = {
        "ready": True,
        "api_url": api_url,
        "smtp_host": host,
        "smtp_port": smtp_sockets[0].getsockname()[1],
        "smtps_port": smtps_sockets[0].getsockname()[1],
        "ca_file": str(authority_file),
        "control_url": f"{api_url}/control",
        "pid": os.getpid(),
    }
    print(json.dumps(ready), flush=True)
    watcher = loop.create_task(_watch_parent(parent, stop)) if arguments.die_with_parent else None
    await stop.wait()
    if watcher:
        watcher.cancel()
    for smtp_server in smtp_servers:
        smtp_server.close()
    await runner.cleanup()
    server.state_file.flush()


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    parent = os.getppid()
    arguments = _arguments()
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd would log every command
    warnings.filterwarnings("ignore", module="aiosmtpd")
    os.umask(0o022)
    with contextlib.ExitStack() as stack:
        directory = arguments.directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emulator-")))
        directory.mkdir(parents=True, exist_ok=True)
        asyncio.run(_run(arguments, parent, directory))


if __name__ == "__main__":
    main()

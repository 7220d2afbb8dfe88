# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts the emulator as a process, and talks to its control interface."""

from __future__ import annotations

import base64
import json
import os
import secrets
import selectors
import smtplib
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Optional
from urllib.parse import quote

import requests

from tests import ROOT

_START_SECONDS = 30
_STOP_SECONDS = 15


class Emulator:
    """One emulator process, as a context manager.

    `methods` and `dialect` as the emulator's options; `persistent` keeps domains and users over `restart()`;
    `hosts` are the addresses to listen on, `names` further names in the certificate; `namespace` is the network
    namespace that the process runs in, the caller's own unless given.
    """

    def __init__(
        self,
        methods: str = "full",
        *,
        dialect: str = "plain",
        persistent: bool = False,
        hosts: Iterable[str] = ("127.0.0.1",),
        names: Iterable[str] = (),
        username: str = "admin@example.test",
        namespace: str = "",
    ) -> None:
        self._launcher = ["ip", "netns", "exec", namespace] if namespace else []
        self._temporary = tempfile.TemporaryDirectory(prefix="emulator-")
        directory = Path(self._temporary.name)
        self._options = [f"--methods={methods}", f"--dialect={dialect}", f"--username={username}"]
        self._options += [f"--directory={directory}", "--die-with-parent"]
        self._options += [f"--state={directory / 'state.json'}"] if persistent else []
        self._options += [f"--host={host}" for host in hosts] + [f"--name={name}" for name in names]
        self._log = directory / "stderr"
        self._process: Optional[subprocess.Popen[str]] = None
        self._session = requests.Session()
        self._session.trust_env = False
        self.api_username = username
        self.api_password = secrets.token_urlsafe(18)
        self.api_url = ""
        self.smtp_host = ""
        self.smtp_port = 0
        self.smtps_port = 0
        self.ca_file = ""
        self.control_url = ""

    def __enter__(self) -> Emulator:
        self.start()
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    # The process

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process and wait until it listens; a later start keeps the ports of the first."""
        self.stop()
        api_port = self.api_url.rpartition(":")[2] or "0"
        command = [*self._launcher, sys.executable, "-m", "tests.emulator", *self._options]
        command += [f"--api-port={api_port}", f"--smtp-port={self.smtp_port}", f"--smtps-port={self.smtps_port}"]
        environment = {**os.environ, "EMULATOR_API_PASSWORD": self.api_password, "PYTHONPATH": str(ROOT)}
        with self._log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        ready = self._ready_line()
        self.api_url = str(ready["api_url"])
        self.smtp_host = str(ready["smtp_host"])
        self.smtp_port = int(ready["smtp_port"])
        self.smtps_port = int(ready["smtps_port"])
        self.ca_file = str(ready["ca_file"])
        self.control_url = str(ready["control_url"])
        self._session.verify = self.ca_file

    def _ready_line(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            line = self._process.stdout.readline() if selector.select(_START_SECONDS) else ""
        if not line:
            self.stop()
            raise RuntimeError(f"the emulator did not start: {self.log()}")
        ready: dict[str, Any] = json.loads(line)
        return ready

    def stop(self) -> None:
        """End the process, by force if it does not end by itself."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def restart(self) -> None:
        """Stop and start on the same ports and with the same certificate authority."""
        self.stop()
        self.start()

    def close(self) -> None:
        """End the process and remove its directory."""
        self.stop()
        self._session.close()
        self._temporary.cleanup()

    def log(self) -> str:
        """What the process wrote to stderr: empty unless something in the emulator went wrong."""
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    # How clients reach it

    @property
    def connection(self) -> dict[str, str]:
        """The connection options of the API modules."""
        return {
            "api_url": self.api_url,
            "api_username": self.api_username,
            "api_password": self.api_password,
            "ca_path": self.ca_file,
        }

    @property
    def smarthost_options(self) -> dict[str, Any]:
        """The options of modules that log in to the smarthost."""
        return {"smarthost": self.smtp_host, "smarthost_port": self.smtp_port, "smarthost_ca_path": self.ca_file}

    @property
    def implicit_options(self) -> dict[str, Any]:
        """The same where TLS begins before the first word."""
        return {**self.smarthost_options, "smarthost_port": self.smtps_port, "smarthost_tls": "implicit"}

    def call(self, name: str, /, **parameters: str) -> dict[str, Any]:
        """Make a call of the API as the administrator; gives the decoded JSON reply."""
        pairs = "".join(f"/{key}/{quote(value, safe='')}" for key, value in parameters.items())
        login = (self.api_username, self.api_password)
        reply = self._session.get(f"{self.api_url}/api/{name}{pairs}/format/json/", auth=login, timeout=60)
        reply.raise_for_status()
        decoded: dict[str, Any] = reply.json()
        return decoded

    # The control interface

    def control(self, name: str, body: Optional[Mapping[str, Any]] = None) -> Any:
        """GET a part of the control interface, or POST to it; raises ValueError for what the emulator refuses."""
        url = f"{self.control_url}/{name}"
        reply = self._session.get(url, timeout=60) if body is None else self._session.post(url, json=body, timeout=60)
        if reply.status_code == 400:
            raise ValueError(reply.json()["error"])
        reply.raise_for_status()
        return reply.json()

    def reset(self) -> None:
        """Back to an empty server without faults and quirks."""
        self.control("reset", {})

    def counters(self) -> dict[str, Any]:
        return dict(self.control("counters"))

    def reset_counters(self) -> None:
        self.control("counters/reset", {})

    def accepts(self, login: str, password: str, address: str = "") -> bool:
        """Whether the smarthost takes this login; address: where it listens, unless on this machine itself."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.check_hostname = not address
        with smtplib.SMTP(address or self.smtp_host, self.smtp_port, timeout=20) as smtp:
            smtp.starttls(context=context)
            smtp.ehlo()
            # Not smtplib's own login, which knows ASCII only.
            answer = base64.b64encode(f"\0{login}\0{password}".encode()).decode()
            code, _text = smtp.docmd("AUTH", f"PLAIN {answer}")
        assert code in (235, 535)
        return code == 235

    def mails(self) -> list[dict[str, Any]]:
        return list(self.control("mails"))

    def auths(self) -> list[dict[str, Any]]:
        return list(self.control("auths"))

    def requests(self) -> list[dict[str, Any]]:
        return list(self.control("requests"))

    def state(self) -> dict[str, Any]:
        return dict(self.control("state"))

    def users(self) -> list[dict[str, Any]]:
        """The outgoing users as they are, whatever lists show."""
        return list(self.state()["users"])

    def seed(self, *, domains: Iterable[str | Mapping[str, Any]] = (), users: Iterable[Mapping[str, Any]] = ()) -> None:
        """Create domains and users; a user's domain is created when it is missing."""
        self.control("seed", {"domains": list(domains), "users": list(users)})

    def faults(self, *faults: Mapping[str, Any], lag: float = 0.0, login_lag: float = 0.0) -> None:
        """Replace all faults.

        `lag` is the number of seconds for which lists show the state before a write, `login_lag` the one for which
        logins take the password before it.
        """
        self.control("faults", {"faults": list(faults), "lag": lag, "login_lag": login_lag})

    def quirks(self, **quirks: Any) -> None:
        self.control("quirks", quirks)

    def set_password(self, domain: str, username: Optional[str], password: str) -> None:
        """Change a password behind the API's back."""
        self.control("users/password", {"domain": domain, "username": username, "password": password})

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make publish` sends the token to Galaxy, and to nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbook import ansible_environment
from tests.tools.publish import BUILD

TOKEN = "0123456789abcdef-of-a-test"


class Galaxy(ThreadingHTTPServer):
    """As much of a Galaxy server as a publication needs."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_port}/api/"
        self.authorised: list[tuple[str, str]] = []
        self.token_files: list[tuple[int, str]] = []
        self.processes = ""


class Answer(BaseHTTPRequestHandler):
    """Notes who asks, and what can be seen of the token meanwhile."""

    server: Galaxy

    def _answer(self, content: dict[str, Any]) -> None:
        galaxy = self.server
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        galaxy.authorised.append((f"{self.command} {self.path}", self.headers.get("Authorization", "")))
        galaxy.token_files += [(path.stat().st_mode & 0o777, path.read_text()) for path in BUILD.glob("galaxy-token-*")]
        processes = subprocess.run(["ps", "axww", "-o", "args"], check=True, capture_output=True, text=True)
        galaxy.processes += processes.stdout
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if "/imports/" in self.path:
            self._answer({"state": "completed", "finished_at": "2026-01-01T00:00:00Z", "messages": []})
        else:
            self._answer({"available_versions": {"v3": "v3/"}})

    def do_POST(self) -> None:
        self._answer({"task": f"{self.server.url}v3/imports/collections/1/"})

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing on the screen."""


@pytest.fixture
def galaxy() -> Iterator[Galaxy]:
    with Galaxy() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def publish(artefact: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.tools.publish", str(artefact)],
        env={**ansible_environment(), **environment},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_galaxy_gets_the_token_and_nobody_else_sees_it(tmp_path: Path, galaxy: Galaxy) -> None:
    artefact = tmp_path / "smarthost-spamexperts-1.0.0.tar.gz"
    with tarfile.open(artefact, "w:gz"):
        pass
    run = publish(artefact, ANSIBLE_GALAXY_TOKEN=TOKEN, ANSIBLE_GALAXY_SERVER=galaxy.url)
    assert run.returncode == 0, run.stdout
    posts = [token for request, token in galaxy.authorised if request.startswith("POST")]
    assert posts == [f"Token {TOKEN}"]
    assert TOKEN not in run.stdout
    assert "ansible-galaxy" in galaxy.processes
    assert TOKEN not in galaxy.processes
    assert {mode for mode, _content in galaxy.token_files} == {0o600}
    assert list(BUILD.glob("galaxy-token-*")) == []


def test_without_a_token_nothing_is_sent(tmp_path: Path, galaxy: Galaxy) -> None:
    run = publish(tmp_path / "artefact.tar.gz", ANSIBLE_GALAXY_SERVER=galaxy.url)
    assert run.returncode == 1
    assert run.stdout == "Set ANSIBLE_GALAXY_TOKEN to the API token of your account at Galaxy.\n"
    assert galaxy.authorised == []

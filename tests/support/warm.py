# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook, forked from a process that has imported what it needs.

Of the 0.7 processor seconds of a playbook with one task, imports are two thirds. Libraries are imported once, and
Ansible, which reads its settings meanwhile, once for each environment. What a module needs on a host is packed once
for all runs, where each would do so for itself.
"""

from __future__ import annotations

import atexit
import functools
import gc
import hashlib
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from tests import ROOT

PROGRAM = str(Path(sys.executable).with_name("ansible-playbook"))
#: What a Python reads only when it starts.
_AT_START = ("PYTHON", "LC_", "LANG", "LD_")
_LIBRARIES = (
    "import sys, ansible.cli.playbook; print(*(name for name in sys.modules if name.split('.')[0] != 'ansible'))"
)


#: The tests set it; benchmarks and the demonstration run the program.
is_used = False
#: In how many environments a process keeps Ansible imported.
_MOST_PREPARED = 4
#: Where temporary files are, whatever a test says of that.
_TEMPORARY = tempfile.gettempdir()
_idle: list[subprocess.Popen[str]] = []


def can_run(environment: Mapping[str, str]) -> bool:
    """Whether such a run may be forked, and is the same as the program's, whose Python would start as this one has."""

    def at_start(variables: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in variables.items() if name.startswith(_AT_START)}

    return is_used and at_start(environment) == at_start(os.environ)


def run(arguments: Sequence[str], environment: Mapping[str, str], folder: Path, timeout: float) -> tuple[int, str]:
    """Run ansible-playbook with these arguments from this folder; its exit code, and what it has printed.

    Raises TimeoutExpired; then it has been killed.
    """
    try:
        parent = _idle.pop()
    except IndexError:  # several threads may run one each
        parent = _start()
    assert parent.stdin
    assert parent.stdout
    with tempfile.NamedTemporaryFile(prefix="playbook-") as output:
        asked = {"argv": [PROGRAM, *arguments], "env": dict(environment), "cwd": str(folder), "timeout": timeout}
        print(json.dumps({"output": output.name, "packed": packed_modules(), **asked}), file=parent.stdin, flush=True)
        code = json.loads(parent.stdout.readline())
        _idle.append(parent)
        printed = output.read().decode()
    if code is None:
        raise subprocess.TimeoutExpired([PROGRAM, *arguments], timeout, printed)
    return int(code), printed


@functools.cache
def packed_modules() -> str:
    """Where packed modules are kept until this process ends."""
    folder = tempfile.mkdtemp(prefix="packed-modules-", dir=_TEMPORARY)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _start() -> subprocess.Popen[str]:
    """The process from which runs are forked; it ends with this one."""
    command = [sys.executable, "-m", "tests.support.warm"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.communicate)
    return process


def _serve() -> Optional[dict[str, Any]]:
    """Answer requests until there are no more; in the process of a run, return what it is to do."""
    libraries = subprocess.run([sys.executable, "-c", _LIBRARIES], capture_output=True, text=True, check=True).stdout
    for name in [*libraries.split(), "requests", "dns.resolver"]:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    prepared: dict[str, _Prepared] = {}
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        settings = _settings(asked)
        if settings not in prepared:
            if len(prepared) == _MOST_PREPARED:
                prepared.pop(next(iter(prepared))).end()
            ours, theirs = socket.socketpair()
            process = os.fork()
            if not process:
                ours.close()
                return _serve_prepared(theirs, asked)
            theirs.close()
            prepared[settings] = _Prepared(process, ours)
        code = prepared[settings].answer(line)
        if code is None:  # such settings that Ansible cannot be imported: the program says why
            process = os.fork()
            if not process:
                return asked
            code = json.dumps(_wait(process, asked["timeout"]))
        print(code, flush=True)
    for each in prepared.values():
        each.end()
    return None


class _Prepared:
    """A process that has imported Ansible in one environment."""

    def __init__(self, process: int, requests: socket.socket) -> None:
        self._process = process
        self._requests = requests
        self._stream = requests.makefile("rw")

    def answer(self, line: str) -> Optional[str]:
        """Hand it a request, and wait for the answer; None where it has ended instead."""
        with suppress(ConnectionError):
            print(line, end="", file=self._stream, flush=True)
            return self._stream.readline().strip() or None
        return None

    def end(self) -> None:
        """Let it end, and wait for that."""
        with suppress(OSError):
            self._requests.shutdown(socket.SHUT_RDWR)
        os.waitpid(self._process, 0)


def _settings(asked: Mapping[str, Any]) -> str:
    """All that Ansible's settings may come from."""
    variables = {name: value for name, value in asked["env"].items() if name != "PYTEST_CURRENT_TEST"}
    places = variables.get("ANSIBLE_CONFIG", ""), Path(asked["cwd"], "ansible.cfg")
    files = [str(path.stat()) for path in map(Path, places) if path.is_file()]
    return json.dumps([variables, asked["cwd"], files], sort_keys=True)


def _serve_prepared(requests: socket.socket, first: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """As `_serve`, with Ansible imported in the environment of the first request."""
    printed = os.memfd_create("printed")
    _enter(first, printed)
    with suppress(Exception, SystemExit):
        importlib.import_module("ansible.cli.playbook")
    sys.stdout.flush()
    if "ansible.cli.playbook" not in sys.modules or os.fstat(printed).st_size:
        return None
    constants = importlib.import_module("ansible.constants")
    gc.collect()
    gc.freeze()
    stream = requests.makefile("rw")
    for line in stream:
        # It is made where Ansible is imported, and goes at the end of each run.
        Path(constants.DEFAULT_LOCAL_TMP).mkdir(mode=0o700, exist_ok=True)
        process = os.fork()
        if not process:
            asked: dict[str, Any] = json.loads(line)
            return asked
        print(json.dumps(_wait(process, json.loads(line)["timeout"])), file=stream, flush=True)
        shutil.rmtree(constants.DEFAULT_LOCAL_TMP, ignore_errors=True)
    return None


def _wait(process: int, timeout: float) -> Optional[int]:
    """The exit code of this process; None when it had to be killed."""
    handle = os.pidfd_open(process)
    is_done, *_others = select.select([handle], [], [], timeout)
    os.close(handle)
    if not is_done:
        os.kill(process, signal.SIGKILL)
    _process, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status) if is_done else None


def _share_packed_modules(folder: Path) -> None:
    """Let ansible-core find what an earlier run with the same modules has packed; it asks by the module's name."""
    try:
        from ansible import constants  # noqa: PLC0415 - it reads the settings of the run
    except Exception:  # a setting that is no good, which the program will say
        return
    places = constants.COLLECTIONS_PATHS, constants.DEFAULT_MODULE_PATH, constants.DEFAULT_MODULE_UTILS_PATH
    kept = folder / hashlib.sha256(repr(places).encode()).hexdigest()
    kept.mkdir(exist_ok=True)
    Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache").symlink_to(kept)


def _enter(asked: Mapping[str, Any], output: int) -> None:
    """Be where a run is, with its environment, no input, and this output."""
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    tempfile.tempdir = None  # it is looked up anew


def _become(asked: Mapping[str, Any]) -> None:
    """Be ansible-playbook from here on."""
    with Path(asked["output"]).open("wb") as output:
        _enter(asked, output.fileno())
    _share_packed_modules(Path(asked["packed"]))
    sys.argv, sys.path[0] = asked["argv"], str(Path(PROGRAM).parent)
    runpy.run_path(PROGRAM, run_name="__main__")


if __name__ == "__main__":
    request = _serve()
    if request:
        _become(request)

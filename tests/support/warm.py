# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-playbook, forked from a process that has imported what it needs from others.

Of the 0.7 processor seconds of a playbook with one task, imports are two thirds, and half of these of libraries. All
of Ansible is imported anew, in the environment of the run: it reads its settings while it is imported. What a module
needs on a host is packed once for all runs, where each would do so for itself.
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
    folder = tempfile.mkdtemp(prefix="packed-modules-")
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
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        process = os.fork()
        if not process:
            return asked
        print(json.dumps(_wait(process, asked["timeout"])), flush=True)
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


def _become(asked: Mapping[str, Any]) -> None:
    """Be ansible-playbook from here on."""
    for path, flags, targets in ((os.devnull, os.O_RDONLY, [0]), (asked["output"], os.O_WRONLY, [1, 2])):
        opened = os.open(path, flags)
        for target in targets:
            os.dup2(opened, target)
        os.close(opened)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    _share_packed_modules(Path(asked["packed"]))
    sys.argv, sys.path[0] = asked["argv"], str(Path(PROGRAM).parent)
    runpy.run_path(PROGRAM, run_name="__main__")


if __name__ == "__main__":
    request = _serve()
    if request:
        _become(request)

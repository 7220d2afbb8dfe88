# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run of Ansible that a task belongs to, and whether another one still lives."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from contextlib import suppress
from pathlib import Path


class RunGoneError(RuntimeError):
    """ansible-playbook was killed, and this process, which works at one of its tasks, has outlived it."""


def this_run() -> int:
    """The process id of the ansible-playbook that this task belongs to. Raises RunGoneError.

    An action works in a process of its own, which is gone after the task. Where ansible-playbook was killed meanwhile,
    that process has become the child of another one, often of process 1. (`is_alive` of the parent would stay true as
    long as any process of another task lives.) Process 1 is ansible-playbook itself in many a container.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return os.getpid()  # a strategy that has no processes for tasks
    if parent.pid is None or parent.pid != os.getppid():
        raise RunGoneError(f"this run of Ansible (process {parent.pid}) was killed meanwhile")
    return parent.pid


def is_running(process: int, started: str) -> bool:
    """Whether the process that was started then still runs; where nobody can tell its start, any with its id does."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is somebody else's
    return start_of(process) in (started, "") or not started


def start_of(process: int) -> str:
    """When the process was started, so that a later one with the same id is not taken for it; empty if nobody can tell.

    The same in every environment: not in local time, nor in words of a language.
    """
    with suppress(OSError):
        # The name in brackets may hold anything; after it come field 3 and on, and field 22 is the start.
        # https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
        return Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    command = ["ps", "-o", "lstart=", "-p", str(process)]  # macOS and the BSDs
    with suppress(OSError):
        environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
        shown = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return shown.stdout.strip()
    return ""

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running daemons of one instance: whether those with old rules are still there after a reload."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import Optional

from .commands import Instance

# A client that is in the middle of a mail ends after it, which may take minutes; it is not waited for longer.
PATIENCE = 3.0


def reload_and_wait(instance: Instance, names: Collection[str] = ("qmgr",)) -> None:
    """Reload, and wait until the daemons of these names that knew the old rules are gone.

    The queue manager above all: on its way out it takes a flush with it, and then nothing is tried.
    """
    queue = instance.effective(["queue_directory"])["queue_directory"]
    old = _running(queue, names)
    instance.reload()
    deadline = time.monotonic() + PATIENCE
    while old & _running(queue, names) and time.monotonic() < deadline:
        time.sleep(0.02)


def _running(queue: str, names: Collection[str]) -> set[int]:
    """The process ids of these daemons under the master of the instance with this queue directory."""
    try:
        master = Path(queue, "pid", "master.pid").read_text(encoding="ascii").strip()
    except OSError:
        return set()
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _stat(entry)
        if fields and fields[1] in names and fields[3] == master:
            found.add(int(entry.name))
    return found


def _stat(entry: Path) -> Optional[list[str]]:
    """Process id, name, state and parent; None when the process is gone."""
    try:
        text = (entry / "stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    pid, _separator, rest = text.partition(" (")
    name, _separator, rest = rest.rpartition(") ")
    return [pid, name, *rest.split()[:2]]

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what a run leaves on the disk is there for the next one."""

from __future__ import annotations

import os
from pathlib import Path

_MARKS = ("/run/.containerenv", "/.dockerenv")  # Podman, Docker


def in_container() -> bool:
    """Whether the disk of this machine may be gone after the run, as in AWX, with ansible-runner, Podman or Docker."""
    return bool(os.environ.get("AWX_PRIVATE_DATA_DIR")) or any(Path(mark).exists() for mark in _MARKS)

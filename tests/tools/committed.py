# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project as git would commit it, so that no cache and no private file of the work tree is tested."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests import ROOT


def committed_files() -> list[str]:
    """Return the path of every file of the project, those included that are not committed yet."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode()
    return sorted(name for name in listed.split("\0") if name and (ROOT / name).is_file())


def copy_project(target: Path) -> None:
    """Make this folder a copy of the project."""
    shutil.rmtree(target, ignore_errors=True)
    for name in committed_files():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)

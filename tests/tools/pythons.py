# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Pythons this machine has, on the search path or made by pyenv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SUPPORTED_MINORS = range(9, 16)


def _answers(program: Path, minor: int) -> bool:
    """Tell whether this program runs and is that Python; a shim of pyenv may stand for a Python that is not chosen."""
    completed = subprocess.run(
        [program, "-c", "import sys, venv, ensurepip; print(*sys.version_info[:2])"], capture_output=True, check=False
    )
    return completed.stdout.split() == [b"3", str(minor).encode()]


def find_pythons() -> dict[str, Path]:
    """Return version ("3.12") -> interpreter for every Python that can make a virtual environment, oldest first."""
    roots = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found: dict[str, Path] = {}
    for minor in SUPPORTED_MINORS:
        name = f"python3.{minor}"
        candidates = [Path(program)] if (program := shutil.which(name)) else []
        candidates += sorted(roots.glob(f"3.{minor}.*/bin/{name}"), reverse=True)
        if sys.version_info[:2] == (3, minor):
            candidates.insert(0, Path(sys.executable))
        usable = next((candidate for candidate in candidates if _answers(candidate, minor)), None)
        if usable:
            found[f"3.{minor}"] = usable
    return found

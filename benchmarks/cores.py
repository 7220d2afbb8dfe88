# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A virtual environment with one release of ansible-core, kept for the next time."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.measure import SkippedError
from tests import ROOT
from tests.tools.matrix import CORES
from tests.tools.pythons import find_pythons

_MINOR = "3.12"  # the one Python that both cores run on, so that they can be compared


def core_python(release: str) -> Path:
    """The interpreter of an environment with this release ("2.19"). Raises SkippedError with the reason."""
    version = next(core.version for core in CORES if core.release == release)
    folder = ROOT / "build" / "bench" / f"core-{release}"
    python = folder / "bin" / "python"
    ready = folder / f"ready-{version}"
    if ready.exists():
        return python
    base = find_pythons().get(_MINOR)
    if base is None:
        raise SkippedError(f"there is no Python {_MINOR} here")
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    for command in ([str(base), "-m", "venv", str(folder)], [*install, f"ansible-core=={version}", "requests"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SkippedError(f"ansible-core {version} could not be installed: {done.stderr.strip()[-200:]}")
    ready.touch()
    return python

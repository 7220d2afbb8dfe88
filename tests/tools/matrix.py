# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run all stages below on every ansible-core that a Python of this machine can run.

`python -m tests.tools.matrix [CORE...] [STAGE...]`; all cores when none is named, all stages when none is named. A core
without a Python is named, not hidden.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests import ROOT
from tests.tools.pythons import find_pythons


@dataclass(frozen=True)
class Core:
    """One release of ansible-core and the Pythons that can be its controller, the preferred one first.

    pytest_ansible: its last release for this core, where the pinned one does without it.
    """

    release: str
    version: str
    pythons: tuple[str, ...]
    pytest_ansible: str = ""


# The oldest Python of each core, so that all of them together cover all Pythons.
CORES = (
    Core("2.16", "2.16.19", ("3.10", "3.11", "3.12")),
    Core("2.17", "2.17.14", ("3.10", "3.11", "3.12"), pytest_ansible="26.6.0"),
    Core("2.18", "2.18.19", ("3.11", "3.12", "3.13")),
    Core("2.19", "2.19.14", ("3.11", "3.12", "3.13")),
    Core("2.20", "2.20.10", ("3.12", "3.13", "3.14")),
    Core("2.21", "2.21.5", ("3.12", "3.13", "3.14")),
    Core("2.22", "2.22.0rc1", ("3.13", "3.14", "3.15")),
)

SECRETS = ("tests/integration/test_secrets.py", "tests/integration/test_rotation_secrets.py")
#: Unit, component and secrecy tests, and both of ansible-test.
STAGES = {
    "unit": ["python", "-m", "pytest", "-m", "not slow", "tests/unit"],
    "component": ["python", "-m", "pytest", "-m", "not slow", "-n4", "--dist=worksteal", "tests/component"],
    "secrets": ["python", "-m", "pytest", "-m", "not slow", *SECRETS],
    "sanity": ["python", "-m", "tests.tools.ansible_test", "sanity"],
    "units": ["python", "-m", "tests.tools.ansible_test", "units"],
}


def run_core(core: Core, python: Path, stages: list[str]) -> list[str]:
    """Run these stages on one core and return the names of those that failed."""
    folder = ROOT / "build" / "matrix" / core.release
    folder.mkdir(parents=True, exist_ok=True)
    requirements = folder / "requirements.txt"
    pinned = (ROOT / "tests" / "requirements-test.txt").read_text()
    if core.pytest_ansible:
        pinned = re.sub(r"(?m)^pytest-ansible==.*", f"pytest-ansible=={core.pytest_ansible}", pinned)
    requirements.write_text(f"ansible-core=={core.version}\n{pinned}")
    environment = {**os.environ, "MINIMUM_MINOR": "10", "PATH": f"{folder}/venv/bin{os.pathsep}{os.environ['PATH']}"}
    prepare = ["tests/tools/environment", str(python), str(folder / "venv"), str(requirements)]
    if subprocess.run(prepare, cwd=ROOT, env=environment, check=False).returncode:
        return [f"{core.release}-environment"]
    failed = []
    for stage in stages:
        name = f"{core.release}-{stage}"
        if subprocess.run(
            ["tests/tools/stage", name, *STAGES[stage]], cwd=ROOT, env=environment, check=False
        ).returncode:
            failed.append(name)
    return failed


def main() -> int:
    known = {core.release: core for core in CORES}
    if unknown := set(sys.argv[1:]) - {*known, *STAGES}:
        print(f"Not in the matrix: {', '.join(sorted(unknown))}. It has {', '.join([*known, *STAGES])}.")
        return 2
    stages = [name for name in sys.argv[1:] if name in STAGES] or list(STAGES)
    cores = [known[name] for name in sys.argv[1:] if name in known] or list(CORES)
    pythons = find_pythons()
    ran, skipped, failed = [], [], []
    for core in cores:
        usable = next((version for version in core.pythons if version in pythons), None)
        if usable is None:
            skipped.append(f"{core.release} (needs Python {' or '.join(core.pythons)})")
            continue
        print(f"ansible-core {core.version} on Python {usable}", flush=True)
        ran.append(core.release)
        failed += run_core(core, pythons[usable], stages)
    print(f"Cores that ran: {', '.join(ran) or 'none'}. Skipped without a Python: {', '.join(skipped) or 'none'}.")
    if failed:
        print(f"FAILED: {', '.join(failed)}")
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main())

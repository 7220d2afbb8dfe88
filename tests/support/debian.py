# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bare system of one release of Debian, in a directory, and thrown away afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests import ROOT

MIRROR = "http://deb.debian.org/debian"


class Debian:
    """An overlay of a bare system, which debootstrap makes once; programs run in it by chroot."""

    def __init__(self, suite: str, work: Path) -> None:
        self.root = work / "root"
        self.work = work
        base = ROOT / "build" / "releases" / suite
        if not (base / "usr/bin/python3").exists():
            subprocess.run([str(ROOT / "tests/install_packages"), "debootstrap"], cwd=ROOT, check=True)
            base.parent.mkdir(parents=True, exist_ok=True)
            # Debian 12's debootstrap knows how to make newer releases only by the name of an older one.
            command = ["debootstrap", "--variant=minbase", "--include=python3,python3-apt", suite, str(base), MIRROR]
            subprocess.run([*command, "sid"], check=True, stdout=subprocess.DEVNULL)
        for name in ("upper", "overlay", "root"):
            (work / name).mkdir()
        layers = f"lowerdir={base},upperdir={work / 'upper'},workdir={work / 'overlay'}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(self.root)], check=True)
        subprocess.run(["mount", "-t", "proc", "proc", str(self.root / "proc")], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(self.root / "dev/shm")], check=True)

    def close(self) -> None:
        """Take everything away."""
        for place in (self.root / "dev/shm", self.root / "proc", self.root):
            subprocess.run(["umount", str(place)], check=False)

    def command(self, *command: str, user: str = "root", variables: Mapping[str, str] | None = None) -> list[str]:
        """The command for a program inside, where the temporary folder of whoever runs the tests does not exist."""
        given = [f"{name}={value}" for name, value in (variables or {}).items()]
        place = ["chroot", f"--userspec={user}:{user}", str(self.root)]
        return ["env", "-u", "TMPDIR", *given, *place, *command]

    def run(self, *command: str, stdin: str = "", check: bool = True) -> str:
        """Run a program inside."""
        done = subprocess.run(self.command(*command), input=stdin, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

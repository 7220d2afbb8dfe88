# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages in Debian's Chromium, and the program that looks for what keeps people from using them."""

from __future__ import annotations

import resource
import shutil
import subprocess
from pathlib import Path

from tests import ROOT

#: https://www.npmjs.com/package/axe-core
AXE = "axe-core@4.14.1"


def _install(program: str) -> None:
    if not shutil.which(program):
        subprocess.run([str(ROOT / "tests/install_packages"), program], cwd=ROOT, check=True)


#: Timers of the page cost no time then.
AT_ONCE = "--virtual-time-budget=60000"


def chromium(folder: Path, text: str, *options: str) -> tuple[str, str]:
    """What a browser has made of the page, and what it says of it on its console."""
    _install("chromium")
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    usual = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    usual += ["--enable-logging=stderr"]
    command = ["chromium", *usual, *options, str(path)]
    done = subprocess.run(command, check=True, timeout=240, capture_output=True, text=True)
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def axe() -> str:
    """The script of axe-core, of this version, installed once into build/."""
    folder = ROOT / "build" / AXE.replace("@", "-")
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        _install("npm")
        command = ["npm", "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", AXE]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    return script.read_text(encoding="utf-8")


def seconds_to_open(folder: Path, text: str) -> float:
    """How long a processor works for it, with the browser's start; whatever else the machine does is not in it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    chromium(folder, text, f"--screenshot={folder / 'opened.png'}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

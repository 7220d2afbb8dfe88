# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the package index for known holes in everything that is pinned: `python -m tests.tools.audit PIP-AUDIT`.

One file at a time, as they are pinned for different environments. A file counts as skipped, not as passed, where the
index of this machine knows nothing of any of its packages: a mirror often lacks the list of known holes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from tests import ROOT


def judge(path: str, report: str) -> tuple[str, list[str]]:
    """Return "passed", "failed" or "skipped" for what pip-audit reports of one file, and what there is to say."""
    packages = json.loads(report)["dependencies"]
    holes = [
        f"{path}: {package['name']} {package['version']} has {hole['id']}"
        + (f", mended in {', '.join(hole['fix_versions'])}" if hole["fix_versions"] else "")
        for package in packages
        for hole in package.get("vulns", [])
    ]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if holes:
        return "failed", holes
    if unknown and len(unknown) == len(packages):
        return "skipped", [f"{path}: not audited, as this package index has no list of known holes"]
    return ("failed" if unknown else "passed"), [f"{path}: {name} could not be audited" for name in unknown]


def main() -> int:
    started = time.monotonic()
    verdicts = []
    for path in sorted(ROOT.glob("tests/**/requirements*.txt")):
        name = str(path.relative_to(ROOT))
        command = [sys.argv[1], "--progress-spinner", "off", "--format", "json", "--requirement", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not done.stdout.startswith("{"):
            verdicts.append("failed")
            print(f"{name}: pip-audit gave no report: {done.stderr.strip()[-500:]}")
            continue
        verdict, lines = judge(name, done.stdout)
        verdicts.append(verdict)
        print("\n".join(lines or [f"{name}: no known hole"]), flush=True)
    counts = [
        f"{verdicts.count(verdict)} {verdict}" for verdict in ("passed", "failed", "skipped") if verdict in verdicts
    ]
    print(f"{', '.join(counts)} in {time.monotonic() - started:.1f}s")
    return 1 if "failed" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the rows that are named, or all: python -m benchmarks [--runs N] [ROW...]."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from ansible.plugins.loader import init_plugin_loader

from benchmarks import apply, audit, create, domains, fleet, growth, logins, relay, start, unchanged
from benchmarks.measure import BenchmarkError, Figure, SkippedError
from benchmarks.table import conditions, now, table
from tests import ROOT

ROWS: dict[str, Callable[[int], list[Figure]]] = {
    "B1": create.loop_of_uri,
    "B2": create.script_with_threads,
    "B3": unchanged.measure,
    "B4": logins.measure,
    "B5": fleet.role_again,
    "B6": fleet.rotation_window,
    "B7": start.measure,
    "B8": fleet.rotation_growth,
    "B9": apply.senders,
    "B10": growth.first_apply,
    "B11": growth.lookups,
    "B12": growth.new_domain,
    "B13": domains.measure,
    "B14": apply.provider,
    "B15": audit.measure,
    "B16": relay.measure,
}
_REPORT = ROOT / "build" / "bench.json"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all unless given")
    parser.add_argument("--runs", type=int, default=5, help="alternating runs of each side (5)")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.rows) - set(ROWS))
    if unknown or arguments.runs < 1:
        parser.error(f"there is no row {', '.join(unknown)}" if unknown else "--runs must be 1 or more")
    return arguments


def _measure(row: str, runs: int) -> list[Figure]:
    try:
        return ROWS[row](runs)
    except SkippedError as reason:
        return [Figure(row, 0, None, "", False, note=f"skipped: {reason}")]
    except BenchmarkError as problem:
        return [Figure(row, 0, None, "", False, note=f"failed: {problem}")]


def _save(row: str, figures: Sequence[Figure], load: float) -> None:
    """Put a row's figures in place of its older ones; what was not measured now stays as it was."""
    report: dict[str, Any] = {"figures": []}
    if _REPORT.exists():
        report = json.loads(_REPORT.read_text(encoding="utf-8"))
    measured = {
        "row": row,
        "time": now(),
        "load": load,
        "processors": os.cpu_count(),
        "python": platform.python_version(),
    }
    skipped = tuple(figure.name for figure in figures if figure.skipped)  # all begin with these names
    others = [each for each in report["figures"] if each["measured"]["row"] != row or each["name"].startswith(skipped)]
    fresh = [{**asdict(figure), "measured": measured} for figure in figures if not figure.skipped]
    report["figures"] = sorted(others + fresh, key=lambda figure: str(figure["measured"]["row"]))
    _REPORT.parent.mkdir(exist_ok=True)
    _REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Measure, print and save; 1 where a figure misses its goal, or a row that was asked for by name is skipped."""
    arguments = _arguments()
    # Some rows run actions of the collection in this process, as pytest-ansible lets the tests do.
    init_plugin_loader([str(ROOT / "collections")])
    figures: list[Figure] = []
    loads: dict[str, float] = {}
    for row in arguments.rows or ROWS:
        print(f"{row} ...", file=sys.stderr, flush=True)
        loads[row] = os.getloadavg()[0]
        measured = _measure(row, arguments.runs)
        _save(row, measured, loads[row])
        figures += measured
        print(table(measured), file=sys.stderr, flush=True)
    print(conditions(loads), table(figures), sep="\n")
    return 0 if all(figure.holds or (figure.skipped and not arguments.rows) for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())

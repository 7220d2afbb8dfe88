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
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from ansible.plugins.loader import init_plugin_loader

from benchmarks import apply, audit, create, domains, fleet, growth, logins, start, unchanged
from benchmarks.measure import BenchmarkError, Figure, SkippedError
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


def _value(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3g} {unit}".strip()


def table(figures: Sequence[Figure]) -> str:
    """The figures for people, one a line, with the notes below."""
    rows = [("row", "ours", "theirs", "ratio", "goal", "holds")]
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        verdict = "yes" if figure.holds else "skipped" if figure.skipped else "NO"
        values = (_value(figure.ours, figure.unit), _value(figure.theirs, figure.unit))
        rows.append((figure.name, *values, ratio, figure.goal, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
    return "\n".join(lines + [f"{figure.name}: {figure.note}" for figure in figures if figure.note])


def _save(row: str, figures: Sequence[Figure]) -> None:
    """Put a row's figures in place of its older ones; what was not measured now stays as it was."""
    report: dict[str, Any] = {"figures": []}
    if _REPORT.exists():
        report = json.loads(_REPORT.read_text(encoding="utf-8"))
    measured = {
        "row": row,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load": os.getloadavg()[0],
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
    for row in arguments.rows or ROWS:
        print(f"{row} ...", file=sys.stderr, flush=True)
        measured = _measure(row, arguments.runs)
        _save(row, measured)
        figures += measured
        print(table(measured), file=sys.stderr, flush=True)
    print(table(figures))
    return 0 if all(figure.holds or (figure.skipped and not arguments.rows) for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, for people."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence

from benchmarks.measure import Figure


def _value(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3g} {unit}".strip()


def conditions(loads: Mapping[str, float]) -> str:
    """When and on what was measured, in one line; loads: what the machine did for others before each row began."""
    busy = ", ".join(f"{row} {load:.1f}" for row, load in loads.items())
    return f"{now()}, {os.cpu_count()} processors, Python {platform.python_version()}; load before each row: {busy}"


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


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

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the audit of the pinned packages makes of a report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.tools.audit import judge

CLEAN = {"name": "requests", "version": "2.34.2", "vulns": []}
HOLE = {"name": "aiohttp", "version": "3.1.0", "vulns": [{"id": "CVE-2026-1", "fix_versions": ["3.1.1"]}]}
UNKNOWN = {"name": "trustme", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("packages", "verdict", "said"),
    [
        ([CLEAN], "passed", []),
        ([CLEAN, HOLE], "failed", ["r.txt: aiohttp 3.1.0 has CVE-2026-1, mended in 3.1.1"]),
        ([HOLE, UNKNOWN], "failed", ["r.txt: aiohttp 3.1.0 has CVE-2026-1, mended in 3.1.1"]),
        ([CLEAN, UNKNOWN], "failed", ["r.txt: trustme could not be audited"]),
        ([UNKNOWN], "skipped", ["r.txt: not audited, as this package index has no list of known holes"]),
    ],
)
def test_a_file_passes_only_when_all_of_it_is_known_and_whole(
    packages: list[dict[str, Any]], verdict: str, said: list[str]
) -> None:
    assert judge("r.txt", json.dumps({"dependencies": packages})) == (verdict, said)

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an import says at its end. Pure; no secret is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..module_utils._users.user import Key, counted
from ._import_files import DIFFERS, LEFT_OUT
from ._import_found import CREATED, UNCHANGED, Login, Verdict

#: So many lines of one kind are said; programs find all of them in the result.
_MOST = 50


def report(
    logins: Mapping[Key, tuple[Login, Verdict]],
    files: Sequence[Mapping[str, Any]],
    unread: Sequence[str],
    unknown: Sequence[str],
    failures: Sequence[str],
    *,
    check: bool,
) -> dict[str, Any]:
    """The report of a run: what there was of everything, and `summary`, the lines that are printed."""
    credentials = [
        {"login": one.name, "action": verdict.action, "reason": verdict.reason} for one, verdict in logins.values()
    ]
    found = {"failures": list(failures), "credentials": credentials, "files": list(files)}
    found.update(unread=list(unread), unknown=list(unknown))
    return {**found, "summary": _summary(found, check=check)}


def _summary(found: Mapping[str, Any], *, check: bool) -> list[str]:
    lines = _some(found["failures"], "FAILED: ")
    lines += _some(found["unread"], "not taken: ")
    lines += _some(found["unknown"], "not known: ")
    lines += _some(
        [
            f"{one['login']}: {one['action']}: {one['reason']}"
            for one in found["credentials"]
            if one["action"] not in (CREATED, UNCHANGED)
        ],
        "not in the store: ",
    )
    for action, before in ((DIFFERS, "differs: "), (LEFT_OUT, "not described: "), (CREATED, "not described: ")):
        files = [one for one in found["files"] if one["action"] == action]
        lines += _some([f"{one['path'] or one['domain']}: {note}" for one in files for note in one["notes"]], before)
    new = "Would be new" if check else "New"
    logins = Counter(one["action"] for one in found["credentials"])
    paths = Counter(one["action"] for one in found["files"])
    lines.append(f"{new} in the store, proven: {counted(logins[CREATED], 'login')}; there before: {logins[UNCHANGED]}.")
    there = paths[UNCHANGED] + paths[DIFFERS]
    lines.append(
        f"{new} in domains/: {counted(paths[CREATED], 'description')}; there before: {there}, of which "
        f"{paths[DIFFERS]} are not as what was found, and stay as they are."
    )
    return lines


def _some(lines: Sequence[str], before: str) -> list[str]:
    more = [f"{before}and {len(lines) - _MOST} more"] if len(lines) > _MOST else []
    return [*(f"{before}{line}" for line in lines[:_MOST]), *more]

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replies of the panel's API: success lines, error lines and a result, as plain text or as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


class RefusedError(Exception):
    """A call that the panel refuses; the lines are the errors of the reply, the cause first."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = list(lines)


@dataclass
class Reply:
    """One reply. `result` None with no lines is an empty body in plain format, as for some vendor calls."""

    success: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    result: Any = None

    def as_json(self) -> str:
        """The vendor's shape: `messages` is an empty list when there is nothing, otherwise an object."""
        messages: dict[str, list[str]] = {}
        if self.success:
            messages["success"] = self.success
        if self.errors:
            messages["error"] = self.errors
        return json.dumps({"messages": messages or [], "result": self.result}, separators=(",", ":"))

    def as_plain(self) -> str:
        """One prefixed line for each message; data is bare JSON, a scalar is bare."""
        lines = [f"SUCCESS: {line}" for line in self.success] + [f"ERROR: {line}" for line in self.errors]
        if self.result is not None:
            scalar = isinstance(self.result, (str, int))
            lines.append(str(self.result) if scalar else json.dumps(self.result, separators=(",", ":")))
        return "".join(f"{line}\n" for line in lines)

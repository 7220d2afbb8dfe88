# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on demand: which call or SMTP step is disturbed, how, and how often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SMTP_STEPS = ("smtp:connect", "smtp:auth", "smtp:mail", "smtp:data")
_SMTP_KINDS = {"latency", "reset_before", "reset_after", "smtp_reply", "smtp_down"}
# Kind -> the values that it needs.
_KINDS: dict[str, tuple[str, ...]] = {
    "latency": ("seconds",),
    "status": ("code",),
    "reset_before": (),
    "reset_after": (),
    "half_reply": (),
    "lie": (),
    "refuse_password": ("password",),
    "html": (),
    "sqlstate": (),
    "redirect": ("location",),
    "body": ("text",),
    "inactive": (),
    "ip_not_allowed": (),
    "api_not_allowed": (),
    "bad_credentials": (),
    "smtp_reply": ("text",),
    "smtp_down": (),
}
_OPTIONAL = {"status": {"retry_after"}, "body": {"content_type"}}


@dataclass
class Fault:
    """One fault; `times` None means always, `skip` counts the matches that pass before it acts."""

    match: str
    kind: str
    times: int | None
    skip: int
    values: dict[str, Any]

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> Fault:
        """Read a fault of the control interface; raises ValueError for what it does not know."""
        values = {name: value for name, value in entry.items() if name not in ("match", "kind", "times", "skip")}
        match, kind = str(entry.get("match", "*")), str(entry.get("kind"))
        if kind not in _KINDS:
            raise ValueError(f"fault kind {kind!r} is not known; known are {', '.join(_KINDS)}")
        if match.startswith("smtp:") and (match not in SMTP_STEPS or kind not in _SMTP_KINDS):
            raise ValueError(f"no fault {kind!r} at {match!r}; steps: {', '.join(SMTP_STEPS)}")
        if not match.startswith("smtp:") and kind in ("smtp_reply", "smtp_down"):
            raise ValueError(f"fault {kind!r} needs a step of SMTP: {', '.join(SMTP_STEPS)}")
        needed = set(_KINDS[kind])
        if not needed <= set(values) <= needed | _OPTIONAL.get(kind, set()):
            raise ValueError(f"fault {kind!r} needs exactly {sorted(needed)} (optional: {_OPTIONAL.get(kind, set())})")
        times = entry.get("times")
        return cls(match, kind, None if times is None else int(times), int(entry.get("skip", 0)), values)

    def shown(self) -> dict[str, Any]:
        return {"match": self.match, "kind": self.kind, "times": self.times, "skip": self.skip, **self.values}


class Faults:
    """The list of faults. `*` matches every API call, never a step of SMTP."""

    def __init__(self) -> None:
        self.entries: list[Fault] = []

    def replace(self, entries: Iterable[Mapping[str, Any]]) -> None:
        self.entries = [Fault.parse(entry) for entry in entries]

    def take(self, name: str) -> tuple[float, Fault | None]:
        """What happens to this call: seconds to wait, and at most one other fault (the first that matches)."""
        seconds, found = 0.0, None
        for fault in self.entries:
            if fault.match != name and (fault.match != "*" or name.startswith("smtp:")):
                continue
            if fault.kind != "latency" and found:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times == 0:
                continue
            if fault.times is not None:
                fault.times -= 1
            if fault.kind == "latency":
                seconds += float(fault.values["seconds"])
            else:
                found = fault
        return seconds, found

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts what an outgoing user has sent, for its limits: connections, not messages, and recipients per day."""

from __future__ import annotations

import time
from bisect import bisect_right

from .state import Key, User

_DAY = 86400
_WINDOWS = {
    "limit_per_minute": 60,
    "limit_per_hour": 3600,
    "limit_per_day": _DAY,
    "limit_per_week": 7 * _DAY,
    "limit_per_month": 30 * _DAY,
}


class Meter:
    """Sending sessions and recipients by user. The meaning of 0 is not public; here it lets nothing through."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._connections: dict[Key, list[float]] = {}
        self._recipients: dict[Key, list[float]] = {}

    def connection(self, user: User) -> bool:
        """Count a session that begins to send; False (and not counted) if a limit is reached."""
        now = time.time()
        seen = self._connections.setdefault(user.key, [])
        for name, seconds in _WINDOWS.items():
            if _reached(user, name, seen, now - seconds):
                return False
        seen.append(now)
        return True

    def recipient(self, user: User) -> bool:
        """Count a recipient; False (and not counted) if the day's limit is reached."""
        now = time.time()
        seen = self._recipients.setdefault(user.key, [])
        if _reached(user, "limit_recipients_per_day", seen, now - _DAY):
            return False
        seen.append(now)
        return True


def _reached(user: User, limit: str, seen: list[float], since: float) -> bool:
    value = user.values[limit]
    return (
        bool(user.values["limits_enabled"])
        and value != "inherit"
        and len(seen) - bisect_right(seen, since) >= int(value)
    )

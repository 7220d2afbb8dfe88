# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Outgoing spam: who is locked after some of it, an outgoing user with all that sends as it, or one identity.

The vendor's panel has these settings of an outgoing user; their names here are ours.
"""

from __future__ import annotations

import re
import time
from email.parser import BytesHeaderParser
from email.policy import compat32

from .state import Key, State, User

#: A mail with it is spam for every filter.
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
_MAILS = 5
_SECONDS = 600


class SpamLocks:
    """Counts spam by outgoing user and by identity. `locked`: the identities that are locked, by outgoing user."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._seen: dict[tuple[Key, str], list[float]] = {}
        self.locked: set[tuple[Key, str]] = set()

    @staticmethod
    def identity(user: User, envelope_sender: str, content: bytes) -> str:
        """Whose mail this is within an outgoing user, by the `identification_method` of that; empty for nobody's."""
        method = user.values.get("identification_method")
        if method == "envelope_sender":
            return envelope_sender.strip("<>").lower()
        if method == "header":
            headers = BytesHeaderParser(policy=compat32).parsebytes(content)
            for value in headers.get_all(str(user.values["identification_header"]), []):
                found = re.search(str(user.values["identification_expression"]), str(value))
                if found:
                    return found.group(1).lower()
        return ""

    def spam(self, state: State, user: User, identity: str) -> None:
        """Take note of one spam mail; the fifth in ten minutes locks, as the settings of the user have it."""
        if identity and str(user.values.get("lock_identities")) == "1" and self._is_much(user.key, identity):
            self.locked.add((user.key, identity))
        if user.values["automatic_lock"] and self._is_much(user.key, ""):
            state.change_user(user, {"locked": 1})

    def _is_much(self, key: Key, identity: str) -> bool:
        now = time.monotonic()
        seen = [then for then in self._seen.get((key, identity), []) if then > now - _SECONDS] + [now]
        self._seen[(key, identity)] = seen
        return len(seen) >= _MAILS

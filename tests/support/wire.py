# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords of the tests, and how their servers name the calls that are not documented in public."""

from __future__ import annotations

from typing import Any

from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.methods import Methods
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import LIMIT_NAMES, LOCK_SETTINGS

PASSWORD, OTHER = "Correct-Horse-42", "Another-Horse-43"
ADDRESS = {"domain": "domain", "username": "username"}
CALLS: dict[str, Any] = {
    "list": {"call": "a/list", "parameters": {"domain": "domain"}},
    "set_password": {"call": "a/password", "parameters": {**ADDRESS, "password": "password"}},
    "set_limits": {
        "call": "a/limits",
        "parameters": {**ADDRESS, **{name: name for name in ("enabled", *LIMIT_NAMES)}},
        "values": {"inherit": "inherit"},
    },
    "set_settings": {
        "call": "a/settings",
        "parameters": {**ADDRESS, **{name: name for name in (*LOCK_SETTINGS, "dkim_selector")}},
    },
    "lock": {"call": "a/lock", "parameters": ADDRESS},
    "unlock": {"call": "a/unlock", "parameters": ADDRESS},
}


def methods(*operations: str, **given: Any) -> Methods:
    """The table of a server that offers these operations besides what is documented, and those that are given."""
    return Methods({**{name: CALLS[name] for name in operations}, **given}, False, lambda: None)


DOCUMENTED, FULL = methods(), methods(*CALLS)

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that may come from the environment."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import env_fallback


def from_environment(name: str) -> dict[str, Any]:
    """What lets an option come from the environment variable SPAMEXPERTS_<name>."""
    return {"fallback": (env_fallback, [f"SPAMEXPERTS_{name}"])}

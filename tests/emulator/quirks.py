# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Behaviour of the live service that is not known: each quirk can be switched either way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

_CHOICES: dict[str, tuple[Any, ...]] = {
    "add_existing": ("error", "overwrite"),
    "remove_without_username": ("domain_user", "all"),
    "domain_exists_missing": ("present0", "error"),
    "missing_domain": ("missing", "not_yours"),
    "domains_list": ("shown", "refused"),
    "limit_reaction": ("tempfail", "lock"),
    "domain_add_disables_outgoing": (True, False),
}


@dataclass
class Quirks:
    """The first value of each choice is the default."""

    add_existing: str = "error"
    remove_without_username: str = "domain_user"
    domain_exists_missing: str = "present0"
    missing_domain: str = "missing"
    domains_list: str = "shown"
    limit_reaction: str = "tempfail"
    domain_add_disables_outgoing: bool = True

    def change(self, values: Mapping[str, Any]) -> None:
        """Set quirks; raises ValueError, before anything is set, for an unknown name or value."""
        for name, value in values.items():
            if value not in _CHOICES.get(name, ()):
                raise ValueError(f"quirk {name}={value!r} is not known; known are {_CHOICES}")
        for name, value in values.items():
            setattr(self, name, value)

    def reset(self) -> None:
        for entry in fields(self):
            setattr(self, entry.name, entry.default)

    def shown(self) -> dict[str, Any]:
        return asdict(self)

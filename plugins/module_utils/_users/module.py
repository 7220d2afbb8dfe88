# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module base of outgoing_users: an option that ansible-core refuses is of one user among thousands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._module import SecretSafeModule
from .report import named


class UsersModule(SecretSafeModule):
    """A module with the option `users`. What ansible-core says of a wrong one does not name it, so that is added."""

    _checked = False

    def __init__(self, *, argument_spec: Mapping[str, Any], **options: Any) -> None:
        self._entry_spec = argument_spec["users"]["options"]
        super().__init__(argument_spec=argument_spec, **options)
        self._checked = True

    def fail_json(self, msg: str, *, code: str = "invalid_options", **result: Any) -> None:
        """End the module with a failure."""
        entries = [] if self._checked else self.params.get("users")
        wrong = _wrong(entries, self._entry_spec) if isinstance(entries, list) else []
        super().fail_json(msg=f"{msg}; see {named(wrong)}" if wrong else msg, code=code, **result)


def _wrong(entries: list[Any], spec: Mapping[str, Any]) -> list[str]:
    """Which entries do not fit the spec, each with its position and whose it is."""
    validator = ArgumentSpecValidator(spec)
    found = []
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict):
            found.append(f"users[{position}]")
        elif validator.validate(_given(entry)).error_messages:
            username, domain = entry.get("username") or "", entry.get("domain") or "no domain"
            found.append(f"users[{position}] ({f'{username}@' if username else ''}{domain})")
    return found


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """What is given: ansible-core has entered None for the rest, which it would not accept."""
    return {
        name: _given(value) if isinstance(value, dict) else value
        for name, value in options.items()
        if value is not None
    }

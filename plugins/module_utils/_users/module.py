# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module base of outgoing_users and domains: an option that ansible-core refuses is of one entry of many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._module import SecretSafeModule
from .report import named


class BulkModule(SecretSafeModule):
    """A module with a list of entries. Ansible-core does not say which of them has a wrong option; that is added."""

    _checked = False

    def __init__(self, *, argument_spec: Mapping[str, Any], entries: str, **options: Any) -> None:
        """entries: the option that has the list."""
        self._entries, self._entry_spec = entries, argument_spec[entries]["options"]
        super().__init__(argument_spec=argument_spec, **options)
        self._checked = True

    def fail_json(self, msg: str, *, code: str = "invalid_options", **result: Any) -> None:
        """End the module with a failure."""
        entries = [] if self._checked else self.params.get(self._entries)
        wrong = self._wrong(entries) if isinstance(entries, list) else []
        super().fail_json(msg=f"{msg}; see {named(wrong)}" if wrong else msg, code=code, **result)

    def _wrong(self, entries: list[Any]) -> list[str]:
        """Which entries do not fit the spec, each with its position and whose it is."""
        validator = ArgumentSpecValidator(self._entry_spec)
        found = []
        for position, entry in enumerate(entries):
            if not isinstance(entry, dict):
                found.append(f"{self._entries}[{position}]")
            elif validator.validate(_given(entry)).error_messages:
                username, domain = entry.get("username") or "", entry.get("domain") or "no domain"
                found.append(f"{self._entries}[{position}] ({f'{username}@' if username else ''}{domain})")
        return found


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """What is given: ansible-core has entered None for the rest, which it would not accept."""
    return {
        name: _given(value) if isinstance(value, dict) else value
        for name, value in options.items()
        if value is not None
    }

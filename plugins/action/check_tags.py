# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses a run whose --tags would leave everything out; only an action knows what was asked for."""

from __future__ import annotations

from typing import Any, Optional

from ansible import context
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..plugin_utils._tags import ignored_tags, is_named

ARGUMENT_SPEC: dict[str, Any] = {}


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """The action."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Return what the stub module documents."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.validate_argument_spec(ARGUMENT_SPEC)
        tags = list((task_vars or {}).get("ansible_run_tags", ["all"]))
        playbook = str(self._task.get_path()).rpartition(":")[0]
        problem = ignored_tags(tags)
        if problem and is_named(playbook, context.CLIARGS.get("args") or ()):
            raise AnsibleActionFail(problem)
        return {**result, "changed": False, "tags": tags}

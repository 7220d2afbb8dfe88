# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that appends every result of a task to the file in RECORDED_RESULTS, one JSON object a line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core ships no types
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "record"
    CALLBACK_NEEDS_ENABLED = False

    def _record(self, outcome: str, result: Any) -> None:
        task = result._task
        entry = {
            "outcome": outcome,
            "play": self._play,
            "task": task.name,
            "action": task.resolved_action or task.action,
            "result": result._result,
        }
        with Path(os.environ["RECORDED_RESULTS"]).open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry, default=str) + "\n")

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Remember the play."""
        self._play = play.get_name()

    def v2_runner_on_ok(self, result: Any) -> None:
        """Record a task that went well."""
        self._record("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Record a task that failed."""
        self._record("failed", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Record a task that was skipped."""
        self._record("skipped", result)

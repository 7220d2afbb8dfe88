# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that appends what happens to the file in TIMELINE, and stops the controller at what STOP_AT names.

Each line is one JSON object {"at": seconds of the monotonic clock, "event": text}. The text is the play, or play and
task, or, when the first host is done with a task, play, task and "done", with " / " between. STOP_AT is a JSON list of
such texts, or of line numbers from 0. The controller stops itself (SIGSTOP) before it does anything further; tasks
that run on hosts meanwhile go on.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core ships no types
    """The callback."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "timeline"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self) -> None:
        super().__init__()
        self._file = Path(os.environ["TIMELINE"])
        self._stops = json.loads(os.environ.get("STOP_AT", "[]"))
        self._number = 0
        self._play = ""
        self._task = ""
        self._done = True

    def _event(self, *parts: str) -> None:
        event = " / ".join(parts)
        with self._file.open("a", encoding="utf-8") as log:
            log.write(json.dumps({"at": time.monotonic(), "event": event}) + "\n")
        number, self._number = self._number, self._number + 1
        if event in self._stops or number in self._stops:
            os.kill(os.getpid(), signal.SIGSTOP)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """A play begins."""
        self._play = play.get_name()
        self._event(self._play)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """A task begins; inside a role its name has the role's before it, which is left out."""
        self._task = task.name
        self._done = False
        self._event(self._play, self._task)

    def v2_runner_on_ok(self, result: Any) -> None:
        """A host is done with a task."""
        if not self._done:
            self._done = True
            self._event(self._play, self._task, "done")

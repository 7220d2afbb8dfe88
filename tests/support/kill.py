# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill postfix_relay (SIGKILL) at a chosen one of its steps, in a process of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import dates, files
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Instance

from tests.support.postfix import ScratchPostfix
from tests.support.relay import relay

# Everything by which the module changes the host; it is killed just before one of these.
_FILE_STEPS = ("write_new", "rename", "remove")
_COMMAND_STEPS = (
    "set_parameters",
    "unset_parameters",
    "set_service",
    "unset_service",
    "build_index",
    "reload",
    "flush",
)


def killed_relay(postfix: ScratchPostfix, step: int, *, at_dates: bool = False, **options: Any) -> bool:
    """Run the module and kill it before its `step`th change; return False when it had fewer and has ended by itself.

    With `at_dates` only the dates that it gives to files count as changes.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _count_down(step, at_dates)
            code = relay(postfix, **options).exit_code
        finally:
            os._exit(code)
    _pid, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "the module has failed"
    return False


def _count_down(steps: int, at_dates: bool) -> None:
    left = steps

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)

        return wrapper

    for name in () if at_dates else _FILE_STEPS:
        setattr(files, name, counted(getattr(files, name)))
    dates.date_back = counted(dates.date_back)
    for name in () if at_dates else _COMMAND_STEPS:
        setattr(Instance, name, counted(getattr(Instance, name)))

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bases of modules: how one fails, and how one keeps secrets."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule


class TaskFailedError(Exception):
    """Not everything is as it is wanted; one text. code: for programs. result: what was done after all."""

    def __init__(self, text: str, code: str, result: Mapping[str, Any]) -> None:
        super().__init__(text)
        self.code = code
        self.result = result


class Module(AnsibleModule):  # type: ignore[misc]  # ansible-core ships no types
    """A module that says why it fails twice: in a sentence for people, and in a word for programs."""

    def fail_json(self, msg: str, *, code: str = "invalid_options", **result: Any) -> None:
        """End the module with a failure. code: one of the words in the fragment `_failure`.

        What ansible-core itself refuses are options.
        """
        super().fail_json(msg=msg, failure={"code": code}, **result)


class SecretSafeModule(Module):
    """A module whose secrets reach neither syslog nor its result: nested ones, and those under a misspelt option.

    When ansible-core refuses an option that there is not, it shows all that were given, with what may be a password
    under a misspelt name. It logs a module's arguments as `str()` of the list and masks by substring, so a nested
    password with a quote or a backslash would appear in clear; and cores before 2.21 add all arguments to the result
    and then search it for each secret, with work that grows as secrets times texts: 14 seconds for 1000 users.
    Neither has anything to work on here, and our own results are made without secrets. A failure while the options
    are checked, which core words itself, is still searched.
    """

    def __init__(self, **options: Any) -> None:
        # The options of thousands of users all stay; to look for garbage among them takes a tenth of the time.
        gc.set_threshold(100_000)
        super().__init__(**options)
        self.no_log_values: set[str] = set()

    def _log_invocation(self) -> None:
        self.log(f"Invoked with {len(self.params)} options; they are not logged, because they may hold passwords.")

    def _return_formatted(self, kwargs: dict[str, Any]) -> None:
        kwargs.setdefault("invocation", {"module_args": "not shown, because they may hold passwords"})
        super()._return_formatted(kwargs)

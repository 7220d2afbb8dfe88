# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the actions share whose phases belong to an owner: apply, import_site and rotation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Optional

from ansible.plugins.action import ActionBase

from ..module_utils._names import InputError
from ._owner import Call, Owner, StopError
from ._store import Store, StoreError


class PhaseAction(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """An action of which each task is one phase of a run."""

    _supports_check_mode = True
    _supports_async = False
    _supports_diff = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Have what the rest works with."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._task_vars = task_vars or {}
        self._warnings: list[Any] = []
        return result

    def _call_for(self, store: Store) -> Call:
        """What runs a module of the collection for the owner of this store."""

        def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            store.this_run()  # a run that was killed asks nobody any more
            return self._module(name, arguments)

        return call

    def _module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run a module of the collection where the task runs."""
        result = self._run_module(f"smarthost.spamexperts.{name}", arguments)
        self._warnings += result.get("warnings", [])
        return result

    def _run_module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The same with a module of any collection, without its warnings."""
        result: dict[str, Any] = self._execute_module(
            module_name=name, module_args=arguments, task_vars=self._task_vars
        )
        return result

    def _carry_out(self, owner: Owner, phase: str, phases: Sequence[str]) -> dict[str, Any]:
        """One phase. Whatever it ends with, a failure lets other runs have the store, as does the last one."""
        result: dict[str, Any] = {}
        done = False
        try:
            getattr(owner, phase)()
            done = phase != phases[-1]
        except (StopError, InputError, StoreError) as problem:
            result.update(failed=True, msg=str(problem))
            owner.data = owner.left()
        finally:
            if not done:
                # What went wrong first is what is said.
                with suppress(StoreError):
                    owner.release()
        result.update(changed=owner.changed, calls=owner.calls, run=owner.data)
        if self._supports_diff and self._task.diff and owner.diffs:
            result["diff"] = owner.diffs
        return result

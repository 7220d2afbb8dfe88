# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owner of a run works with: the store, and the modules of the collection on the controller."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Callable

from ..module_utils._files import replace_file
from ..module_utils._smarthost.options import asked_place
from ._credentials import UNCHANGED, Credentials
from ._secrets import register_secret
from ._store import Store

#: Runs a module of the collection on the controller: its name and its options; the result, which may say `failed`.
Call = Callable[[str, dict[str, Any]], dict[str, Any]]

#: What `calls` shows of a module's result.
_SHOWN = ("changed", "failed", "msg", "works", "domains", "users", "totals", "logins")


class StopError(ValueError):
    """The run stops here; the message is for people and holds no secret."""


def write_report(option: str, target: str, text: str, summary: Sequence[str]) -> None:
    """Write what a run has done into the file that an option names. What keeps it from that hides no result."""
    try:
        replace_file(Path(os.path.realpath(Path(target).expanduser())), text)
    except OSError as problem:
        raise StopError(
            f"{option} {target} cannot be written: {problem.strerror}. The run itself ended with: {' / '.join(summary)}"
        ) from None


class Owner:
    """One phase of one run.

    data: what is handed to the next phase. calls: what was asked and answered. Neither ever holds a password.
    """

    def __init__(self, options: Mapping[str, Any], store: Store, call: Call, *, check_mode: bool = False) -> None:
        """options: as the module that documents the action has them."""
        self._options = options
        self._store = store
        self._call = call
        self._check_mode = check_mode
        self.data: Any = dict(options["run"] or {})
        self.calls: list[dict[str, Any]] = []
        self.diffs: list[Any] = []
        self.changed = False
        self.holds = not check_mode and bool(self.data)

    def hold(self) -> None:
        """Keep the store for this run. In check mode, only find out whether it could be kept."""
        run = self._store.this_run()
        if self._check_mode:
            self._store.check_lock(run)
        else:
            with self._store.locked(run):
                self._store.hold(run)
                self.holds = True

    def left(self) -> Any:
        """What a phase that has failed hands on."""
        return self.data

    def release(self) -> None:
        """Let other runs have the store."""
        if self.holds:
            with self._store.locked(self._store.this_run()):
                self._store.release()
            self.holds = False

    @property
    def _refusals(self) -> int:
        """How many logins from here the smarthost has refused in this run; it blocks an address that fails often."""
        return int(self.data.get("refusals", 0))

    @property
    def _smarthost(self) -> dict[str, Any]:
        return asked_place(self._options)

    @staticmethod
    def _stop_for(problems: Sequence[str], before: str = "") -> None:
        if problems:
            raise StopError(" ".join(filter(None, (before, *problems))))

    def _ask(self, module: str, why: str, arguments: dict[str, Any]) -> dict[str, Any]:
        result = self._call(module, arguments)
        self.changed = self.changed or bool(result.get("changed"))
        shown = {name: result[name] for name in _SHOWN if name in result}
        if "users" in shown:  # of ten thousand who are as they should be, nobody wants to read
            shown["users"] = [user for user in shown["users"] if user.get("action") != "unchanged"]
        self.calls.append({"module": module, "why": why, **shown})
        diff = result.get("diff")
        self.diffs += diff if isinstance(diff, list) else [diff] if diff else []
        return result

    def _read(self, *, missing: bool = False) -> Credentials:
        """What the store holds. With `missing`, a store that is not there yet is an empty one."""
        credentials = self._store.read(missing=missing)
        for entry in credentials.entries.values():
            register_secret(entry.current, entry.next, entry.former)
        return credentials

    def _change(
        self, why: str, change: Callable[[Credentials], Mapping[str, str]], *, only_notes: bool = False
    ) -> None:
        """Change the store: all of it, or nothing. In check mode, only find out whether it could be written.

        change: gives what was done, by name, in the words of the credentials. only_notes: whether it says only what was
        found out, so that the run has changed nothing.
        """
        with nullcontext() if self._check_mode else self._store.locked(self._store.this_run()):
            credentials = self._read(missing=True)
            before = credentials.copy()
            actions = dict(change(credentials))
            if (credentials.entries, credentials.declared) != (before.entries, before.declared):
                self._store.write(credentials, check=self._check_mode)
        changed = any(action != UNCHANGED for action in actions.values())
        self.changed = self.changed or (changed and not only_notes)
        self.calls.append({"module": "credential_store", "why": why, "credentials": actions})

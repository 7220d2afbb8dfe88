# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a vault password file, and an empty credential store that it opens."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._files import sync_folder
from ..module_utils._passwords import generate
from ..plugin_utils._credentials import Credentials
from ..plugin_utils._secrets import register_secret
from ..plugin_utils._vault import encrypt_with, is_opened_by

ARGUMENT_SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "vault_password_file": {"type": "path", "required": True, "no_log": False},  # the name of a file
}
#: Nobody types it.
_LENGTH = 48


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """The action."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Return what the stub module documents."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENT_SPEC)
        store, key = (Path(params[name]).absolute() for name in ARGUMENT_SPEC)
        shown = {"path": str(store), "vault_password_file": str(key)}
        if is_made(store, key):
            return {**result, "changed": False, **shown}
        if not self._task.check_mode:
            password = generate(_LENGTH)
            register_secret(password)
            plain = Credentials().to_text().encode()
            # What opens the store is on disk before there is a store.
            create(key, f"{password}\n".encode())
            create(store, encrypt_with(password, plain))
        return {**result, "changed": True, **shown}


def is_made(store: Path, key: Path) -> bool:
    """Whether both are there and belong together.

    Raises AnsibleActionFail where one of them is there, also as a link that leads nowhere, or cannot be made.
    """
    if store == key:
        raise AnsibleActionFail("path and vault_password_file name the same file; name two.")
    there = [path for path in (store, key) if os.path.lexists(path)]
    if len(there) == 2:
        try:
            belong = is_opened_by(key.read_bytes().strip(), store.read_bytes())
        except OSError as problem:
            raise AnsibleActionFail(f"{problem.filename} cannot be read: {problem.strerror}.") from None
        if not belong:
            raise AnsibleActionFail(
                f"The vault password in {key} does not open the store {store}. Neither was touched; name two new "
                "files, or find the vault password that the store was made with."
            )
        return True
    if there == [store]:
        raise AnsibleActionFail(
            f"There is a credential store already: {store}. It was not touched; use it with the vault password that it "
            "was made with, or name another path."
        )
    if there == [key]:
        raise AnsibleActionFail(
            f"There is a vault password file already: {key}. It was not touched; a store that is made in a run with "
            "--vault-password-file and this file needs no other one. Use it so, or name another file."
        )
    for path in (store, key):
        if not path.parent.is_dir():
            raise AnsibleActionFail(f"{path} cannot be made, as {path.parent} is no folder; make it first.")
    return False


def create(path: Path, content: bytes) -> None:
    """Make the file, whole, on disk, and for its owner only. Raises AnsibleActionFail, also where it is there now."""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.link(temporary, path)  # unlike a rename, it replaces nothing
        finally:
            Path(temporary).unlink()
        sync_folder(path.parent)
    except OSError as problem:
        raise AnsibleActionFail(f"{path} cannot be made: {problem.strerror}.") from None

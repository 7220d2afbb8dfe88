# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the files by which Thunderbirds that nobody manages get the declared outgoing servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._declaration.only import NAME as ONLY
from ..module_utils._declaration.only import read_only
from ..module_utils._names import InputError, begins_with_tls, host_name, port_number, port_warnings
from ..module_utils._plain import plain
from ..module_utils._smarthost.options import PLACE_OPTIONS
from ..plugin_utils._declared import described, people_of
from ..plugin_utils._private_folder import UNCHANGED, FolderError, PrivateFolder
from ..plugin_utils._thunderbird_autoconfig import MARK, TAKE_BACK, files
from .declaration import ARGUMENT_SPEC as DECLARATION

ARGUMENT_SPEC: dict[str, Any] = {
    **{name: DECLARATION[name] for name in ("path", "domains", "defaults", "accounts")},
    **PLACE_OPTIONS,
    "folder": {"type": "path", "default": "./thunderbird"},
    "only": {"type": "raw", "default": {}},
}


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
        try:
            logins, warnings = chosen(params, task_vars or {})
            host, port = host_name(params["smarthost"]), port_number(params["smarthost_port"])
            implicit_tls = begins_with_tls(port, params["smarthost_tls"])
            written = self._write(Path(params["folder"]), files(host, port, implicit_tls, logins))
        except (InputError, FolderError) as problem:
            raise AnsibleActionFail(str(problem)) from None
        changed = any(entry["action"] != UNCHANGED for entry in written)
        warnings += port_warnings(port)
        return {**result, "changed": changed, "files": written, "logins": logins, "warnings": warnings}

    def _write(self, folder: Path, contents: dict[str, bytes]) -> list[dict[str, str]]:
        check = self._task.check_mode
        with PrivateFolder.opened(folder, check=check) as private:
            for name in contents:
                content = private.read(name)
                if content is not None and not content.startswith(MARK.encode()):
                    raise FolderError(
                        f"{folder / name} was to be written, but there is a file of that name that is not from here, "
                        "and it stays as it is; name another folder, and merge the two by hand if both are meant for "
                        "the same computers."
                    )
            return [
                {"path": str(folder / name), "action": private.put(name, content, check=check)}
                for name, content in contents.items()
            ]


def chosen(params: dict[str, Any], task_vars: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The logins of people, and warnings. Raises InputError."""
    descriptions, warnings = described(params, task_vars)
    only, problems = read_only(plain(params["only"]), descriptions, {}, {})
    if only.hosts is not None:
        problems = [f"{ONLY}.hosts has no meaning here: name domains or logins; the files know no hosts."]
    if problems:
        raise InputError(problems[0])
    logins = [sender.login for sender in people_of(descriptions) if only.takes(sender.wanted.key)]
    if not logins:
        raise InputError(
            "Files for people's Thunderbirds were to be written, but nobody who is described sends with a login of "
            "their own, and they would take every outgoing server back; describe a sender, or roll out the "
            f"{TAKE_BACK} that you have."
        )
    return logins, warnings

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a page for each person, with what to enter in Thunderbird."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional
from urllib.parse import quote

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._declaration.description import Sender
from ..module_utils._names import InputError, begins_with_tls, host_name, port_number, port_warnings
from ..module_utils._passwords import PasswordFileError, read_or_generate
from ..module_utils._smarthost.options import PLACE_OPTIONS
from ..module_utils._users.known import nearest
from ..module_utils._users.report import named
from ..plugin_utils._credentials import Credential
from ..plugin_utils._declared import described, people_of
from ..plugin_utils._handout_page import LANGUAGES, Page, render
from ..plugin_utils._private_folder import UNCHANGED, FolderError, PrivateFolder
from ..plugin_utils._secrets import register_secret
from ..plugin_utils._store import Store, StoreError
from .declaration import ARGUMENT_SPEC as DECLARATION

ARGUMENT_SPEC: dict[str, Any] = {
    **{name: DECLARATION[name] for name in ("path", "domains", "defaults", "accounts")},
    **PLACE_OPTIONS,
    "folder": {"type": "path", "default": "./handout"},
    "language": {"type": "str", "choices": list(LANGUAGES), "default": "en"},
    "logins": {"type": "list", "elements": "str"},
    "passwords": {"type": "bool", "default": False, "no_log": False},
    "store": {"type": "path", "default": "./credentials.yml"},
}
_ENDING = ".html"


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
            descriptions, warnings = described(params, task_vars or {})
            host, port = host_name(params["smarthost"]), port_number(params["smarthost_port"])
            implicit_tls = begins_with_tls(port, params["smarthost_tls"])
            warnings += port_warnings(port)
            people = chosen(people_of(descriptions), params["logins"])
            passwords = self._passwords(people, params["store"]) if params["passwords"] else {}
            pages = [Page(sender.login, host, port, passwords.get(sender.login), implicit_tls) for sender in people]
            result.update(self._write(pages, params))
        except (InputError, StoreError, FolderError) as problem:
            raise AnsibleActionFail(str(problem)) from None
        if result["others"]:
            warnings.append(
                f"{params['folder']} has pages of nobody who is described: {named(result['others'])}; remove them, as "
                "passwords may be on them."
            )
        return {**result, "warnings": warnings}

    def _passwords(self, people: Sequence[Sender], path: str) -> dict[str, str]:
        """The password of each login: that of the description, or of the store. Raises InputError, StoreError."""
        entries: Mapping[str, Credential] = {}
        if any(not (sender.wanted.password or sender.wanted.password_file) for sender in people):
            entries = Store(path, self._loader).read().entries
        found, problems = {}, []
        for sender in people:
            try:
                found[sender.login] = given_password(sender) or stored_password(entries, sender.login)
            except InputError as problem:
                problems.append(f"{sender.login} {problem}")
        register_secret(*found.values())
        if problems:
            raise InputError(f"Not every password is known: {named(problems)}. No page was written.")
        return found

    def _write(self, pages: Sequence[Page], params: Mapping[str, Any]) -> dict[str, Any]:
        folder, check = Path(params["folder"]), self._task.check_mode
        shown = []
        with PrivateFolder.opened(folder, check=check) as private:
            others = [] if params["logins"] else others_in(private.names(), pages)
            for page in pages:
                content = render(page, params["language"]).encode("utf-8", "surrogatepass")
                action = private.put(file_name(page.login), content, check=check)
                shown.append({"login": page.login, "path": str(folder / file_name(page.login)), "action": action})
        changed = any(entry["action"] != UNCHANGED for entry in shown)
        return {"changed": changed, "pages": shown, "others": others}


def chosen(people: Sequence[Sender], logins: Optional[Sequence[str]]) -> list[Sender]:
    """Those with these logins, or all. Raises InputError that names the logins that nobody has."""
    if logins is None:
        return list(people)
    by_login = {sender.login: sender for sender in people}
    wanted = list(dict.fromkeys(login.strip().lower() for login in logins))
    unknown = [f"{login}{nearest(login, by_login)}" for login in wanted if login not in by_login]
    if unknown:
        raise InputError(f"No description has a person who sends as {named(unknown)}; correct the option logins.")
    return [by_login[login] for login in wanted]


def given_password(sender: Sender) -> str:
    """The password that the description gives; "" where it gives none. Raises InputError."""
    file = sender.wanted.password_file
    if not file:
        return sender.wanted.password or ""
    try:
        password, new = read_or_generate(file, write=False)
    except PasswordFileError as problem:
        raise InputError(f"has a {problem}") from None
    if new:
        raise InputError(f"has a password_file {file} that is not there yet")
    return password


def stored_password(entries: Mapping[str, Credential], login: str) -> str:
    """The password that the vendor takes now. Raises InputError."""
    if login not in entries:
        raise InputError("is not in the credential store")
    in_use, password = entries[login].in_use
    if in_use != login:
        raise InputError(f"logs in as {in_use} now, as the credential store says")
    return password


def file_name(login: str) -> str:
    """The file of a login's page."""
    return f"{quote(login, safe='@+')}{_ENDING}"


def others_in(names: Sequence[str], pages: Sequence[Page]) -> list[str]:
    """The pages in a folder that are none of these."""
    known = {file_name(page.login) for page in pages}
    return [name for name in names if name.endswith(_ENDING) and name not in known]

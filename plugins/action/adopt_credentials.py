# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes the logins of a running mail server, or of a CSV, into the credential store.

An action, so that no password is ever in a result: it goes from the host's map through this process into the store.
"""

from __future__ import annotations

import base64
import errno
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._names import InputError
from ..module_utils._passwords import check_password
from ..module_utils._postfix.password_maps import Pair, map_entries, map_files, server_name
from ..module_utils._smarthost.options import DEFAULT_SMARTHOST, PLACE_OPTIONS
from ..module_utils._users.user import identity
from ..plugin_utils._adoption import AdoptionError, csv_pairs
from ..plugin_utils._credentials import Credential, Credentials
from ..plugin_utils._secrets import register_secret
from ..plugin_utils._store import Store, StoreError

ARGUMENT_SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "vault_id": {"type": "str"},
    "csv": {"type": "path"},
    "config_directory": {"type": "path"},
    "smarthost": {"type": "str"},
    "smarthost_port": {"type": "int"},
    "smarthost_tls": PLACE_OPTIONS["smarthost_tls"],
    "smarthost_ca_path": {"type": "path"},
}
_SMARTHOST = ("smarthost", "smarthost_port", "smarthost_tls", "smarthost_ca_path")


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """The action."""

    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Return what the stub module documents."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENT_SPEC)
        if not self._play_context.no_log:
            raise AnsibleActionFail(
                "Set no_log: true on this task. Ansible would show what it reads from the host with -vvv; the result "
                "holds no password and can be shown by a later task."
            )
        self._task_vars = task_vars or {}
        try:
            pairs, unread = self._from_csv(params["csv"]) if params["csv"] else self._from_postfix(params)
            register_secret(*(pair.password for pair in pairs))
            proofs = self._prove(pairs, params)
            result.update(self._keep(pairs, proofs, params))
        except (AdoptionError, StoreError) as problem:
            raise AnsibleActionFail(str(problem)) from None
        result["unread"] = unread
        return result

    def _from_csv(self, path: str) -> tuple[list[Pair], list[str]]:
        try:
            return csv_pairs(Path(path).expanduser().read_text(encoding="utf-8-sig")), []
        except (OSError, UnicodeDecodeError) as problem:
            reason = getattr(problem, "strerror", None) or "it is not UTF-8"
            raise AdoptionError(f"{path} cannot be read: {reason}") from None

    def _from_postfix(self, params: Mapping[str, Any]) -> tuple[list[Pair], list[str]]:
        directory = ["-c", params["config_directory"]] if params["config_directory"] else []
        argv = ["postconf", *directory, "-h", "-x", "smtp_sasl_password_maps"]
        files, others = map_files(self._asked(argv))
        smarthost = params["smarthost"] or DEFAULT_SMARTHOST
        pairs: list[Pair] = []
        unread = [f"a map of type {kind}" for kind in others]
        for file in files:
            try:
                content = base64.b64decode(self._module("ansible.builtin.slurp", {"src": file})["content"])
            except AdoptionError as problem:
                unread.append(f"{file}: {problem}")
                continue
            for entry in map_entries(content.decode("utf-8", "surrogateescape")):
                # A password of another provider is nothing that the smarthost may hear.
                if entry.server in (None, server_name(smarthost)):
                    pairs.append(entry.pair)
                else:
                    unread.append(f"{file}: a login at {entry.server}, which is not the smarthost {smarthost}")
        return list(dict.fromkeys(pairs)), list(dict.fromkeys(unread))

    def _asked(self, argv: Sequence[str]) -> str:
        """What a program of Postfix prints. Raises AdoptionError, as ansible.builtin.command would not say it."""
        asked = self._run_module("ansible.builtin.command", {"argv": argv}, check_mode=False)
        if not asked.get("failed"):
            return str(asked["stdout"])
        host, program = self._task_vars.get("inventory_hostname", "this host"), argv[0]
        # Without a duration nothing was started, and the code is that of the error.
        if asked.get("rc") == errno.ENOENT and "delta" not in asked:
            raise AdoptionError(
                f"{host} has no program {program} in the path of this task's user, so no Postfix was found; leave the "
                "host out, or use become where that finds it"
            )
        words = str(asked.get("stderr", "")).strip() or str(asked.get("msg"))
        raise AdoptionError(f"{program} fails on {host}: {words.splitlines()[-1]}; mend its Postfix, and run again")

    def _prove(self, pairs: Sequence[Pair], params: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Log in with each from the very host, in the same order."""
        if not pairs:
            return []
        arguments = {name: params[name] for name in _SMARTHOST if params[name] is not None}
        arguments["logins"] = [pair._asdict() for pair in pairs]
        arguments["fail_on_refusal"] = False
        proofs: list[dict[str, Any]] = self._module("smarthost.spamexperts.smtp_login_info", arguments)["logins"]
        return proofs

    def _module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run a module on the host. Raises AdoptionError."""
        result = self._run_module(name, arguments)
        if result.get("failed"):
            raise AdoptionError(str(result.get("msg") or "it cannot be read"))
        return result

    def _run_module(self, name: str, arguments: dict[str, Any], *, check_mode: Optional[bool] = None) -> dict[str, Any]:
        """Run a module on the host, whatever becomes of it."""
        before = self._task.check_mode
        if check_mode is not None:
            self._task.check_mode = check_mode  # a command that only asks is skipped in check mode otherwise
        try:
            result: dict[str, Any] = self._execute_module(
                module_name=name, module_args=arguments, task_vars=self._task_vars
            )
        finally:
            self._task.check_mode = before
        return result

    def _keep(
        self, pairs: Sequence[Pair], proofs: Sequence[Mapping[str, Any]], params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Write what was accepted and is not in the store yet; what became of each."""
        store = Store(params["path"], self._loader, params["vault_id"])
        run, check = store.this_run(), self._task.check_mode
        if check:
            store.check_lock(run)
        with nullcontext() if check else store.locked(run):
            credentials, shown = self._sorted(store, pairs, proofs)
            if any(entry["action"] == "created" for entry in shown):
                store.write(credentials, check=check)
        return {"changed": any(entry["action"] == "created" for entry in shown), "credentials": shown}

    @staticmethod
    def _sorted(
        store: Store, pairs: Sequence[Pair], proofs: Sequence[Mapping[str, Any]]
    ) -> tuple[Credentials, list[dict[str, Any]]]:
        credentials = store.read(missing=True)
        known = {
            identity(login): entry
            for entry in credentials.entries.values()
            for login in (entry.login, entry.next_login)
        }
        shown = []
        for pair, proof in zip(pairs, proofs):
            action, reason = "", ""
            entry = known.get(identity(pair.login))
            in_store = entry is not None and pair.password in (entry.current, entry.next)
            if in_store:
                action = "unchanged"
            elif proof["accepted"] is None:
                action, reason = "unproven", str(proof["reason"])
            elif not proof["accepted"]:
                action = "refused"
                reason = "another host, or the store, has another password" if entry else str(proof["reason"])
            elif entry is not None:
                action, reason = "conflict", "it works, but the store has another password"
            else:
                try:
                    check_password(pair.password, pair.login)
                except InputError as problem:
                    action, reason = "refused", str(problem)
                else:
                    action = "created"
                    entry = Credential(pair.login, pair.login, pair.password)
                    credentials.entries[pair.login] = known[identity(pair.login)] = entry
            shown.append({"login": pair.login, "action": action, "reason": reason})
        return credentials, shown

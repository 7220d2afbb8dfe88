# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One phase of the playbook import_site; its module of that name documents it.

An action, so that no password is ever in a result as it is: it goes from a host's map through this process into the
store. Between two phases it is encrypted with a vault password of this run.
"""

from __future__ import annotations

import json
from typing import Any, Optional

from ansible.errors import AnsibleActionFail

from ..module_utils._plain import plain
from ..module_utils._smarthost.options import ASKED_OPTIONS, asked_place
from ..plugin_utils._declared import inventory_groups
from ..plugin_utils._import_found import Found, FoundError, gathered
from ..plugin_utils._import_hosts import MailServer, Seen, look_at_people
from ..plugin_utils._import_site import PHASES, ImportSite
from ..plugin_utils._phase_action import PhaseAction
from ..plugin_utils._secrets import register_secret
from ..plugin_utils._store import Store
from ..plugin_utils._vault import Vault, VaultError

ON_HOSTS = ("look_at_mail_server", "look_at_people", "prove")
ARGUMENT_SPEC: dict[str, Any] = {
    "phase": {"type": "str", "required": True, "choices": [*ON_HOSTS, *PHASES]},
    "path": {"type": "path", "default": "./credentials.yml"},
    "vault_id": {"type": "str"},
    "describe": {"type": "bool", "default": True},
    "domains_path": {"type": "path", "default": "./domains"},
    # Checked as they are written: ansible-core would convert what is of another type.
    "domains": {"type": "raw", "default": []},
    "defaults": {"type": "raw", "default": {}},
    # Not no_log: core would take every value for a secret, also that of retries, and hide each 1 that it prints.
    "accounts": {"type": "dict", "no_log": False, "default": {}},
    "csv": {"type": "path"},
    "config_directory": {"type": "path"},
    **ASKED_OPTIONS,
    "found": {"type": "str", "no_log": False},
    "logins": {"type": "list", "elements": "str", "no_log": False, "default": []},
    "refused_logins": {"type": "int", "default": 0},
    "run": {"type": "dict", "default": {}},
    "hosts": {"type": "dict", "default": {}},
    "clients": {"type": "dict", "default": {}},
    "proofs": {"type": "dict", "default": {}},
}


class ActionModule(PhaseAction):
    """The action."""

    _supports_diff = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Return what the stub module documents; a failure as well, with the calls that were made before."""
        result = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENT_SPEC)
        params = plain(params)
        if params["phase"] in PHASES:
            return {**result, **self._on_controller(params)}
        if not self._play_context.no_log:
            raise AnsibleActionFail(
                "Set no_log: true on this task. Ansible would show what it reads from the host with -vvv; the result "
                "holds no password and can be shown by a later task."
            )
        try:
            vault = Vault(self._loader)
            if params["phase"] == "prove":
                return {**result, **self._prove(params, vault)}
            return {**result, "changed": False, **self._look(params, vault)}
        except VaultError as problem:
            raise AnsibleActionFail(str(problem)) from None

    # On the controller

    def _on_controller(self, params: dict[str, Any]) -> dict[str, Any]:
        params["groups"] = inventory_groups(self._task_vars)
        for account in params["accounts"].values():
            register_secret(*(str((account or {}).get(name) or "") for name in ("api_password", "proxy")))
        store = Store(params["path"], self._loader, params["vault_id"])
        try:
            vault = Vault(self._loader)
        except VaultError as problem:
            raise AnsibleActionFail(str(problem)) from None
        owner = ImportSite(params, store, self._call_for(store), check_mode=self._task.check_mode, vault=vault)
        result = self._carry_out(owner, params["phase"], PHASES)
        if self._warnings:
            result["warnings"] = list(dict.fromkeys(self._warnings))
        return result

    # On a host

    def _look(self, params: dict[str, Any], vault: Vault) -> dict[str, Any]:
        """What the host has. What goes wrong is said at the end of the run, beside what the others have."""
        host = str(self._task_vars.get("inventory_hostname", "this host"))
        try:
            if params["phase"] == "look_at_people":
                seen = look_at_people(host, self._run_module, params["smarthost"])
            else:
                server = MailServer(host, self._run_asking, params["smarthost"], params["config_directory"])
                seen = server.look()
        except FoundError as problem:
            return {"problem": str(problem), "unread": []}
        return {"found": self._sealed(seen, vault), "unread": seen.unread, "problem": ""}

    @staticmethod
    def _sealed(seen: Seen, vault: Vault) -> str:
        register_secret(*{one.password for one in seen.found})
        return vault.seal(json.dumps(seen.found).encode())

    def _prove(self, params: dict[str, Any], vault: Vault) -> dict[str, Any]:
        """Log in with some of the logins that this host has, as the controller cannot reach the smarthost."""
        plain_text, _key = vault.decrypt((params["found"] or "").encode())
        logins, _strange = gathered(Found(*fields) for fields in json.loads(plain_text))
        found = {one.name: one for one in logins.values()}
        wanted = [{"login": name, "password": found[name].password} for name in params["logins"] if name in found]
        arguments = {**asked_place(params), "logins": wanted, "refused_logins": params["refused_logins"]}
        answer = self._module("smtp_login_info", {**arguments, "fail_on_refusal": False})
        proofs = {
            one["login"]: {name: one[name] for name in ("accepted", "reason")} for one in answer.get("logins", ())
        }
        refused = int(answer.get("refused_logins") or params["refused_logins"])
        return {"changed": False, "proofs": proofs, "refused_logins": refused}

    def _run_asking(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run a module that only asks, also in check mode, where a command is skipped otherwise."""
        before = self._task.check_mode
        self._task.check_mode = False
        try:
            return self._run_module(name, arguments)
        finally:
            self._task.check_mode = before

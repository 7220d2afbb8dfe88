# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One phase of the playbook apply on the controller; its module of that name documents it.

An action, so that one owner has the store, the order of calls and the passwords, which no result and no variable holds.
"""

from __future__ import annotations

from typing import Any, Optional

from ansible.utils.display import Display

from ..module_utils._declaration.onboarding_summary import summary
from ..module_utils._names import begins_with_tls, normalise_domain
from ..module_utils._passwords import DEFAULT_LENGTH, SAFE_ALPHABET, generate
from ..module_utils._plain import plain
from ..module_utils._smarthost.options import ASKED_OPTIONS, DEFAULT_PORT, DEFAULT_SMARTHOST
from ..plugin_utils._apply import PHASES, Apply
from ..plugin_utils._declared import inventory_groups, own_logins
from ..plugin_utils._phase_action import PhaseAction
from ..plugin_utils._secrets import register_secret
from ..plugin_utils._store import Store

ARGUMENT_SPEC: dict[str, Any] = {
    "phase": {"type": "str", "required": True, "choices": [*PHASES, "summary"]},
    "path": {"type": "path", "default": "./credentials.yml"},
    "vault_id": {"type": "str"},
    "domains_path": {"type": "path", "default": "./domains"},
    # Checked as they are written: ansible-core would convert what is of another type.
    "domains": {"type": "raw", "default": []},
    "defaults": {"type": "raw", "default": {}},
    "only": {"type": "raw", "default": {}},
    # Not no_log: core would take every value for a secret, also that of retries, and hide each 1 that it prints.
    "accounts": {"type": "dict", "no_log": False, "default": {}},
    "mail_servers": {"type": "list", "elements": "str", "default": []},
    **ASKED_OPTIONS,
    "prove": {"type": "str", "choices": ["new", "all"], "default": "new"},
    "remove": {"type": "bool", "default": False},
    "remove_limit": {"type": "int", "default": 5},
    "leaving": {"type": "str"},
    "store_is_kept": {"type": "bool", "default": False},
    "hands_over": {"type": "bool", "default": False},
    "password_length": {"type": "int", "default": DEFAULT_LENGTH, "no_log": False},
    "password_alphabet": {"type": "str", "default": SAFE_ALPHABET, "no_log": False},
    "run": {"type": "dict", "default": {}},
    "hosts": {"type": "dict", "default": {}},
    "clients": {"type": "dict", "default": {}},
    "result_file": {"type": "path"},
    "details": {"type": "bool", "default": False},
    "spf": {"type": "list", "elements": "dict", "default": []},
}


class ActionModule(PhaseAction):
    """The action."""

    _supports_diff = True

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Return what the stub module documents; a failure as well, with the calls that were made before."""
        result = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENT_SPEC)
        params = plain(params)
        if params["phase"] == "summary":
            return {**result, "changed": False, "run": {"summary": _summary(params)}}
        params["groups"] = inventory_groups(self._task_vars)
        params["own_logins"] = own_logins(self._task_vars, params["mail_servers"])
        alphabet = "".join(dict.fromkeys(params["password_alphabet"]))
        params["make_password"] = lambda: generate(params["password_length"], alphabet)
        for account in params["accounts"].values():
            register_secret(*(str((account or {}).get(name) or "") for name in ("api_password", "proxy")))
        store = Store(params["path"], self._loader, params["vault_id"])

        display = Display()
        apply = Apply(
            params,
            store,
            self._call_for(store),
            check_mode=self._task.check_mode,
            say=lambda text: display.display(f"smarthost.spamexperts.apply: {text}", stderr=True),
        )
        result.update(self._carry_out(apply, params["phase"], PHASES))
        warnings = [*self._warnings, *apply.warnings]
        if warnings:
            result["warnings"] = [*result.get("warnings", []), *dict.fromkeys(warnings)]
        return result


def _summary(params: dict[str, Any]) -> list[str]:
    """What onboard_domain says of each of its domains."""
    port = params["smarthost_port"] or DEFAULT_PORT
    smarthost = f"{params['smarthost'] or DEFAULT_SMARTHOST}:{port}"
    implicit_tls = begins_with_tls(port, params["smarthost_tls"])
    found = {normalise_domain(one["domain"]): one for one in params["spf"]}
    lines: list[str] = []
    for domain, details in params["run"]["details"].items():
        said = summary(domain, details, smarthost, found.get(domain), implicit_tls=implicit_tls)
        lines += [*([""] if lines else []), *said]
    return lines

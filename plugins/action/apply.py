# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One phase of the playbook apply on the controller; its module of that name documents it.

An action, so that one owner has the store, the order of calls and the passwords, which no result and no variable holds.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Optional

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._declaration.onboarding_summary import summary
from ..module_utils._names import InputError, begins_with_tls, normalise_domain
from ..module_utils._passwords import DEFAULT_LENGTH, SAFE_ALPHABET, generate
from ..module_utils._plain import plain
from ..module_utils._smarthost.options import DEFAULT_PORT, DEFAULT_SMARTHOST, PLACE_OPTIONS
from ..plugin_utils._apply import PHASES, Apply
from ..plugin_utils._declared import inventory_groups, own_logins
from ..plugin_utils._owner import StopError
from ..plugin_utils._secrets import register_secret
from ..plugin_utils._store import Store, StoreError

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
    "smarthost": {"type": "str"},
    "smarthost_port": {"type": "int"},
    "smarthost_tls": PLACE_OPTIONS["smarthost_tls"],
    "smarthost_ca_path": {"type": "path"},
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


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """The action."""

    _supports_check_mode = True
    _supports_async = False
    _supports_diff = True
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Return what the stub module documents; a failure as well, with the calls that were made before."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENT_SPEC)
        params = plain(params)
        if params["phase"] == "summary":
            return {**result, "changed": False, "run": {"summary": _summary(params)}}
        self._task_vars = task_vars or {}
        self._warnings: list[Any] = []
        params["groups"] = inventory_groups(self._task_vars)
        params["own_logins"] = own_logins(self._task_vars, params["mail_servers"])
        alphabet = "".join(dict.fromkeys(params["password_alphabet"]))
        params["make_password"] = lambda: generate(params["password_length"], alphabet)
        for account in params["accounts"].values():
            register_secret(*(str((account or {}).get(name) or "") for name in ("api_password", "proxy")))
        store = Store(params["path"], self._loader, params["vault_id"])

        def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            store.this_run()  # a run that was killed asks nobody any more
            return self._module(name, arguments)

        display = Display()
        apply = Apply(
            params,
            store,
            call,
            check_mode=self._task.check_mode,
            say=lambda text: display.display(f"smarthost.spamexperts.apply: {text}", stderr=True),
        )
        done = False
        try:
            getattr(apply, params["phase"])()
            done = params["phase"] != PHASES[-1]
        except (StopError, InputError, StoreError) as problem:
            result.update(failed=True, msg=str(problem))
            # What comes after it on hosts is left.
            apply.data = {"problems": apply.data.get("problems", [])}
        finally:
            if not done:
                # What went wrong first is what is said.
                with suppress(StoreError):
                    apply.release()
        result.update(changed=apply.changed, calls=apply.calls, run=apply.data)
        if self._task.diff and apply.diffs:
            result["diff"] = apply.diffs
        warnings = [*self._warnings, *apply.warnings]
        if warnings:
            result["warnings"] = [*result.get("warnings", []), *dict.fromkeys(warnings)]
        return result

    def _module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run a module of the collection here, on the controller."""
        result: dict[str, Any] = self._execute_module(
            module_name=f"smarthost.spamexperts.{name}", module_args=arguments, task_vars=self._task_vars
        )
        self._warnings += result.get("warnings", [])
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

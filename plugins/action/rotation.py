# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One phase of the playbook rotate_credentials on the controller.

An action, so that one owner has the store, the order of calls and the passwords, which no result and no variable holds.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Optional

from ansible.plugins.action import ActionBase

from ..module_utils._names import InputError
from ..module_utils._passwords import DEFAULT_LENGTH, SAFE_ALPHABET, generate
from ..module_utils._plain import plain
from ..module_utils._smarthost.options import PLACE_OPTIONS
from ..plugin_utils._owner import StopError
from ..plugin_utils._rotation import PHASES, Rotation
from ..plugin_utils._secrets import register_secret
from ..plugin_utils._store import Store, StoreError

ARGUMENT_SPEC: dict[str, Any] = {
    "phase": {"type": "str", "required": True, "choices": list(PHASES)},
    "path": {"type": "path", "required": True},
    "rotation": {"type": "raw"},
    "accounts": {"type": "list", "elements": "str", "default": []},
    # Not no_log: core would take every value for a secret, also that of retries, and hide each 1 that it prints.
    "account": {"type": "dict", "no_log": False, "default": {}},
    "smarthost": {"type": "str"},
    "smarthost_port": {"type": "int"},
    "smarthost_tls": PLACE_OPTIONS["smarthost_tls"],
    "smarthost_ca_path": {"type": "path"},
    "run": {"type": "dict", "default": {}},
    "uses": {"type": "dict", "default": {}},
    "senders": {"type": "list", "elements": "list", "default": []},
    "hosts": {"type": "dict", "default": {}},
    "others": {"type": "dict", "default": {}},
    "clients": {"type": "dict", "default": {}},
    "described_passwords": {"type": "dict", "default": {}, "no_log": False},
    "proofs": {"type": "list", "elements": "dict", "default": []},
    "not_handed_over": {"type": "list", "elements": "str", "default": []},
}


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """The action."""

    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Return what the stub module documents; a failure as well, with the calls that were made before."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENT_SPEC)
        params = plain(params)
        self._task_vars = task_vars or {}
        self._warnings: list[Any] = []
        params["make_password"] = lambda: self._new_password(params["rotation"])
        register_secret(*(str(params["account"].get(name) or "") for name in ("api_password", "proxy")))
        store = Store(params["path"], self._loader)

        def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            store.this_run()  # a run that was killed asks nobody any more
            return self._module(name, arguments)

        rotation = Rotation(params, store, call, check_mode=self._task.check_mode)
        done = False
        try:
            getattr(rotation, params["phase"])()
            done = params["phase"] != PHASES[-1]
        except (StopError, InputError, StoreError) as problem:
            result.update(failed=True, msg=str(problem))
        finally:
            if not done:
                # What went wrong first is what is said.
                with suppress(StoreError):
                    rotation.release()
        result.update(changed=rotation.changed, calls=rotation.calls, run=rotation.data)
        if self._warnings:
            result["warnings"] = [*result.get("warnings", []), *self._warnings]
        return result

    def _module(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run a module of the collection here, on the controller."""
        result: dict[str, Any] = self._execute_module(
            module_name=f"smarthost.spamexperts.{name}", module_args=arguments, task_vars=self._task_vars
        )
        self._warnings += result.get("warnings", [])
        return result

    @staticmethod
    def _new_password(wanted: dict[str, Any]) -> str:
        alphabet = wanted.get("password_alphabet") or SAFE_ALPHABET
        return generate(wanted.get("password_length") or DEFAULT_LENGTH, "".join(dict.fromkeys(alphabet)))

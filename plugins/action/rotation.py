# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One phase of the playbook rotate_credentials on the controller.

An action, so that one owner has the store, the order of calls and the passwords, which no result and no variable holds.
"""

from __future__ import annotations

from typing import Any, Optional

from ..module_utils._passwords import DEFAULT_LENGTH, SAFE_ALPHABET, generate
from ..module_utils._plain import plain
from ..module_utils._smarthost.options import ASKED_OPTIONS
from ..plugin_utils._phase_action import PhaseAction
from ..plugin_utils._rotation import PHASES, Rotation
from ..plugin_utils._secrets import register_secret
from ..plugin_utils._store import Store

ARGUMENT_SPEC: dict[str, Any] = {
    "phase": {"type": "str", "required": True, "choices": list(PHASES)},
    "path": {"type": "path", "required": True},
    "rotation": {"type": "raw"},
    "accounts": {"type": "list", "elements": "str", "default": []},
    # Not no_log: core would take every value for a secret, also that of retries, and hide each 1 that it prints.
    "account": {"type": "dict", "no_log": False, "default": {}},
    **ASKED_OPTIONS,
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


class ActionModule(PhaseAction):
    """The action."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Return what the stub module documents; a failure as well, with the calls that were made before."""
        result = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENT_SPEC)
        params = plain(params)
        params["make_password"] = lambda: self._new_password(params["rotation"])
        register_secret(*(str(params["account"].get(name) or "") for name in ("api_password", "proxy")))
        store = Store(params["path"], self._loader)
        rotation = Rotation(params, store, self._call_for(store), check_mode=self._task.check_mode)
        result.update(self._carry_out(rotation, params["phase"], PHASES))
        if self._warnings:
            result["warnings"] = [*result.get("warnings", []), *self._warnings]
        return result

    @staticmethod
    def _new_password(wanted: dict[str, Any]) -> str:
        alphabet = wanted.get("password_alphabet") or SAFE_ALPHABET
        return generate(wanted.get("password_length") or DEFAULT_LENGTH, "".join(dict.fromkeys(alphabet)))

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes the credential store; it runs in the controller's process, where the vault passwords are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._names import InputError
from ..module_utils._passwords import DEFAULT_LENGTH, SAFE_ALPHABET, form_problems, generate
from ..plugin_utils import _credentials
from ..plugin_utils._credentials import Credentials
from ..plugin_utils._secrets import register_secret
from ..plugin_utils._store import Store, StoreError

ARGUMENT_SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "vault_id": {"type": "str"},
    "state": {
        "type": "str",
        "choices": ["present", "staged", "switched", "reverted", "committed", "rolled_back", "absent"],
        "default": "present",
    },
    "names": {"type": "list", "elements": "str", "default": []},
    "credentials": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "login": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "next_login": {"type": "str"},
            "locked": {"type": "bool"},
            "leaked": {"type": "bool"},
        },
    },
    "update_password": {"type": "str", "choices": ["on_create", "always"], "default": "on_create", "no_log": False},
    "password_length": {"type": "int", "default": DEFAULT_LENGTH, "no_log": False},
    "password_alphabet": {"type": "str", "default": SAFE_ALPHABET, "no_log": False},
    "hold": {"type": "bool"},
}
#: Options of a credential -> the only state in which they mean something.
_ONLY_WITH = {"password": "present", "login": "present", "next_login": "staged", "locked": "staged", "leaked": "staged"}


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
            check_options(params)
            params["credentials"] += [{"name": name, **dict.fromkeys(_ONLY_WITH)} for name in params["names"]]
            result.update(self._manage(params))
        except (InputError, StoreError) as problem:
            raise AnsibleActionFail(str(problem)) from None
        return result

    def _manage(self, params: Mapping[str, Any]) -> dict[str, Any]:
        store = Store(params["path"], self._loader, params["vault_id"])
        if not params["credentials"] and params["hold"] is None:
            return self._change(store, params)
        run = store.this_run()
        if self._task.check_mode:
            store.check_lock(run)
            return self._change(store, params)
        with store.locked(run):
            if params["hold"]:
                store.hold(run)  # a store that cannot be kept is not changed
            result = self._change(store, params)
            if params["hold"] is False:
                store.release()
        return result

    def _change(self, store: Store, params: Mapping[str, Any]) -> dict[str, Any]:
        entries = params["credentials"]
        credentials = store.read(missing=params["state"] in ("present", "absent"))
        before = {name: entry.to_result() for name, entry in credentials.entries.items()}
        actions = apply(credentials, params)
        names = [entry["name"] for entry in entries] if entries else sorted(credentials.entries)
        changed = any(action != _credentials.UNCHANGED for action in actions.values())
        for entry in credentials.entries.values():
            register_secret(entry.current, entry.next)
        if changed:
            store.write(credentials, check=self._task.check_mode)
        shown = [
            {
                **(credentials.entries[name].to_result() if name in credentials.entries else {"name": name}),
                "action": actions.get(name, _credentials.UNCHANGED),
            }
            for name in names
        ]
        result: dict[str, Any] = {"changed": changed, "credentials": shown, "vault_id": store.used_vault_id}
        if self._task.diff:
            after = {name: entry.to_result() for name, entry in credentials.entries.items()}
            touched = sorted(name for name, action in actions.items() if action != _credentials.UNCHANGED)
            result["diff"] = {
                "before": {name: described(before[name], "") for name in touched if name in before},
                "after": {name: described(after[name], actions[name]) for name in touched if name in after},
            }
        return result


def described(shown: Mapping[str, Any], action: str) -> dict[str, Any]:
    """A credential in a diff; a change of the password shows, the password does not."""
    new = action in (_credentials.CREATED, _credentials.UPDATED, _credentials.COMMITTED)
    return {**shown, "password": "(new)" if new else "(set)"}


def check_options(params: Mapping[str, Any]) -> None:
    """Raise InputError with everything that is wrong with the options, without what they hold."""
    counts = Counter([entry["name"] for entry in params["credentials"]] + params["names"])
    problems = [f"{name} is there twice" for name, count in sorted(counts.items()) if count > 1]
    texts = {f"names[{position}]": name for position, name in enumerate(params["names"])}
    for position, entry in enumerate(params["credentials"]):
        place = f"credentials[{position}]"
        for option, state in _ONLY_WITH.items():
            if entry[option] is not None and params["state"] != state:
                problems.append(f"{place}.{option} has no meaning with state={params['state']}; leave it out")
        texts.update({f"{place}.{option}": entry[option] for option in ("name", "login", "next_login")})
    problems += [
        f"{place} must not be empty, nor hold a colon or blanks at its ends"
        for place, text in texts.items()
        if text is not None and (not text or text != text.strip() or ":" in text or not text.isprintable())
    ]
    problems += form_problems(params["password_length"], params["password_alphabet"])
    if problems:
        raise InputError("; ".join(problems) + ". Nothing was changed.")


def apply(credentials: Credentials, params: Mapping[str, Any]) -> dict[str, str]:
    """Bring the credentials to the wanted state; what was done, by name."""

    def make() -> str:
        return generate(params["password_length"], "".join(dict.fromkeys(params["password_alphabet"])))

    overwrite = params["update_password"] == "always"  # noqa: S105 - a choice, no password
    change: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "present": lambda entry: credentials.ensure(
            entry["name"], entry["login"] or "", entry["password"], make, overwrite=overwrite
        ),
        "staged": lambda entry: credentials.stage(
            entry["name"], entry["next_login"] or "", make, locked=bool(entry["locked"]), leaked=bool(entry["leaked"])
        ),
        "switched": lambda entry: credentials.switch(entry["name"]),
        "reverted": lambda entry: credentials.revert(entry["name"]),
        "committed": lambda entry: credentials.commit(entry["name"]),
        "rolled_back": lambda entry: credentials.roll_back(entry["name"]),
        "absent": lambda entry: credentials.remove(entry["name"]),
    }
    try:
        return {entry["name"]: change[params["state"]](entry) for entry in params["credentials"]}
    except InputError as problem:
        raise InputError(f"credential store {params['path']}: {problem}. Nothing was changed.") from None

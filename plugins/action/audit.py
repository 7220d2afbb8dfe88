# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's half of the playbook audit; its module of that name documents it."""

from __future__ import annotations

from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any, Optional

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ..module_utils._audit import accepted, tables
from ..module_utils._audit.report import FAIL_ON, Report, report
from ..module_utils._audit.seen import Seen
from ..module_utils._names import InputError
from ..module_utils._plain import plain
from ..module_utils._smarthost.options import ASKED_OPTIONS
from ..plugin_utils._audit import AuditError, Auditor
from ..plugin_utils._audit_files import csv_text, json_text
from ..plugin_utils._audit_page import Table, render
from ..plugin_utils._declared import inventory_groups, own_logins
from ..plugin_utils._private_folder import UNCHANGED, FolderError, PrivateFolder
from ..plugin_utils._secrets import register_secret
from ..plugin_utils._store import Store

ARGUMENT_SPEC: dict[str, Any] = {
    "path": {"type": "path", "default": "./credentials.yml"},
    "domains_path": {"type": "path", "default": "./domains"},
    # Checked as they are written: ansible-core would convert what is of another type.
    "domains": {"type": "raw", "default": []},
    "defaults": {"type": "raw", "default": {}},
    # Not no_log: core would take every value for a secret, also that of retries, and hide each 1 that it prints.
    "accounts": {"type": "dict", "no_log": False, "default": {}},
    "mail_servers": {"type": "list", "elements": "str", "default": []},
    "hosts": {"type": "dict", "default": {}},
    "clients": {"type": "list", "elements": "str", "default": []},
    "computers": {"type": "dict", "default": {}},
    **ASKED_OPTIONS,
    "prove": {"type": "str", "choices": ["new", "all"], "default": "new"},
    "nameservers": {"type": "list", "elements": "str"},
    "port": {"type": "int"},
    "accepted": {"type": "raw", "default": []},
    "fail_on": {"type": "list", "elements": "str", "choices": list(FAIL_ON), "default": []},
    "folder": {"type": "path", "default": "./audit"},
}


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """The action."""

    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        """Return what the stub module documents."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _validation, params = self.validate_argument_spec(ARGUMENT_SPEC)
        params = plain(params)
        variables = task_vars or {}
        params["groups"] = inventory_groups(variables)
        params["own_logins"] = own_logins(variables, params["mail_servers"])
        for account in params["accounts"].values():
            register_secret(*(str((account or {}).get(name) or "") for name in ("api_password", "proxy")))

        def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            answer: dict[str, Any] = self._execute_module(
                module_name=f"smarthost.spamexperts.{name}", module_args=arguments, task_vars=variables
            )
            return answer

        auditor = Auditor(params, Store(params["path"], self._loader), call)
        today = datetime.now(timezone.utc).date()
        try:
            taken = accepted.parse(params["accepted"])
            # Before anything is asked: a folder that cannot be used would waste all of it.
            with PrivateFolder.opened(Path(params["folder"]), check=self._task.check_mode) as folder:
                seen = auditor.look()
                made = report(seen, taken, today)
                files = self._write(folder, contents(seen, made, today))
        except (AuditError, InputError, FolderError) as problem:
            raise AnsibleActionFail(str(problem)) from None
        failing = made.failing(params["fail_on"])
        result.update(
            changed=any(one["action"] != UNCHANGED for one in files),
            verdict=made.verdict,
            severities=made.severities,
            totals=dict(made.totals),
            not_looked_at=len(made.unseen),
            summary=list(made.lines()),
            files=files,
            failing=failing,
        )
        if auditor.warnings:
            result["warnings"] = auditor.warnings
        return result

    def _write(self, folder: PrivateFolder, content: dict[str, bytes]) -> list[dict[str, str]]:
        check = self._task.check_mode
        return [
            {"path": str(folder.path / name), "action": folder.put(name, text, check=check)}
            for name, text in content.items()
        ]


def contents(seen: Seen, made: Report, today: date) -> dict[str, bytes]:
    """What is written, by the name of its file."""
    shown, senders = made.to_result(), tables.senders(seen, made)
    rows = {"Domains": tables.domains(seen, made), "Mail servers": tables.servers(seen, made), "Senders": senders}
    listed = {title: Table.of(each) for title, each in rows.items()}
    return {
        "audit.html": render(shown, tables.methods(senders), listed, today.isoformat()),
        "audit.json": json_text({**shown, "day": today.isoformat(), **{k.lower(): v for k, v in rows.items()}}),
        "senders.csv": csv_text(tables.SENDER_COLUMNS, senders),
    }

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action declaration, which runs where the files and the inventory are; its module of that name documents it."""

from __future__ import annotations

from typing import Any, Optional

from ansible.plugins.action import ActionBase

from ..module_utils._declaration.description import ABSENT, Description, Sender
from ..module_utils._declaration.hosts import is_stored, people_of_hosts, server_of
from ..plugin_utils._declared import declared, inventory_groups, own_logins

ARGUMENT_SPEC: dict[str, Any] = {
    "path": {"type": "path", "default": "./domains"},
    # Checked as they are written: ansible-core would convert what is of another type.
    "domains": {"type": "raw", "default": []},
    "defaults": {"type": "raw", "default": {}},
    "accounts": {"type": "list", "elements": "str"},
    "mail_servers": {"type": "list", "elements": "str"},
    "required": {"type": "bool", "default": True},
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
        groups = inventory_groups(task_vars or {})
        servers = groups.get("mail_relays", []) if params["mail_servers"] is None else params["mail_servers"]
        params["own_logins"] = own_logins(task_vars or {}, servers)
        descriptions, mail_servers, problems, warnings = declared(params, groups, servers)
        if problems:
            more = f" {len(problems) - 1} more below." if len(problems) > 1 else ""
            return {**result, "failed": True, "msg": f"{problems[0]}{more}", "problems": problems, "warnings": warnings}
        senders = [sender for one in descriptions for sender in one.senders]
        return {
            **result,
            "changed": False,
            "domains": [shown(one) for one in descriptions],
            "mail_servers": {host: server_of(logins, _login) for host, logins in mail_servers.items()},
            "clients": people_of_hosts(senders, (), {}, _login, groups),
            "described_passwords": {
                sender.login: sender.place()
                for sender in senders
                if sender.login and sender.state != ABSENT and not is_stored(sender)
            },
            "warnings": warnings,
        }


def _login(sender: Sender) -> str:
    return sender.login


def shown(one: Description) -> dict[str, Any]:
    """A description in a result: who may send, without a secret."""
    return {
        "domain": one.domain,
        "place": one.place,
        "account": one.options.get("account", "default"),
        "senders": [
            {
                "username": sender.wanted.key.username,
                "authentication_method": sender.wanted.user.authentication,
                "login": sender.login,
                "state": sender.state,
            }
            for sender in one.senders
        ],
    }

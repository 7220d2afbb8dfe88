# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of outgoing users, which belong to the documentation fragments."""

from __future__ import annotations

from typing import Any

from .._api.options import CONCURRENCY
from .user import LIMIT_NAMES

UPDATE_PASSWORD: dict[str, Any] = {"type": "str", "choices": ["on_mismatch", "on_create", "always"], "no_log": False}

#: Fragment `_outgoing_user`.
OUTGOING_USER_OPTIONS: dict[str, Any] = {
    "domain": {"type": "str", "required": True},
    "username": {"type": "str"},
    "authentication_method": {"type": "str", "choices": ["user", "domain", "ip"], "default": "user"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "password": {"type": "str", "no_log": True},
    "password_file": {"type": "path", "no_log": False},  # the name of a file
    "update_password": UPDATE_PASSWORD,
    "limits": {
        "type": "dict",
        "options": {
            "enabled": {"type": "bool"},
            **{name: {"type": "int"} for name in LIMIT_NAMES},
            "inherit": {"type": "list", "elements": "str", "choices": list(LIMIT_NAMES)},
        },
    },
    "locked": {"type": "bool"},
    "automatic_lock": {"type": "bool"},
    "lock_timeout": {"type": "int"},
    "maximum_unlocks": {"type": "int"},
    "settings": {"type": "dict"},
    "acknowledge_ip_risk": {"type": "bool", "default": False},
    "allow_private_address": {"type": "bool", "default": False},
    "allow_wide_network": {"type": "bool", "default": False},
}

#: Fragment `_outgoing_user`, for the modules only: a description says what is wanted, not what was.
FORMER_OPTIONS: dict[str, Any] = {
    "former_password": {"type": "str", "no_log": True},
    "password_is_new": {"type": "bool", "default": False, "no_log": False},
}

#: Fragment `_outgoing_user`, section MANAGE.
MANAGE_OPTIONS: dict[str, Any] = {
    "recreate_for_password": {"type": "bool", "default": False, "no_log": False},
    "allow_domain_user_removal": {"type": "bool", "default": False},
    "domain_login": {"type": "str", "choices": ["domain", "at_domain"], "default": "domain"},
    "new_domains": {"type": "list", "elements": "str", "default": []},
    "concurrency": CONCURRENCY,
    "wait_timeout": {"type": "int", "default": 10},
}

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say as what a host is to send, and by which logins."""

from __future__ import annotations

from typing import Any

from .maps import INDEX_SUFFIXES

#: Fragment `_postfix.RELAY`; settings.settings_from reads them, with those of the smarthost.
RELAY_OPTIONS: dict[str, dict[str, Any]] = {
    "default_login": {"type": "str"},
    "default_password": {"type": "str", "no_log": True},
    "logins": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "login": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "senders": {"type": "list", "elements": "str", "required": True},
        },
    },
    "authentication": {"type": "str", "choices": ["login", "ip"], "default": "login"},
    "only_named_senders": {"type": "bool", "default": False},
    "senders": {"type": "list", "elements": "str", "default": []},
    "smarthost_certificate_names": {"type": "list", "elements": "str", "default": []},
    "reveal_password_to_any_server": {"type": "bool", "default": False},
    "reveal_mail_without_tls": {"type": "bool", "default": False},
    "dedicated_transport": {"type": "bool"},
    "concurrency": {"type": "int", "default": 5},
    "rate_delay": {"type": "int"},
    "connection_reuse": {"type": "bool"},
    "system_sender": {"type": "str"},
    "identity": {"type": "bool"},
    "map_type": {"type": "str", "choices": list(INDEX_SUFFIXES)},
}

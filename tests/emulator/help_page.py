# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The help page: one example link for each call that the server offers. The vendor's markup is not known."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from urllib.parse import quote

from .panel import Call

_EXAMPLES = {
    "domain": "example.com",
    "zone": "example.com",
    "password": "secret",
    "secret": "secret",
    "email": "abuse@example.com",
    "ip": "192.0.2.0",
    "mask": "28",
    "destinations": '["mail.example.com"]',
    "aliases": '["example.net"]',
    "username": "john",
    "name": "john",
}


def help_page(calls: Mapping[str, Call]) -> str:
    """The page as HTML."""
    rows = []
    for name, call in sorted(calls.items()):
        pairs = "".join(
            f"{parameter}/{quote(_EXAMPLES.get(parameter, '1'), safe='')}/"
            for parameter in (*call.required, *call.optional)
        )
        link = escape(f"/api/{name}/{pairs}")
        controller, action = name.split("/")
        optional = escape(", ".join(call.optional)) or "none"
        rows.append(
            f"<tr><td>{controller}</td><td>{action}</td><td>optional: {optional}</td>"
            f'<td>Usage: via HTTP GET <a href="{link}">{link}</a></td></tr>'
        )
    return (
        "<!DOCTYPE html>\n<html><head><title>SpamPanel API</title></head><body><h1>API methods</h1>\n"
        "<table>\n" + "\n".join(rows) + "\n</table></body></html>\n"
    )

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the modules that ask DNS."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from .._names import InputError, normalise_domain

NAMESERVER_OPTIONS: dict[str, Any] = {
    "nameservers": {"type": "list", "elements": "str"},
    "port": {"type": "int", "default": 53},
    "timeout": {"type": "int", "default": 5},
}


def checked_names(texts: Mapping[str, str], problems: list[str]) -> list[str]:
    """These domain names in ASCII, by their place; adds what is wrong with them."""
    names = []
    for place, text in texts.items():
        try:
            names.append(normalise_domain(text))
        except InputError as problem:
            problems.append(f"{place}: {problem}")
    return names


def problems_of_nameservers(params: Mapping[str, Any], problems: list[str]) -> None:
    """Add what is wrong with the nameservers. Raises InputError with all that is wrong."""
    for position, text in enumerate(params["nameservers"] or ()):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            problems.append(f"nameservers[{position}]: {text!r} is not an IP address; a name cannot be asked")
    if params["nameservers"] == []:
        problems.append("nameservers is empty; leave it out to ask those of the host")
    for name, highest in (("port", 65535), ("timeout", 60)):
        if not 1 <= params[name] <= highest:
            problems.append(f"{name} is {params[name]}; it must be from 1 to {highest}")
    if problems:
        raise InputError("; ".join(problems) + ".")

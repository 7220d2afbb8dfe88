# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smarthost that the options name. Mail servers have no use for it: it loads the SMTP client."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .._environment import from_environment
from .._names import InputError, begins_with_tls, host_name, port_number
from .connection import Smarthost
from .login import Refusals
from .options import AUTHORITY_OPTIONS, PLACE_OPTIONS

#: Fragments `_smarthost`, `_smarthost.CA` and `_smarthost.ENVIRONMENT`.
SMARTHOST_OPTIONS: dict[str, Any] = {
    name: {**option, **from_environment(name.upper())}
    for name, option in {**PLACE_OPTIONS, **AUTHORITY_OPTIONS}.items()
}
#: Fragment `_smarthost.BUDGET`.
BUDGET_OPTIONS: dict[str, Any] = {"refused_logins": {"type": "int", "default": 0}}


def refusals_from(params: Mapping[str, Any]) -> Refusals:
    """The budget that is left by what the options of BUDGET_OPTIONS say. Raises InputError with one sentence."""
    used = params["refused_logins"]
    if used < 0:
        raise InputError(f"refused_logins is {used}; it must be 0 or more, as in the result of an earlier task")
    return Refusals(used)


def smarthost_from(params: Mapping[str, Any]) -> Smarthost:
    """The smarthost that the options of SMARTHOST_OPTIONS describe. Raises InputError with one sentence."""
    host, port = host_name(params["smarthost"]), port_number(params["smarthost_port"])
    implicit_tls = begins_with_tls(port, params["smarthost_tls"])
    authorities = params["smarthost_ca_path"]
    if authorities and not Path(authorities).is_file():
        raise InputError(f"smarthost_ca_path names {authorities}, which is not a file; correct the path")
    return Smarthost(host, port, authorities, implicit_tls)

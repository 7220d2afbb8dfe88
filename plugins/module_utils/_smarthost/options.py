# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say where the smarthost is, as modules for mail servers and mail programs take them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._names import IMPLICIT, STARTTLS

DEFAULT_SMARTHOST = "4489.smtp.antispamcloud.com"
DEFAULT_PORT = 587

#: Fragment `_smarthost`.
PLACE_OPTIONS: dict[str, Any] = {
    "smarthost": {"type": "str", "default": DEFAULT_SMARTHOST},
    "smarthost_port": {"type": "int", "default": DEFAULT_PORT},
    "smarthost_tls": {"type": "str", "choices": [STARTTLS, IMPLICIT]},
}
#: Fragment `_smarthost.CA`.
AUTHORITY_OPTIONS: dict[str, Any] = {"smarthost_ca_path": {"type": "path"}}
#: Fragment `_smarthost.ASKED`: without values of their own, as those of whoever is asked count.
ASKED_OPTIONS: dict[str, Any] = {
    name: {key: value for key, value in option.items() if key != "default"}
    for name, option in {**PLACE_OPTIONS, **AUTHORITY_OPTIONS}.items()
}


def asked_place(params: Mapping[str, Any]) -> dict[str, Any]:
    """What was given of ASKED_OPTIONS, to be handed on."""
    return {name: params[name] for name in ASKED_OPTIONS if params[name] is not None}

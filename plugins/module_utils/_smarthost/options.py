# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say where the smarthost is, as modules for mail servers and mail programs take them."""

from __future__ import annotations

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

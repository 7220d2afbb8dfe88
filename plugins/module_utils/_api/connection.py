# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the Control Panel API is reached. Apart from the client, so that filters do not load `requests` for it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Optional

#: Variables that name the authorities to trust, as `requests` reads them.
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def environment_bundle() -> tuple[str, str]:
    """The variable of the environment that names a file of authorities, and the file; both empty where none does."""
    return next(((name, path) for name in _BUNDLES if (path := os.environ.get(name))), ("", ""))


@dataclass(frozen=True)
class Connection:
    """How the server is reached. url: scheme, host and port only. Times in seconds."""

    url: str
    username: str
    password: str = field(repr=False)
    validate_certs: bool = True
    ca_path: Optional[str] = None
    client_cert: Optional[str] = None
    client_key: Optional[str] = None
    proxy: Optional[str] = field(default=None, repr=False)
    timeout: float = 30
    retries: int = 3
    retry_time: float = 60
    http_agent: str = "smarthost.spamexperts"
    http_method: str = "GET"

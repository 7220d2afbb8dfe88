# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator as a smarthost to log in to, and smarthosts that lack something."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.connection import Smarthost

from tests.support.emulator import Emulator
from tests.support.sink import FreePortController

RIGHT = "correct-horse-battery"


def smarthost(emulator: Emulator) -> Smarthost:
    """Where the emulator takes mail."""
    return Smarthost(emulator.smtp_host, emulator.smtp_port, emulator.ca_file)


def seed(emulator: Emulator, count: int = 1, password: str = RIGHT) -> list[tuple[str, str]]:
    """Create so many users, and return their logins and passwords."""
    users = [{"domain": "example.com", "username": f"user{number}", "password": password} for number in range(count)]
    emulator.seed(users=users)
    return [(f"user{number}@example.com", password) for number in range(count)]


@contextmanager
def smtp_server(tmp_path: Path, **options: Any) -> Iterator[Smarthost]:
    """Start a server of aiosmtpd with these options; tls, names: with a certificate for these names."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    if options.pop("tls", False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*options.pop("names", ["127.0.0.1"])).configure_cert(context)
        options["tls_context"] = context
    controller = FreePortController(options.pop("handler", None), **options)
    controller.start()
    try:
        yield Smarthost("127.0.0.1", controller.port, str(tmp_path / "ca.pem"))
    finally:
        controller.stop()

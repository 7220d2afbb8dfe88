# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""thunderbird_outgoing_server for a person whose real Thunderbird then sends through the emulator's smarthost."""

from __future__ import annotations

from typing import Any

from tests.support.emulator import Emulator
from tests.support.module import ModuleRun, run_module

ALICE, LOGIN = "alice@example.org", "info@example.com"
PASSWORD = "Quo\"te back\\slash ' Ümläut 😀"


def set_password(emulator: Emulator, password: str) -> None:
    emulator.control("seed", {"domains": [{"domain": "example.com"}]})
    emulator.control("seed", {"users": [{"domain": "example.com", "username": "info", "password": password}]})


def run(emulator: Emulator, *, check: bool = False, **options: Any) -> ModuleRun:
    arguments = {
        "smarthost": emulator.smtp_host,
        "smarthost_port": emulator.smtp_port,
        "login": LOGIN,
        "password": PASSWORD,
        **options,
    }
    return run_module("thunderbird_outgoing_server", arguments, check=check)


def arrived(emulator: Emulator) -> list[tuple[str | None, bool, str, str]]:
    """Login, TLS, sender and subject of every mail."""
    return [(mail["login"], mail["tls"], mail["mail_from"], mail["subject"]) for mail in emulator.mails()]

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Accounts of any size, and how the peers and the modules are told of them."""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.emulator import Emulator

CONCURRENCY = 4  # the modules' default, and the peers' number of threads
User = dict[str, Any]


def make_users(count: int, domains: int) -> list[User]:
    """So many users with limits, and passwords of their own, spread over the domains."""
    return [
        {
            "domain": f"customer{number % domains:03}.example",
            "username": f"user{number}",
            "password": secrets.token_urlsafe(18),
            "limits": {"per_hour": 100 + number % 7},
        }
        for number in range(count)
    ]


def domains_of(users: Sequence[User]) -> list[str]:
    """The domains of these users, in order."""
    return sorted({user["domain"] for user in users})


def seed_users(emulator: Emulator, users: Sequence[User]) -> None:
    """Make the emulator's account one in which nothing has to change for these users."""
    emulator.reset()
    emulator.seed(
        domains=domains_of(users),
        users=[
            {**{name: user[name] for name in ("domain", "username", "password")}, "limit_per_hour": limit}
            for user in users
            for limit in [user["limits"]["per_hour"]]
        ],
    )


@contextmanager
def peer_settings(emulator: Emulator, users: Sequence[User]) -> Iterator[Path]:
    """A file with what the peers have to know."""
    settings = {
        "api_url": emulator.api_url,
        "username": emulator.api_username,
        "password": emulator.api_password,
        "ca_file": emulator.ca_file,
        "host": emulator.smtp_host,
        "port": emulator.smtp_port,
        "concurrency": CONCURRENCY,
        "users": list(users),
    }
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        path = Path(directory) / "settings.json"
        path.write_text(json.dumps(settings), encoding="utf-8")
        yield path

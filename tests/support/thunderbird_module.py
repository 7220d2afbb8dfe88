# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run thunderbird_outgoing_server as most of its tests do, and see that it tells no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.module import ModuleRun, run_module
from tests.support.thunderbird_profile import OWN_LOGIN

PASSWORD = "Quote\" back\\slash ' Ümläut 😀 $x {{ y }}"
OTHER = "Another-Horse-43"
#: (origin, username) of the person's own saved login, and of ours.
OWN = (OWN_LOGIN["origin"], OWN_LOGIN["username"])
OURS = ("smtp://smarthost.test", "info@example.com")


def run(profile: Path | None, *, check: bool = False, **options: Any) -> ModuleRun:
    """The module in one profile; the password must never show."""
    arguments = {"smarthost": "smarthost.test", "login": OURS[1], "password": PASSWORD, **options}
    if profile:
        arguments["profile"] = str(profile)
    done = run_module(
        "thunderbird_outgoing_server", {k: v for k, v in arguments.items() if v is not None}, check=check, diff=True
    )
    for secret in (PASSWORD, OTHER, "primary secret"):
        assert secret not in done.raw
        assert json.dumps(secret)[1:-1] not in done.raw
    return done


def absent(profile: Path, **options: Any) -> ModuleRun:
    return run(profile, state="absent", smarthost=None, login=None, password=None, **options)


def action(done: ModuleRun) -> str:
    assert not done.failed, done.message
    return str(done.result["profiles"][0]["action"])


def warned(done: ModuleRun, text: str) -> bool:
    """Is this in a warning, which in this process goes to the screen, with line breaks anywhere?"""
    return "".join(text.split()) in "".join(done.raw.split())

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Thunderbird takes instead of a profile's prefs.js at each start: user.js, then the policy `Preferences`.

Whoever manages preferences there has to have our server there as well. Otherwise its entry is gone after the next start
while identities still point to it, and they can no longer send (measured with 153).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from . import files
from .errors import ThunderbirdError
from .preferences import Preferences, Value
from .server import DEFAULT_SERVER, SERVERS

USER_FILE = "user.js"
# As tolerant as Thunderbird's own reader: comments and anything else are passed over, and either quote will do.
_TOKEN = re.compile(
    rb"//[^\n]*|#[^\n]*|/\*.*?\*/"
    rb"|\buser_pref\s*\(\s*(\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')\s*,"
    rb"\s*(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|true|false|[+-]?[0-9]+)\s*\)"
    rb"|\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'",
    re.DOTALL,
)


class Override(NamedTuple):
    """A preference that is set anew at each start; `value` None: it is taken out."""

    place: Path
    value: Value | None


class Overrides(NamedTuple):
    """By the name of the preference: what is set at each start, and what holds only where the profile sets nothing."""

    forced: dict[str, Override]
    defaults: dict[str, Value]


def of_policies(path: Path | None) -> Overrides:
    """Those of a policies file; none where there is no file, or one that Thunderbird cannot read either.

    The three forms: Policies.sys.mjs, Preferences.
    """
    overrides = Overrides({}, {})
    try:
        content = files.read(path, follow=True) if path else None
        given: Any = json.loads(content.decode("utf-8"))["policies"]["Preferences"] if content else {}
        given = json.loads(given) if isinstance(given, str) else given
        items = list(given.items())
    except (ThunderbirdError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return overrides
    for name, setting in items:
        is_object = isinstance(setting, dict)
        value = setting.get("Value") if is_object else setting
        status = setting.get("Status", "default") if is_object else "locked"
        if path and status == "clear":
            overrides.forced[name] = Override(path, None)
        elif path and isinstance(value, (str, int)):
            if status in {"user", "locked"}:
                overrides.forced[name] = Override(path, value)
            else:
                overrides.defaults[name] = value
    return overrides


def of_profile(profile: Path, policies: Overrides) -> Overrides:
    """Those of the profile's user.js, and over them the policies. Raises ThunderbirdError."""
    path = profile / USER_FILE
    forced = {}
    for match in _TOKEN.finditer(files.read(path, follow=True) or b""):
        if match.group(1) is not None:
            forced[_text(match.group(1))] = Override(path, _value(match.group(2)))
    return Overrides({**forced, **policies.forced}, policies.defaults)


def _value(literal: bytes) -> Value:
    if literal in {b"true", b"false"}:
        return literal == b"true"
    return _text(literal) if literal[:1] in {b'"', b"'"} else int(literal)


def _text(literal: bytes) -> str:
    """What no name or value of an outgoing server needs, such as \\x41, stays as it is written."""
    return re.sub(rb"\\([\\'\"])", rb"\1", literal[1:-1]).decode("utf-8", "surrogateescape")


def require_harmony(preferences: Preferences, entry: str, overrides: Overrides, *, wanted: bool) -> None:
    """ThunderbirdError where `entry` would not work with these preferences after the next start of Thunderbird.

    `wanted`: the entry should be there, and not gone.
    """
    for name, override in overrides.forced.items():
        reason = ""
        value, planned = override.value, preferences.get(name)
        if name == SERVERS:
            named = entry in _list(value)
            if named != (entry in _list(planned)):
                reason = f"add {entry} to that list" if wanted else f"take {entry} out of that list"
        elif name == DEFAULT_SERVER or re.fullmatch(r"mail\.identity\.[^.]+\.smtpServer", name):
            if (value == entry) != (planned == entry):
                reason = f"set it to {entry} there, or take it out" if planned == entry else "take it out there"
        elif name.startswith(f"mail.smtpserver.{entry}.") and wanted and planned is not None and value != planned:
            reason = f"make it {planned} there, or take it out"
        if reason:
            raise ThunderbirdError(
                f"{override.place} {_words(value)} {name} at each start of Thunderbird, against what is asked for, "
                f"and people could no longer send, or not through this server; {reason}"
            )


def _list(value: Value | None) -> list[str]:
    return value.split(",") if isinstance(value, str) else []


def _words(value: Value | None) -> str:
    return "clears" if value is None else "sets"

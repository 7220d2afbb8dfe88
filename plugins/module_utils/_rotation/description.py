# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `spamexperts_rotation` may hold. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, Optional

from .._passwords import DEFAULT_LENGTH, SAFE_ALPHABET, form_problems
from .check import spec_problems

NAME = "spamexperts_rotation"
IN_PLACE = "in_place"
ALTERNATE = "alternate"
LOCK = "lock"
#: Seconds within which a password has to work that the API has set.
DEFAULT_SETTLE, MOST_SETTLE = 30, 600

ROTATION_OPTIONS: dict[str, Any] = {
    "logins": {"type": "list", "elements": "str"},
    "domains": {"type": "list", "elements": "str"},
    "hosts": {"type": "list", "elements": "str"},
    "everything": {"type": "bool"},
    "strategy": {"type": "str", "choices": [IN_PLACE, ALTERNATE]},
    "alternates": {"type": "dict"},
    "emergency": {"type": "bool"},
    "emergency_action": {"type": "str", "choices": ["change", LOCK]},
    "leave_out_broken_hosts": {"type": "bool"},
    "roll_back": {"type": "bool"},
    "password_length": {"type": "int", "no_log": False},
    "password_alphabet": {"type": "str", "no_log": False},
    "settle_seconds": {"type": "int"},
    "report": {"type": "str"},
    "store_is_kept": {"type": "bool"},
    "store_tasks": {"type": "str"},
    "account": {"type": "str"},
}
_SELECTORS = ("logins", "domains", "hosts", "everything")


def problems(rotation: object, accounts: Optional[Container[str]] = None) -> list[str]:
    """Everything that is wrong with a rotation before anything else is known, one sentence each.

    accounts: the names in `spamexperts_accounts`; None where they are not known.
    """
    if not isinstance(rotation, Mapping):
        return [f'{NAME} is missing; say what to rotate, as in: -e \'{{"{NAME}": {{"everything": true}}}}\'.']
    misfits = spec_problems(NAME, rotation, ROTATION_OPTIONS, accounts)
    if misfits:
        return misfits
    found = []
    if not any(rotation.get(selector) for selector in _SELECTORS):
        found.append(f"{NAME} selects nothing; give logins, domains or hosts, or everything: true.")
    if rotation.get("everything") and any(rotation.get(selector) for selector in _SELECTORS[:3]):
        found.append(f"{NAME} has everything and a choice as well; give one of the two.")
    if rotation.get("roll_back") and rotation.get("emergency"):
        found.append(f"{NAME}: roll_back would bring a leaked password back; leave out roll_back or emergency.")
    if rotation.get("emergency_action") and not rotation.get("emergency"):
        found.append(f"{NAME} has emergency_action without emergency: true; add it, or leave out emergency_action.")
    for name, pair in (rotation.get("alternates") or {}).items():
        logins = pair if isinstance(pair, Sequence) and all(isinstance(login, str) for login in pair) else []
        if isinstance(pair, str) or len(logins) != 2 or len(set(logins)) != 2:
            found.append(f"{NAME}.alternates: {name} needs a list of two different logins.")
    if rotation.get("strategy") == ALTERNATE and not rotation.get("alternates"):
        found.append(f"{NAME}: the strategy alternate needs alternates, the two logins of each credential.")
    if not 0 <= settle_seconds(rotation) <= MOST_SETTLE:
        found.append(f"{NAME}.settle_seconds is {rotation['settle_seconds']}; it must be from 0 to {MOST_SETTLE}.")
    length, alphabet = rotation.get("password_length"), rotation.get("password_alphabet")
    found += [
        f"{NAME}: {problem}."
        for problem in form_problems(
            DEFAULT_LENGTH if length is None else int(length), SAFE_ALPHABET if alphabet is None else alphabet
        )
    ]
    return found


def settle_seconds(rotation: Mapping[str, Any]) -> int:
    """How long the vendor may take until a password works that its API has set."""
    given = rotation.get("settle_seconds")
    return DEFAULT_SETTLE if given is None else int(given)

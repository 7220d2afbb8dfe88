# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether `spamexperts_rotation` has the form that its options say. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, Optional

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

_LISTS = (list, tuple)
#: What to write for a value of each type.
_WRITTEN = {
    "bool": "true or false, without quotes (of a template, add | bool)",
    "list": "a list",
    "dict": "keys with values",
    "str": "text, in quotes where it looks like a number or like true or false",
}


def spec_problems(
    name: str, given: Mapping[Any, Any], options: Mapping[str, Any], accounts: Optional[Container[str]] = None
) -> list[str]:
    """What does not fit the argument spec, one sentence each; keys first, since the rest may follow from them.

    accounts: the names in `spamexperts_accounts`; None where they are not known.
    """
    strange = sorted(str(key) for key in given if key not in options)
    if strange:
        return [f"{name} has {', '.join(strange)}, which it does not know; it may have {', '.join(options)}."]
    messages = ArgumentSpecValidator(dict(options)).validate(dict(given)).error_messages
    found = [f"{name}: {message.rstrip('.')}." for message in messages] or _converted(name, given, options)
    account = given.get("account")
    if not found and account is not None and accounts is not None and account not in accounts:
        # Otherwise the account of the environment variables would be used.
        found = [
            f"{name} names the account {account}, but spamexperts_accounts does not have it; add it there, or correct "
            "the name."
        ]
    return found


def _converted(name: str, given: Mapping[Any, Any], options: Mapping[str, Any]) -> list[str]:
    """One sentence for each value that the check has read as something else than it is. No value is ever named.

    A playbook uses what it was given: there the text "no" is as good as true, and a name where a list belongs is a list
    of its letters.
    """
    found = []
    for key, value in given.items():
        place, option = f"{name}.{key}", options[key]
        if value is None:
            # The check takes it for a key that is not there; a playbook sees that it is.
            found.append(f"{place} is empty; give it a value, or leave it out.")
            continue
        kinds = [(place, value, option["type"])]
        if isinstance(value, _LISTS):
            kinds += [
                (f"{place}[{number}]", entry, option.get("elements", "raw")) for number, entry in enumerate(value)
            ]
        found += [
            f"{where} has to be {_WRITTEN[kind]}."
            for where, entry, kind in kinds
            if kind in _WRITTEN and not _is(kind, entry)
        ]
    return found


def _is(kind: str, value: object) -> bool:
    """Whether a value is of this type as it stands."""
    if kind == "str":
        # Before ansible-core 2.19, a text that is encrypted in the file is no str.
        return not isinstance(value, (bool, int, float, Mapping, *_LISTS))
    classes: dict[str, Any] = {"bool": bool, "list": _LISTS, "dict": Mapping}
    return isinstance(value, classes[kind])

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what somebody wrote has the form that an argument spec says, with the place of each problem. Pure, no I/O.

Nothing is converted, as Ansible would: the text "no" is no boolean, and a name is no list of one. Thousands of entries
take a fraction of a second, which `ArgumentSpecValidator` does not.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Union

#: Where something stands: keys of dictionaries and positions in lists, as in ("senders", 0, "limits").
Path = tuple[Union[str, int], ...]

#: What to write for a value of each type.
_WRITTEN = {
    "bool": "true or false, without quotes",
    "int": "a whole number, without quotes",
    "str": "text, in quotes where it looks like a number, a date or true or false",
    "list": "a list",
    "dict": "keys with values",
}
_CLASSES: dict[str, type] = {"bool": bool, "int": int, "list": list, "dict": dict}


class Problem(NamedTuple):
    """What is wrong at a place. text: the rest of a sentence that begins with the place; never a value."""

    path: Path
    text: str


def dotted(path: Path) -> str:
    """The place as a message names it, as in senders[0].limits."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def nearest(name: str, known: Sequence[str]) -> str:
    """Words that name the known one that somebody may have meant; empty where none is like it."""
    like = difflib.get_close_matches(name, known, n=1)
    return f"; perhaps {like[0]} is meant" if like else ""


def misfits(given: Mapping[Any, Any], options: Mapping[str, Any], path: Path = ()) -> Iterator[Problem]:
    """What does not fit the argument spec: keys, then types, choices and what is missing.

    given: plain dictionaries, lists and values, as YAML gives them.
    """
    for key in given:
        if not isinstance(key, str):
            yield Problem(path, f"has a key that is no text, {key!r}; put it in quotes, or correct it")
        elif key not in options:
            known = nearest(key, list(options)) or f"; there are {', '.join(options)}"
            yield Problem((*path, key), f"is not known here{known}")
    for key, option in options.items():
        if key in given:
            yield from _misfit(given[key], option, (*path, key))
        elif option.get("required"):
            yield Problem(path, f"has no {key}, which is needed" if path else f"{key} is missing")


def _misfit(value: object, option: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if value is None:
        yield Problem(path, "is empty; give it a value, or leave it out")
        return
    kind = "str" if option.get("type") == "path" else option.get("type", "str")
    if not _is(kind, value):
        yield Problem(path, f"has to be {_WRITTEN[kind]}")
    elif isinstance(value, list):
        element = {**option, "type": option.get("elements", "raw")}
        for position, entry in enumerate(value):
            yield from _misfit(entry, element, (*path, position))
    elif "options" in option and isinstance(value, dict):
        yield from misfits(value, option["options"], path)
    elif "choices" in option and value not in option["choices"]:
        yield Problem(path, f"has to be one of {', '.join(option['choices'])}")


def _is(kind: str, value: object) -> bool:
    """Whether a value is of this type as it stands; true and false are no numbers."""
    if kind == "str":
        # Before ansible-core 2.19, a text that is encrypted in a variable is a sequence, and no str.
        return isinstance(value, Sequence) and not isinstance(value, (list, tuple, bytes))
    return kind == "raw" or (isinstance(value, _CLASSES[kind]) and (kind == "bool" or not isinstance(value, bool)))

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares what a module has returned with what it documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
    "float": (int, float),
}
#: What ansible-core adds to every result; the last one is of 2.22, in what is registered.
CORE = {"changed", "diff", "exception", "failed", "invocation", "warnings", "deprecations", "item", "ansible_loop_var"}
CORE |= {"ansible_parsed"}

#: How the documentation says that only a failure returns it.
ONLY_FAILED = ("failure", *(f"when {what} failed" for what in ("it", "the user", "the domain", "the profile")))


def _fits(value: Any, kind: str, description: Any) -> bool:
    if value is None:
        return "null" in str(description).lower()
    if isinstance(value, bool):
        return kind == "bool"
    return kind == "raw" or isinstance(value, TYPES[kind])


def problems(result: Mapping[str, Any], described: Mapping[str, Any], where: str = "") -> list[str]:
    """Return what is returned without being documented, or of another type than documented."""
    found = []
    for key, value in result.items():
        if not where and (key in CORE or key.startswith("_ansible_")):
            continue
        name = f"{where}{key}"
        if key not in described:
            found.append(f"{name} is not documented")
            continue
        description = described[key]
        if not _fits(value, description["type"], description["description"]):
            found.append(f"{name} is {value!r}, which is no {description['type']}")
        elements = value if isinstance(value, list) else []
        if not all(_fits(each, description.get("elements", "raw"), "") for each in elements):
            found.append(f"{name} has elements that are no {description['elements']}")
        found += [
            problem
            for each in _mappings(value)
            if description.get("contains")
            for problem in problems(each, description["contains"], f"{name}.")
        ]
    return found


def unseen(results: Iterable[Mapping[str, Any]], described: Mapping[str, Any], where: str = "") -> list[str]:
    """Return the documented keys that no result has with a value, but for what only a failure returns."""
    given = list(results)
    found = []
    for key, description in described.items():
        if description.get("returned") in ONLY_FAILED:
            continue
        values = [result[key] for result in given if result.get(key) is not None]
        if not values:
            found.append(f"{where}{key}")
        elif description.get("contains"):
            inner = [each for value in values for each in _mappings(value)]
            found += unseen(inner, description["contains"], f"{where}{key}.")
    return found


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings that a value is or holds."""
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, Mapping)]

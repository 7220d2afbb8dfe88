# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lists of lookup tables that main.cf holds, read as Postfix reads them. Pure, no I/O."""

from __future__ import annotations

import re

#: What Postfix takes for the space between two tables (its CHARS_COMMA_SP). Python knows more blanks.
_SEPARATORS = ", \t\r\n"
_PROXY = re.compile(r"(?:^|(?<=[\s,{]))proxy:")


def split(value: str) -> list[str]:
    """The tables of a list. What stands in braces is one piece: `inline:{ { a = b }, { c = d } }`."""
    found: list[str] = []
    depth, inside = 0, False
    for character in value:
        if depth == 0 and character in _SEPARATORS:
            inside = False
            continue
        if not inside:
            found.append("")
            inside = True
        found[-1] += character
        if character == "{":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
    return found


def direct(table: str) -> str:
    """The table behind `proxy:`. Through the proxy a program of Postfix waits for ever where Postfix does not run."""
    return _PROXY.sub("", table)

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes secrets out of text that others wrote: replies, addresses, error messages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from html import entities

#: What stands where a secret was.
HIDDEN = "********"

_SHORT_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\\": "\\", "'": "'", '"': '"', "/": "/"}


class Redactor:
    """Replaces secrets in texts, in whatever form a program along the way may have written them.

    Every character of a secret is found raw, percent-encoded (once or twice, and "+" for a blank), escaped as in
    JSON, Python and C, and as an HTML entity; also when one text mixes these forms.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        """secrets: empty ones are ignored."""
        # The longest first, so that a secret that contains another one disappears as a whole.
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        """Compiled when the first text is cleaned: a call that succeeds needs none, and thousands of them do."""
        # In any case, since some programs write addresses in lower case.
        return re.compile("|".join("".join(map(_forms, secret)) for secret in self._secrets), re.IGNORECASE)

    def clean(self, text: str) -> str:
        """The text without the secrets."""
        return self._pattern.sub(HIDDEN, text) if self._secrets else text


def _forms(character: str) -> str:
    """A regular expression for all forms of one character."""
    code = ord(character)
    encoded = character.encode("utf-8", "surrogatepass")
    byte_escapes = "".join(rf"\\+x(?i:{byte:02x})" for byte in encoded)
    forms = [
        re.escape(character),
        "".join(f"%(?:25)?(?i:{byte:02x})" for byte in encoded),
        byte_escapes,
        rf"\\+u(?i:{code:04x})" if code < 0x10000 else rf"\\+U(?i:{code:08x})",
        rf"&#0*{code};",
        rf"&#[xX]0*(?i:{code:x});",
    ]
    if code < 0x100:
        forms.append(rf"\\+x(?i:{code:02x})")
    if code >= 0x10000:  # JSON writes such a character as two
        forms.append("".join(rf"\\+u(?i:{unit:04x})" for unit in _surrogates(code)))
    if character == " ":
        forms.append(re.escape("+"))
    if character in _SHORT_ESCAPES:
        forms.append(r"\\+" + re.escape(_SHORT_ESCAPES[character]))
    if code in entities.codepoint2name:
        forms.append(f"&{entities.codepoint2name[code]};")
    return f"(?:{'|'.join(sorted(forms, key=len, reverse=True))})"


def _surrogates(code: int) -> tuple[int, int]:
    return 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF)

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No form of a secret stays in a text."""

from __future__ import annotations

import base64
import html
import json
from typing import Callable
from urllib.parse import quote, quote_plus

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._redaction import HIDDEN, Redactor
from hypothesis import given
from hypothesis import strategies as st

FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "percent": lambda secret: quote(secret, safe=""),
    "percent, slashes kept": quote,
    "percent, lower case": lambda secret: quote(secret, safe="").replace("%C3%A4", "%c3%a4").replace("%2F", "%2f"),
    "percent, twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "form": quote_plus,
    "json": lambda secret: json.dumps(secret)[1:-1],
    "json, not only ASCII": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "json, slashes escaped": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "json in json": lambda secret: json.dumps(json.dumps(secret)),
    "repr": lambda secret: repr(secret)[1:-1],
    "repr, ASCII": lambda secret: ascii(secret)[1:-1],
    "repr of bytes": lambda secret: repr(secret.encode("utf-8", "surrogatepass"))[2:-1],
    "repr of a list's repr": lambda secret: repr(repr([secret])),
    "html": html.escape,
    "html, numbers": lambda secret: "".join(f"&#{ord(character)};" for character in secret),
    "html, hexadecimal": lambda secret: "".join(f"&#x{ord(character):x};" for character in secret),
    "xml": lambda secret: secret.encode("ascii", "xmlcharrefreplace").decode(),
}
SECRETS = [
    "correct-horse-battery",
    'it\'s "quoted" \\ and / more',
    "p%41ss+word&x=1#?",
    "Zwölf Boxkämpfer €",
    "emoji 😀 pass",
    "tab\tnew\nline",
    "\\u0041",
    "<b>&amp;</b>",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", SECRETS)
def test_forms(secret: str, form: str) -> None:
    text = f"before>{FORMS[form](secret)}<after"
    cleaned = Redactor([secret]).clean(text)
    assert HIDDEN in cleaned
    assert FORMS[form](secret) not in cleaned
    assert cleaned.startswith("before")
    assert cleaned.endswith("after")


def test_mixed_forms() -> None:
    assert Redactor(["a/b c"]).clean("x a%2Fb+c y a\\/b%20c z") == f"x {HIDDEN} y {HIDDEN} z"


def test_longest_secret_first() -> None:
    assert Redactor(["pass", "passphrase", ""]).clean("passphrase pass") == f"{HIDDEN} {HIDDEN}"


def test_nothing_secret() -> None:
    assert Redactor(["", ""]).clean("text") == "text"
    assert Redactor([]).clean("") == ""


def test_base64_given_as_a_secret() -> None:
    token = base64.b64encode(b"admin:pass+/word").decode()
    assert token not in Redactor([token]).clean(f"Authorization: Basic {token}")


@given(secret=st.text(min_size=1, max_size=12), form=st.sampled_from(sorted(FORMS)))
def test_any_secret(secret: str, form: str) -> None:
    cleaned = Redactor([secret]).clean(f"\x00{FORMS[form](secret)}\x01")
    assert HIDDEN in cleaned

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site has already: Postfix maps and the vendor's CSV."""

from __future__ import annotations

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.password_maps import (
    Pair,
    map_files,
    map_pairs,
)
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._adoption import AdoptionError, csv_pairs


def test_map_files() -> None:
    setting = "hash:/etc/postfix/sasl, proxy:lmdb:/etc/a mysql:/etc/b.cf static:user:word"
    assert map_files(setting) == (["/etc/postfix/sasl", "/etc/a"], ["mysql", "static"])
    assert map_files("") == ([], [])


@pytest.mark.parametrize(
    ("setting", "files", "others"),
    [
        ("inline:{ {[h]:587=user:pass,word12345} }, hash:/etc/a", ["/etc/a"], ["inline"]),
        ("static:{user:pass word}", [], ["static"]),
        ("static:user:pass word:12345", [], ["static", "unknown"]),
        ("static:{user:pass word", [], ["static"]),
    ],
)
def test_no_part_of_a_password_is_taken_for_the_type_of_a_map(
    setting: str, files: list[str], others: list[str]
) -> None:
    assert map_files(setting) == (files, others)


def test_map_pairs() -> None:
    text = (
        "# comment: no:login\n\n  # another\n[smart.test]:587 a@example.com:se:cr et \n"
        "b@example.com\tb@example.com:long\n   er\nnothing\n@c.test c.test:x\n@d.test c.test:x\n"
    )
    assert map_pairs(text) == [
        Pair("a@example.com", "se:cr et"),
        Pair("b@example.com", "long   er"),
        Pair("c.test", "x"),
    ]


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\x1c", "\xa0"])
def test_a_password_is_what_postfix_reads(character: str) -> None:
    """Python takes all of these for the end of a line, or for a blank."""
    text = f"[smart.test]:587 a@example.com:{character}sec{character}ret{character}\r\n\r\nb@example.com\tb:word\n"
    assert map_pairs(text) == [Pair("a@example.com", f"{character}sec{character}ret{character}"), Pair("b", "word")]


def test_csv_pairs() -> None:
    rows = [
        'example.com,alice,x,"pass,word"',
        "example.com,,x,word",
        "example.com,bob@example.com,,w2",
        "example.com,c,,",
    ]
    text = "\n".join(["Domain,username,comment,password", *rows])
    assert csv_pairs(text) == [
        Pair("alice@example.com", "pass,word"),
        Pair("example.com", "word"),
        Pair("bob@example.com", "w2"),
    ]


def test_a_csv_without_the_columns() -> None:
    with pytest.raises(AdoptionError, match="the CSV has no column username, domain; its first line must name"):
        csv_pairs("user;password\na;secret\n".replace("user;", "user,").replace("a;", "a,"))

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site has already: Postfix maps and the vendor's CSV."""

from __future__ import annotations

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.password_maps import (
    Entry,
    Pair,
    map_entries,
    map_files,
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


def test_map_entries() -> None:
    text = (
        "# comment: no:login\n\n  # another\n[smart.test]:587 a@example.com:se:cr et \n"
        "b@example.com\tb@example.com:long\n   er\nnothing\n@c.test c.test:x\n@d.test c.test:x\n"
    )
    assert map_entries(text) == [
        Entry("[smart.test]:587", Pair("a@example.com", "se:cr et")),
        Entry("b@example.com", Pair("b@example.com", "long   er")),
        Entry("@c.test", Pair("c.test", "x")),
        Entry("@d.test", Pair("c.test", "x")),
    ]


@pytest.mark.parametrize(
    ("key", "server"),
    [
        ("[Smart.test]:587", "smart.test"),
        ("[smart.test]", "smart.test"),
        ("smart.test:submission", "smart.test"),
        ("smart.test", "smart.test"),
        ("[2001:db8::1]:587", "2001:db8::1"),
        ("[ipv6:2001:DB8:0::1]:587", "2001:db8::1"),
        ("müller.example:587", "xn--mller-kva.example"),
        ("@example.com", None),
        ("alice@example.com", None),
    ],
)
def test_whose_login_an_entry_is(key: str, server: str | None) -> None:
    assert Entry(key, Pair("login", "password")).server == server


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\x1c", "\xa0"])
def test_a_password_is_what_postfix_reads(character: str) -> None:
    """Python takes all of these for the end of a line, or for a blank."""
    text = f"[smart.test]:587 a@example.com:{character}sec{character}ret{character}\r\n\r\nb@example.com\tb:word\n"
    assert [entry.pair for entry in map_entries(text)] == [
        Pair("a@example.com", f"{character}sec{character}ret{character}"),
        Pair("b", "word"),
    ]


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


def test_a_csv_as_the_vendor_takes_it_has_no_names() -> None:
    text = "user10,domain1.test,pa5Sword1\n,domain2.test,word\n"
    assert csv_pairs(text) == [Pair("user10@domain1.test", "pa5Sword1"), Pair("domain2.test", "word")]


def test_a_csv_without_the_columns() -> None:
    with pytest.raises(AdoptionError, match="the CSV has no column username, domain; its first line must name"):
        csv_pairs("user;password\na;secret\n".replace("user;", "user,").replace("a;", "a,"))

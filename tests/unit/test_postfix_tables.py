# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of tables are read as Postfix reads them: what stands in braces is one piece."""

from __future__ import annotations

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.tables import direct, split


@pytest.mark.parametrize(
    ("value", "tables"),
    [
        ("", []),
        (" ,\t", []),
        ("hash:/a, hash:/b\ttexthash:/c", ["hash:/a", "hash:/b", "texthash:/c"]),
        ("inline:{ { a = b }, { c = d e } }", ["inline:{ { a = b }, { c = d e } }"]),
        ("hash:/a,inline:{{a=b, c}} hash:/b", ["hash:/a", "inline:{{a=b, c}}", "hash:/b"]),
        ("pipemap:{hash:/a, inline:{ {a = {b, c}} }}", ["pipemap:{hash:/a, inline:{ {a = {b, c}} }}"]),
        ("} hash:/a", ["}", "hash:/a"]),
        ("inline:{ { a = b", ["inline:{ { a = b"]),
        ("static:a\N{NO-BREAK SPACE}b", ["static:a\N{NO-BREAK SPACE}b"]),
    ],
)
def test_lists(value: str, tables: list[str]) -> None:
    assert split(value) == tables


@pytest.mark.parametrize(
    ("table", "behind"),
    [
        ("proxy:hash:/a", "hash:/a"),
        ("hash:/proxy:a", "hash:/proxy:a"),
        ("pipemap:{proxy:hash:/a, proxy:mysql:/b}", "pipemap:{hash:/a, mysql:/b}"),
        ("static:proxy:a", "static:proxy:a"),
    ],
)
def test_the_table_behind_the_proxy(table: str, behind: str) -> None:
    """Through the proxy, postmap waits for ever where Postfix does not run."""
    assert direct(table) == behind

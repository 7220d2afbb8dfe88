# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which settings let a client hear of STARTTLS and AUTH, and speak the TLS of today."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix import hearing
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.parameters import is_right

from tests.unit.test_postfix_settings import settings


@pytest.mark.parametrize(
    ("value", "right"),
    [
        ("", True),
        (">=TLSv1", True),
        ("!SSLv2, !SSLv3, !TLSv1, !TLSv1.1", True),
        ("TLSv1.2:TLSv1", True),
        ("tlsv1.3", True),
        (">=TLSv1.2, <=TLSv1.3", True),
        ("0303", True),  # not a name: Postfix knows what it means
        ("TLSv1", False),
        ("SSLv3, TLSv1", False),
        ("!TLSv1.2 !TLSv1.3", False),
        ("<=TLSv1.1", False),
        ("TLSv1.2, !TLSv1.2", False),
        (">=TLSv1.3, <=TLSv1.2", False),
    ],
)
def test_protocols(value: str, right: bool) -> None:
    assert is_right(hearing.PROTOCOLS, "anything", value) == right
    rules = hearing.rules({hearing.KEYWORDS: "", hearing.PROTOCOLS: value})
    assert (rules[hearing.PROTOCOLS] == value) == right
    assert hearing.has_tls_of_today(rules[hearing.PROTOCOLS])


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("", ""),
        ("chunking  dsn", "chunking  dsn"),
        ("dsn,StartTLS silent-discard", "dsn, silent-discard"),
        ("AUTH", ""),
    ],
)
def test_keywords(value: str, kept: str) -> None:
    assert is_right(hearing.KEYWORDS, "anything", value) == (value == kept)
    assert hearing.rules({hearing.KEYWORDS: value, hearing.PROTOCOLS: ""})[hearing.KEYWORDS] == kept


def test_a_name_that_cannot_be_resolved_has_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hearing._addresses(settings(smarthost="localhost", smarthost_certificate_names=["a.example"]))

    def unknown(*_arguments: Any, **_options: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert hearing._addresses(settings()) == []

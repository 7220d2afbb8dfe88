# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a port decides: how TLS begins, and what is to be said of it; and how long a host name may be."""

from __future__ import annotations

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils import _names


@pytest.mark.parametrize(
    ("port", "given", "is_first"),
    [
        *((587, None, False), (587, "starttls", False), (587, "implicit", True)),
        *((465, None, True), (465, "implicit", True), (464, None, False), (466, None, False)),
    ],
)
def test_the_port_says_how_tls_begins_else_the_option(port: int, given: str | None, is_first: bool) -> None:
    assert _names.begins_with_tls(port, given) is is_first


def test_starttls_on_the_port_for_tls_is_refused() -> None:
    with pytest.raises(_names.InputError, match=r"^smarthost_tls: port 465 is for TLS from the first byte"):
        _names.begins_with_tls(465, "starttls")


def test_the_port_between_mail_servers_is_warned_of() -> None:
    assert [port for port in (24, 25, 26, 465, 587) if _names.port_warnings(port)] == [25]
    (warning,) = _names.port_warnings(25, "port")
    assert warning.startswith("port: 25 is for mail between servers")


def test_a_port_is_a_number_that_can_be() -> None:
    assert [_names.port_number(port) for port in (1, 65535)] == [1, 65535]
    for port in (-1, 0, 65536):
        with pytest.raises(_names.InputError, match=f"^smarthost_port: {port} is not a port"):
            _names.port_number(port)


def test_the_longest_name_of_a_host() -> None:
    longest = ".".join(["x" * 63, "x" * 63, "x" * 63, "x" * 61])
    assert [_names.host_name(name) for name in (longest, "x")] == [longest, "x"]
    for text in (f"{longest}x", "", "a.b.7", "7", f"{'x' * 64}.example", "\u00e4" * 64):
        with pytest.raises(_names.InputError, match="neither a host name nor an IP address"):
            _names.host_name(text)

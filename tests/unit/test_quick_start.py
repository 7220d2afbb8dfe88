# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a new user has to write and to type; what it does is tested in tests/integration/test_quick_start.py."""

from __future__ import annotations

import pytest
import yaml

from tests.support.quick_start import QUICK_STARTS, installation, quick_start


def test_the_lines_for_a_debian_are_the_same_on_all_pages() -> None:
    lines, *others = [installation(page) for page in QUICK_STARTS]
    assert lines[0].startswith("sudo apt-get install ")
    assert not [line for line in lines if line.startswith(("brew", "sudo dnf"))]
    assert {"ansible-core", "requests", "dnspython"} < {*lines[-2].split()}
    assert others == [lines]


@pytest.mark.parametrize("page", QUICK_STARTS)
def test_twelve_addresses_and_two_mail_servers_are_few_lines_and_commands(page: str) -> None:
    to_do = quick_start(page)
    inventory, description = (yaml.safe_load(text) for text in to_do.files.values())
    assert list(to_do.files) == ["inventory.yml", "domains/example.com.yml"]
    assert len(inventory["mail_relays"]["hosts"]) == 2
    people = [sender for sender in description["senders"] if "relay" not in sender]
    assert len(people) == 12
    assert len(to_do.yaml_lines) <= 25
    assert [line for line in to_do.yaml_lines if any(sign in line for sign in "{}[]")] == []
    assert len(to_do.programs) <= 6

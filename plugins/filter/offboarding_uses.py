# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a mail server uses the logins of those who leave."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _offboarding

DOCUMENTATION = r"""
name: offboarding_uses
short_description: The keys under which a mail server uses the logins of those who leave
version_added: 1.0.0
description:
  - Compares C(spamexperts_offboarding) with what M(smarthost.spamexperts.postfix_relay_info) has found.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, found
options:
  _input:
    description: The value of C(spamexperts_offboarding).
    type: dict
    required: true
  found:
    description: The logins that M(smarthost.spamexperts.postfix_relay_info) returns.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what still uses the login
  ansible.builtin.debug:
    msg: "{{ {'domain': 'example.com', 'usernames': ['alice']} | smarthost.spamexperts.offboarding_uses(found) }}"
  vars:
    found:
      - key: alice@example.com
        login: alice@example.com
"""

RETURN = r"""
_value:
  description: The senders, or the next hop, that use one of the logins.
  type: list
  elements: str
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"offboarding_uses": _offboarding.uses}

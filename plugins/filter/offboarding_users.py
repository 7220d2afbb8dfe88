# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an offboarding to the option users of outgoing_users."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _offboarding

DOCUMENTATION = r"""
name: offboarding_users
short_description: The outgoing users that leave
version_added: 1.0.0
description:
  - Turns C(spamexperts_offboarding) into the users that M(smarthost.spamexperts.outgoing_users) takes.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input
options:
  _input:
    description: The value of C(spamexperts_offboarding).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show who leaves
  ansible.builtin.debug:
    msg: "{{ {'domain': 'example.com', 'usernames': ['alice']} | smarthost.spamexperts.offboarding_users }}"
"""

RETURN = r"""
_value:
  description: The users.
  type: list
  elements: dict
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"offboarding_users": _offboarding.users}

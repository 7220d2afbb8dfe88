# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outgoing users that a rotation locks or unlocks."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _rotation

DOCUMENTATION = r"""
name: rotation_locks
short_description: The outgoing users that a rotation locks or unlocks
version_added: 1.0.0
description:
  - Makes the option O(smarthost.spamexperts.outgoing_users#module:users) for the present logins.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, locked
options:
  _input:
    description: The C(credentials) of P(smarthost.spamexperts.rotation_plan#filter).
    type: list
    required: true
  locked:
    description: Whether they are locked, or unlocked.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Show the users
  ansible.builtin.debug:
    msg: "{{ entries | smarthost.spamexperts.rotation_locks(true) }}"
  vars:
    entries:
      - name: web1@example.com
        login: web1@example.com
        next_login: web1@example.com
        hosts: [web1]
        resumed: false
        moves: false
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
        return {"rotation_locks": _rotation.locks}

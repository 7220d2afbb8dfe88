# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users that a rotation leaves behind."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _rotation

DOCUMENTATION = r"""
name: rotation_old_users
short_description: The users that a rotation leaves behind
version_added: 1.0.0
description:
  - Gives M(smarthost.spamexperts.outgoing_users) one login of each pair to remove.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, which, hosts
options:
  _input:
    description: The credentials of P(smarthost.spamexperts.rotation_plan#filter).
    type: list
    required: true
  which:
    description: The login to remove, V(login) or V(next_login).
    type: str
    required: true
  hosts:
    description:
      - The C(state) of each mail server. A login stays unless all of its mail servers are V(rolled_back).
      - Left out, no login stays.
    type: dict
"""

EXAMPLES = r"""
- name: Show the users
  ansible.builtin.debug:
    msg: "{{ entries | smarthost.spamexperts.rotation_old_users('login') }}"
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
  description: The users, with C(state) V(absent).
  type: list
  elements: dict
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"rotation_old_users": _rotation.old_users}

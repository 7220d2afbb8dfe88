# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credentials of a rotation whose logins the vendor has not changed."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _rotation

DOCUMENTATION = r"""
name: rotation_undone
short_description: The credentials of a rotation whose logins the vendor has not changed
version_added: 1.0.0
description:
  - Reads the result of M(smarthost.spamexperts.outgoing_users) for the users of
    P(smarthost.spamexperts.rotation_locks#filter).
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, result
options:
  _input:
    description: The C(credentials) of P(smarthost.spamexperts.rotation_plan#filter).
    type: list
    required: true
  result:
    description: The whole result, with O(smarthost.spamexperts.outgoing_users#module:return_unchanged=true).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the names
  ansible.builtin.debug:
    msg: "{{ entries | smarthost.spamexperts.rotation_undone({'users': []}) }}"
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
  description: Names of credentials.
  type: list
  elements: str
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"rotation_undone": _rotation.undone}

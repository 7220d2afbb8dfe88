# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials about which the vendor's answer leaves a doubt."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _rotation

DOCUMENTATION = r"""
name: rotation_unproven
short_description: Credentials about which the vendor's answer leaves a doubt
version_added: 1.0.0
description:
  - Finds the credentials whose new password neither the API nor a login has confirmed.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, result
options:
  _input:
    description: The credentials of P(smarthost.spamexperts.rotation_plan#filter).
    type: list
    required: true
  result:
    description: The result of M(smarthost.spamexperts.outgoing_users) with all of them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the credentials
  ansible.builtin.debug:
    msg: "{{ entries | smarthost.spamexperts.rotation_unproven({'users': []}) }}"
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
  description: The credentials, as they were given.
  type: list
  elements: dict
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"rotation_unproven": _rotation.unproven}

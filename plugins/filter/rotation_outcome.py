# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of each credential of a rotation."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _rotation

DOCUMENTATION = r"""
name: rotation_outcome
short_description: What becomes of each credential of a rotation
version_added: 1.0.0
description:
  - Decides from the state of each mail server, unless everything is rolled back.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, switched, hosts
options:
  _input:
    description: The credentials of P(smarthost.spamexperts.rotation_plan#filter).
    type: list
    required: true
  switched:
    description: Names of the credentials whose next password the vendor takes.
    type: list
    required: true
  hosts:
    description: The C(state) of each mail server, V(active), V(failed) or another word.
    type: dict
    required: true
  emergency:
    description: Whether nothing is ever rolled back, since strangers know the old password.
    type: bool
    default: false
  roll_back:
    description: Whether all are rolled back.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the decision
  ansible.builtin.debug:
    msg: "{{ entries | smarthost.spamexperts.rotation_outcome(['web1@example.com'], hosts) }}"
  vars:
    hosts:
      web1:
        state: active
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
  description: The credentials, each with C(outcome); V(committed), V(rolled_back), V(pending) or V(not_changed).
  type: list
  elements: dict
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"rotation_outcome": _rotation.outcome}

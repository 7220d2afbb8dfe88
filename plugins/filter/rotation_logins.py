# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logins that a rotation tries."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _rotation

DOCUMENTATION = r"""
name: rotation_logins
short_description: The logins that a rotation tries
version_added: 1.0.0
description:
  - Turns the credentials of a rotation into the logins that M(smarthost.spamexperts.smtp_login_info) takes.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, passwords, which
options:
  _input:
    description: The credentials of P(smarthost.spamexperts.rotation_plan#filter).
    type: list
    required: true
  passwords:
    description: The password of each.
    type: list
    required: true
  which:
    description: Whose password it is, V(login) or V(next_login).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the logins
  ansible.builtin.debug:
    msg: "{{ entries | smarthost.spamexperts.rotation_logins(['only-an-example'], 'next_login') }}"
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
  description: The logins.
  type: list
  elements: dict
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"rotation_logins": _rotation.logins}

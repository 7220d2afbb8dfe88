# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second logins of a rotation that are locked."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _rotation

DOCUMENTATION = r"""
name: rotation_locked
short_description: The second logins of a rotation that are locked
version_added: 1.0.0
description:
  - Of a locked user the vendor accepts the login and refuses the mail, so that it has to be known before anybody moves.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, present
options:
  _input:
    description: The C(credentials) of P(smarthost.spamexperts.rotation_plan#filter).
    type: list
    required: true
  present:
    description: RV(smarthost.spamexperts.outgoing_user_info#module:users) of their domains.
    type: list
    required: true
"""

EXAMPLES = r"""
- name: Show who is locked
  ansible.builtin.debug:
    msg: "{{ entries | smarthost.spamexperts.rotation_locked(present) }}"
  vars:
    present:
      - domain: example.com
        username: web1-b
        locked: true
    entries:
      - name: web1@example.com
        login: web1@example.com
        next_login: web1-b@example.com
        hosts: [web1]
        resumed: false
        moves: true
"""

RETURN = r"""
_value:
  description: One sentence for each of them.
  type: list
  elements: str
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"rotation_locked": _rotation.locked}

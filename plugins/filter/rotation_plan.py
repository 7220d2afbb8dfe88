# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rotation changes, and where."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _rotation

DOCUMENTATION = r"""
name: rotation_plan
short_description: What a rotation changes, and where
version_added: 1.0.0
description:
  - Chooses the credentials of C(spamexperts_rotation), and finds the mail servers that use them.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, credentials, uses, works, senders
options:
  _input:
    description: The value of C(spamexperts_rotation).
    type: dict
    required: true
  credentials:
    description: RV(smarthost.spamexperts.credential_store#module:credentials) of the whole store.
    type: list
    required: true
  uses:
    description: The logins of each mail server, by its name.
    type: dict
    required: true
  works:
    description: RV(smarthost.spamexperts.api_info#module:works) of the account.
    type: dict
    required: true
  senders:
    description:
      - Pairs of a login and a list of the envelope senders that the mail servers use it for.
      - A second login must be able to send for them. Without any, it is the name of the credential.
    type: list
    default: []
"""

EXAMPLES = r"""
- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ {'everything': true} | smarthost.spamexperts.rotation_plan(store, uses, {'change_passwords': true}) }}"
  vars:
    uses:
      web1: [web1@example.com]
    store:
      - name: web1@example.com
        login: web1@example.com
        rotating: false
"""

RETURN = r"""
_value:
  description: The C(problems), C(credentials), C(hosts), and the logins that no mail server uses in C(tell).
  type: dict
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"rotation_plan": _rotation.plan}

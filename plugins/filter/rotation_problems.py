# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is wrong with a rotation."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _rotation

DOCUMENTATION = r"""
name: rotation_problems
short_description: Everything that is wrong with a rotation
version_added: 1.0.0
description:
  - Checks C(spamexperts_rotation) before the playbook C(smarthost.spamexperts.rotate_credentials) does anything.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, accounts
options:
  _input:
    description: The value of C(spamexperts_rotation).
    type: dict
    required: true
  accounts:
    description: The names in C(spamexperts_accounts), among which C(account) must be. Left out, it is not looked for.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ {'everything': true} | smarthost.spamexperts.rotation_problems }}"
"""

RETURN = r"""
_value:
  description: One sentence for each problem; none when all is well.
  type: list
  elements: str
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"rotation_problems": _rotation.problems}

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a rotation as text."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _rotation_report

DOCUMENTATION = r"""
name: rotation_summary
short_description: The report of a rotation as text
version_added: 1.0.0
description:
  - Says in a few lines what a rotation has done and what a person has to do.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input
options:
  _input:
    description: The result of P(smarthost.spamexperts.rotation_report#filter).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the lines
  ansible.builtin.debug:
    msg: "{{ report | smarthost.spamexperts.rotation_summary }}"
  vars:
    report:
      credentials: []
      clients: {}
      tell: [alice@example.com]
"""

RETURN = r"""
_value:
  description: Lines of text.
  type: list
  elements: str
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"rotation_summary": _rotation_report.summary}

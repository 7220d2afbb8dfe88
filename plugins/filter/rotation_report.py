# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a rotation as data."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _rotation_report

DOCUMENTATION = r"""
name: rotation_report
short_description: The report of a rotation as data
version_added: 1.0.0
description:
  - Puts together what a rotation has seen. It holds no password.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, seen
options:
  _input:
    description: The plan that P(smarthost.spamexperts.rotation_plan#filter) has made.
    type: dict
    required: true
  seen:
    description: Times, outcome and the state of each mail server.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the report
  ansible.builtin.debug:
    msg: "{{ {'credentials': [], 'tell': ['alice@example.com']} | smarthost.spamexperts.rotation_report(seen) }}"
  vars:
    seen:
      started: '2026-01-01T00:00:00+00:00'
      finished: '2026-01-01T00:00:10+00:00'
      outcome: {}
      hosts: {}
"""

RETURN = r"""
_value:
  description: The report.
  type: dict
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"rotation_report": _rotation_report.report}

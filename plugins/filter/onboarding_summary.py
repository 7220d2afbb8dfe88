# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What onboard_domain says at its end."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _summary

DOCUMENTATION = r"""
name: onboarding_summary
short_description: The summary of an onboarding
version_added: 1.0.0
description:
  - Says in plain lines who may send, how, and how much, what is discouraged, and what is left to do, never a password.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input
options:
  _input:
    description:
      - C(onboarding), the results C(api), C(domain), C(users) and C(spf) of the playbook's tasks, C(smarthost),
        C(relays) and C(check).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show a summary
  ansible.builtin.debug:
    msg: "{{ facts | smarthost.spamexperts.onboarding_summary }}"
  vars:
    facts:
      onboarding: {domain: example.com, senders: []}
      api: {works: {change_limits: true, read_users: true}}
      domain: {changed: false}
      users: {users: [], totals: {}}
      smarthost: 4489.smtp.antispamcloud.com:587
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"onboarding_summary": _summary.summary}

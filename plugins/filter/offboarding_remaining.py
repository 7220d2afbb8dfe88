# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logins of a mail server that stay."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _offboarding

DOCUMENTATION = r"""
name: offboarding_remaining
short_description: The logins of a mail server without those who leave
version_added: 1.0.0
description:
  - Takes the logins of those who leave out of C(outgoing_mail_logins).
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, wanted
options:
  _input:
    description: The value of C(spamexperts_offboarding).
    type: dict
    required: true
  wanted:
    description: The value of C(outgoing_mail_logins).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the logins that stay
  ansible.builtin.debug:
    msg: "{{ {'domain': 'example.com', 'usernames': ['alice']} | smarthost.spamexperts.offboarding_remaining([]) }}"
"""

RETURN = r"""
_value:
  description: The logins that stay.
  type: list
  elements: dict
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"offboarding_remaining": _offboarding.remaining}

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the senders of an onboarding to the option users of outgoing_users."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _onboarding

DOCUMENTATION = r"""
name: onboarding_users
short_description: The outgoing users that an onboarding wants
version_added: 1.0.0
description:
  - Turns C(spamexperts_onboarding) into the users that M(smarthost.spamexperts.outgoing_users) takes.
  - A sender with C(shared) gets C(shared_limits) for each limit that it does not set itself.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, limits_offered
options:
  _input:
    description: The value of C(spamexperts_onboarding).
    type: dict
    required: true
  limits_offered:
    description: With V(false), limits are left out, for a server whose API cannot set them.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show the users
  ansible.builtin.debug:
    msg: "{{ {'domain': 'example.com', 'senders': [{'username': 'info', 'shared': true, 'password_file': '/root/info'}]}
      | smarthost.spamexperts.onboarding_users }}"
"""

RETURN = r"""
_value:
  description: The users.
  type: list
  elements: dict
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"onboarding_users": _onboarding.users}

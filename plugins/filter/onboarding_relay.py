# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sender of an onboarding the mail servers log in as."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.smarthost.spamexperts.plugins.module_utils import _onboarding

DOCUMENTATION = r"""
name: onboarding_relay
short_description: The sender that the mail servers log in as
version_added: 1.0.0
description:
  - Finds the sender whose login the mail servers use. That is the one with C(relay), otherwise the first one with a
    password or a password file.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input
options:
  _input:
    description: The value of C(spamexperts_onboarding).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the sender of the mail servers
  ansible.builtin.debug:
    msg: "{{ {'domain': 'example.com', 'senders': [{'username': 'info', 'shared': true, 'password_file': '/root/info'}]}
      | smarthost.spamexperts.onboarding_relay }}"
"""

RETURN = r"""
_value:
  description: The sender with its C(login), which is empty when the mail servers send by their address.
  type: dict
"""


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"onboarding_relay": _onboarding.relay_sender}

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which people of a host get which login into their Thunderbird."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.smarthost.spamexperts.plugins.module_utils import _onboarding
from ansible_collections.smarthost.spamexperts.plugins.module_utils._passwords import (
    PasswordFileError,
    read_or_generate,
)

DOCUMENTATION = r"""
name: onboarding_people
short_description: The people of a host who are senders of an onboarding
version_added: 1.0.0
description:
  - Turns C(spamexperts_people), the people of a host, into C(outgoing_mail_thunderbird_people) of the role, with the
    logins and passwords of C(spamexperts_onboarding).
  - Who is no sender of the domain is left out.
author:
  - smarthost.spamexperts maintainers (@smarthost)
positional: _input, wanted, check_mode
options:
  _input:
    description: The value of C(spamexperts_onboarding).
    type: dict
    required: true
  wanted:
    description:
      - The people, each with the C(user) of the host and, where it differs, the C(username) of the sender.
      - Everything else of an entry is passed on to the role.
    type: list
    elements: dict
    required: true
  check_mode:
    description:
      - With V(true), something stands for the password of a C(password_file) that the real run will make.
      - Otherwise such a file is an error.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show the login of the person at this desk
  ansible.builtin.debug:
    msg: "{{ (onboarding | smarthost.spamexperts.onboarding_people([{'user': 'alice'}])) | map(attribute='login') }}"
  vars:
    onboarding:
      domain: example.com
      senders:
        - username: alice
"""

RETURN = r"""
_value:
  description: The people, each with C(login), C(identities) and, where it is known, C(password).
  type: list
  elements: dict
"""


def onboarding_people(
    onboarding: Mapping[str, Any], wanted: Sequence[Mapping[str, Any]], check_mode: bool = False
) -> list[dict[str, Any]]:
    """Return the people. Raises AnsibleFilterError for a password file that is not there or cannot be read."""

    def read(path: str) -> str:
        password, new = read_or_generate(path, write=False)
        if new and not check_mode:
            raise PasswordFileError(
                f"password_file {path} is not there, so nobody knows the password; run the playbook without --limit, "
                "which makes it"
            )
        return password

    try:
        return _onboarding.people(onboarding, wanted, read)
    except PasswordFileError as problem:
        raise AnsibleFilterError(f"{problem}.") from None


class FilterModule:
    """The filter, as ansible-core finds it."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter by its name."""
        return {"onboarding_people": onboarding_people}

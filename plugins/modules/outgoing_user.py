#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage one outgoing user: the bulk module with one user."""

from __future__ import annotations

DOCUMENTATION = r"""
module: outgoing_user
short_description: Manage one outgoing user and its limits
version_added: 1.0.0
description:
  - Brings one outgoing user to the wanted state.
  - For several users use M(smarthost.spamexperts.outgoing_users), which is much faster than a loop, and shares the few
    logins that may be refused.
  - In a C(loop), ansible-core up to 2.21 prints each item, and with it a password in it, as C(item=...). The module
    cannot hide that; C(loop_control.label) does.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes
  - smarthost.spamexperts._attributes.API
  - smarthost.spamexperts._api
  - smarthost.spamexperts._smarthost
  - smarthost.spamexperts._smarthost.ca
  - smarthost.spamexperts._smarthost.ENVIRONMENT
  - smarthost.spamexperts._smarthost.BUDGET
  - smarthost.spamexperts._outgoing_user
  - smarthost.spamexperts._outgoing_user.MANAGE
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._failure.API
attributes:
  idempotent:
    support: partial
    details:
      - With O(update_password=always), and for settings that the server can change but not show, a second run
        reports a change again.
options:
  update_password:
    default: on_mismatch
seealso:
  - module: smarthost.spamexperts.outgoing_users
  - module: smarthost.spamexperts.outgoing_user_info
"""

EXAMPLES = r"""
- name: Alice sends with a password of her own
  smarthost.spamexperts.outgoing_user:
    domain: example.com
    username: alice
    password: "{{ alice_password }}"

- name: All addresses of example.org share one password
  smarthost.spamexperts.outgoing_user:
    domain: example.org
    authentication_method: domain
    password: "{{ example_org_password }}"

- name: An old machine that cannot log in sends by its address, although that is discouraged
  smarthost.spamexperts.outgoing_user:
    domain: example.com
    username: 192.0.2.25
    authentication_method: ip
    acknowledge_ip_risk: true

- name: The filter stands in our own network, and a whole building sends through it
  smarthost.spamexperts.outgoing_user:
    domain: example.com
    username: 10.20.0.0/16
    authentication_method: ip
    acknowledge_ip_risk: true
    allow_private_address: true
    allow_wide_network: true

- name: The shared address info@ may send more
  smarthost.spamexperts.outgoing_user:
    domain: example.com
    username: info
    password: "{{ info_password }}"
    limits:
      enabled: true
      per_hour: 500
      per_day: 2000

- name: Never without a label where the items hold passwords; outgoing_users needs no loop at all
  smarthost.spamexperts.outgoing_user:
    domain: example.com
    username: "{{ item.username }}"
    password: "{{ item.password }}"
  loop:
    - username: alice
      password: "{{ alice_password }}"
    - username: info
      password: "{{ info_password }}"
  loop_control:
    label: "{{ item.username }}"

- name: Alice has left
  smarthost.spamexperts.outgoing_user:
    domain: example.com
    username: alice
    state: absent
"""

RETURN = r"""
user:
  description: What was done with the user, or would be done in check mode. Never a password.
  returned: unless nothing could be planned
  type: dict
  sample:
    domain: example.com
    username: alice
    authentication_method: user
    action: created
    login: alice@example.com
    password: set
  contains:
    domain:
      description: The domain, as people write it.
      type: str
      returned: always
      sample: example.com
    username:
      description: Local part, network, or nothing for a domain user.
      type: str
      returned: always
      sample: alice
    authentication_method:
      description: How the sender proves who it is.
      type: str
      returned: always
      sample: user
    action:
      description: One of V(created), V(updated), V(removed), V(unchanged), V(unknown) and V(failed).
      type: str
      returned: always
      sample: created
    login:
      description: The name that a mail program uses to log in to the smarthost.
      type: str
      returned: for users and domain users that should exist
      sample: alice@example.com
    password:
      description:
        - What became of the password, V(set), V(kept) or V(unknown).
        - It is V(set) only when a login has proven it, or with V(on_create), where nobody logs in.
      type: str
      returned: when a password is given, unless it failed
      sample: set
    state:
      description: Limits, lock and settings after the change, as far as they are known.
      type: dict
      returned: when there are any, unless it failed
      sample: {"limits": {"per_hour": 500}}
    unknown:
      description: What could not be compared, because the server does not show it.
      type: list
      elements: str
      returned: when something is not known
      sample: ["limits.per_hour"]
    reason:
      description: Why the user failed or is not known.
      type: str
      returned: when there is one
      sample: the server found no such user; how it wants IP users to be named is not documented
    code:
      description: Why the user failed, as in C(failure.code).
      type: str
      returned: when the user failed
      sample: not_offered
refused_logins:
  description: How many logins the smarthost has refused, with those of the option O(refused_logins).
  returned: unless nothing could be planned
  type: int
  sample: 0
failure:
  description:
    - Why, in a word for programs. The notes say what C(code) can be.
    - Here also V(needs_consent) for what may do harm, and what an option has to allow that the message names, and
      V(login_refused) for a password that the smarthost does not take, although the server says that it is set.
  returned: failure
  type: dict
  sample: {code: login_refused}
"""

from collections.abc import Mapping
from typing import Any

from ..module_utils._api.options import API_OPTIONS
from ..module_utils._module import SecretSafeModule, TaskFailedError
from ..module_utils._smarthost.server import BUDGET_OPTIONS, SMARTHOST_OPTIONS
from ..module_utils._users.manage import manage
from ..module_utils._users.options import FORMER_OPTIONS, MANAGE_OPTIONS, OUTGOING_USER_OPTIONS, UPDATE_PASSWORD


def of_one(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result about one user, without the list and the totals; empty where nothing was planned."""
    shown = {name: value for name, value in result.items() if name not in ("users", "totals")}
    return {**shown, "user": result["users"][0]} if result else {}


def main() -> None:
    """Run the module."""
    module = SecretSafeModule(
        argument_spec={
            **API_OPTIONS,
            **SMARTHOST_OPTIONS,
            **BUDGET_OPTIONS,
            **MANAGE_OPTIONS,
            **OUTGOING_USER_OPTIONS,
            **FORMER_OPTIONS,
            "update_password": {**UPDATE_PASSWORD, "default": "on_mismatch"},
        },
        supports_check_mode=True,
    )
    try:
        result = manage(module, [module.params], "", continue_on_error=True, return_unchanged=True)
    except TaskFailedError as problem:
        module.fail_json(msg=str(problem), code=problem.code, **of_one(problem.result))
    module.exit_json(**of_one(result))


if __name__ == "__main__":
    main()

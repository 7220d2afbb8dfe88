#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage any number of outgoing users in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: outgoing_users
short_description: Manage any number of outgoing users and their limits
version_added: 1.0.0
description:
  - Brings any number of outgoing users, over any number of domains, to the wanted state with one plan.
  - Reads each domain once, changes only what differs, several users at a time, and names each user that failed.
  - Where the server does not list its users, their state is learnt from logins to the smarthost and from the answers
    of the API; what nobody can know is called V(unknown).
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
  users:
    description: The wanted outgoing users.
    type: list
    elements: dict
    required: true
    suboptions:
      domain:
        description: The domain that the user belongs to, in Unicode or in its C(xn--) form.
        type: str
        required: true
      username:
        description: Local part, address or network, as O(users[].authentication_method) wants it.
        type: str
      authentication_method:
        description: See M(smarthost.spamexperts.outgoing_user).
        type: str
        choices: [user, domain, ip]
        default: user
      state:
        description: Whether the user should exist.
        type: str
        choices: [present, absent]
        default: present
      password:
        description: The wanted password; see M(smarthost.spamexperts.outgoing_user).
        type: str
      password_file:
        description: A file on the controller that holds the password, or gets a generated one.
        type: path
      former_password:
        description: The password until now; see M(smarthost.spamexperts.outgoing_user).
        type: str
      password_is_new:
        description: Whether O(users[].password) was made just now; see M(smarthost.spamexperts.outgoing_user).
        type: bool
        default: false
      update_password:
        description: When the password is set; O(update_password) by default.
        type: str
        choices: [on_mismatch, on_create, always]
      limits:
        description: How much the user may send. What is not given stays as it is.
        type: dict
        suboptions:
          enabled:
            description: Whether the limits apply.
            type: bool
          per_minute:
            description: Connections per minute.
            type: int
          per_hour:
            description: Connections per hour.
            type: int
          per_day:
            description: Connections per day.
            type: int
          per_week:
            description: Connections per week.
            type: int
          per_month:
            description: Connections per month.
            type: int
          recipients_per_day:
            description: Recipients per day.
            type: int
          inherit:
            description: Names of limits that should come from the level above.
            type: list
            elements: str
            choices: [per_minute, per_hour, per_day, per_week, per_month, recipients_per_day]
      locked:
        description: Whether the user is locked by hand.
        type: bool
      automatic_lock:
        description: Whether the filter locks the user by itself when it sends spam.
        type: bool
      lock_timeout:
        description: How many minutes an automatic lock lasts, from 1 to 10080.
        type: int
      maximum_unlocks:
        description: How many times an automatic lock ends by itself, from 1 to 100.
        type: int
      settings:
        description: Other settings of the vendor; see M(smarthost.spamexperts.outgoing_user).
        type: dict
      acknowledge_ip_risk:
        description: Set to V(true) to have no warning about an IP user.
        type: bool
        default: false
      allow_private_address:
        description: Accept an IP user whose address a filter in the internet never sees, such as C(10.0.0.5).
        type: bool
        default: false
      allow_wide_network:
        description: Accept an IP user whose network is wider than C(/24) (IPv6 C(/48)).
        type: bool
        default: false
      ignore:
        description: Leave this user as it is, and do not purge it.
        type: bool
        default: false
  update_password:
    description: When the password of a user that exists is set; see M(smarthost.spamexperts.outgoing_user).
    type: str
    choices: [on_mismatch, on_create, always]
    default: on_mismatch
  continue_on_error:
    description:
      - Go on with the other users when one of them cannot be brought to the wanted state.
      - With V(false), nothing is written when a part of the plan is impossible, and nothing more after a failure.
      - The task fails in both cases, and names every user that failed.
    type: bool
    default: true
  purge:
    description:
      - Remove the outgoing users of O(purge_domains) that O(users) does not name.
      - Never done where the server does not list its users.
    type: bool
    default: false
  purge_domains:
    description: The domains in which O(purge) removes users. Required with O(purge=true).
    type: list
    elements: str
  purge_protect:
    description:
      - Users that O(purge) keeps, as shell patterns of C(username@domain), such as V(backup-*@*).
      - V(@) stands for domain users.
    type: list
    elements: str
    default: []
  purge_limit:
    description: The highest number of users that O(purge) may remove. A plan with more changes nothing.
    type: int
    default: 5
  return_unchanged:
    description: Return unchanged users as well. Without it a run over thousands of users has a short result.
    type: bool
    default: false
  others_in:
    description:
      - Domains of which RV(others) shows the users that are in no entry of O(users), where the server lists them.
    type: list
    elements: str
    default: []
seealso:
  - module: smarthost.spamexperts.outgoing_user
  - module: smarthost.spamexperts.outgoing_user_info
  - module: smarthost.spamexperts.api_info
"""

EXAMPLES = r"""
- name: The senders of example.com
  smarthost.spamexperts.outgoing_users:
    users:
      - domain: example.com
        username: alice
        password: "{{ alice_password }}"
      - domain: example.com
        username: scanner
        password_file: ~/smarthost/scanner.example.com

- name: An address that several people share has no limits
  smarthost.spamexperts.outgoing_users:
    users:
      - domain: example.com
        username: info
        password: "{{ info_password }}"
        limits:
          enabled: false

- name: Alice has left
  smarthost.spamexperts.outgoing_users:
    users:
      - domain: example.com
        username: alice
        state: absent

- name: The first sender of a domain that was added just now, without a login that must be refused
  smarthost.spamexperts.outgoing_users:
    users:
      - domain: example.org
        username: alice
        password: "{{ alice_password }}"
    new_domains:
      - example.org

- name: See who else may send for a domain
  smarthost.spamexperts.outgoing_users:
    users:
      - domain: example.com
        username: scanner
    others_in:
      - example.com
  check_mode: true

- name: Remove whoever is not in this list, except the backup servers
  smarthost.spamexperts.outgoing_users:
    users:
      - domain: example.com
        username: alice
        password: "{{ alice_password }}"
      - domain: example.com
        username: legacy
        ignore: true
    purge: true
    purge_domains:
      - example.com
    purge_protect:
      - backup-*@*
"""

RETURN = r"""
users:
  description:
    - The users that changed, failed or are not known, in the order of their domain and username; all users with
      O(return_unchanged=true).
    - Those that failed stand first when the task fails, and then there are at most twenty, unless
      O(return_unchanged=true). RV(totals) counts all of them.
  returned: unless nothing could be planned
  type: list
  elements: dict
  sample:
    - domain: example.com
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
      description:
        - What was done, or would be done in check mode. One of V(created), V(updated), V(removed), V(unchanged),
          V(unknown), V(ignored), V(failed) and V(not_attempted).
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
        - What became of the password, V(set), V(kept) or V(unknown). Never the password.
        - It is V(set) only when a login has proven it, or with V(on_create), where nobody logs in unless it is new.
      type: str
      returned: when a password is given, unless it failed or was not attempted
      sample: set
    state:
      description: Limits, lock and settings after the change, as far as they are known.
      type: dict
      returned: when there are any, unless it failed or was not attempted
      sample: {"limits": {"enabled": false}}
    unknown:
      description: What could not be compared, because the server does not show it.
      type: list
      elements: str
      returned: when something is not known
      sample: ["limits.per_hour"]
    reason:
      description: Why a user failed, was not attempted, or is not known.
      type: str
      returned: when there is one
      sample: another user failed before
    code:
      description: Why a user failed, in one of the words for C(failure.code).
      type: str
      returned: when the user failed
      sample: not_offered
others:
  description: Who is in the domains of O(others_in), as the server lists them, and in no entry of O(users).
  returned: with O(others_in), unless nothing could be planned
  type: list
  elements: dict
  sample:
    - domain: example.com
      username: mallory
      authentication_method: user
refused_logins:
  description: How many logins the smarthost has refused, with those of the option O(refused_logins).
  returned: unless nothing could be planned
  type: int
  sample: 0
totals:
  description: The number of users for each action.
  returned: unless nothing could be planned
  type: dict
  sample:
    created: 1
    updated: 0
    removed: 0
    unchanged: 41
    unknown: 0
    ignored: 0
    failed: 0
    not_attempted: 0
failure:
  description:
    - Why, in a word for programs. The notes say what C(code) can be.
    - Here also V(needs_consent) for what may do harm, and what an option has to allow that the message names, and
      V(login_refused) for a password that the smarthost does not take, although the server says that it is set.
    - Where several have failed, it is the C(code) that all of them have, or V(several_reasons). The others are done,
      unless they are V(not_attempted).
  returned: failure
  type: dict
  sample: {code: login_refused}
"""

from ..module_utils._api.options import API_OPTIONS
from ..module_utils._module import TaskFailedError
from ..module_utils._smarthost.server import BUDGET_OPTIONS, SMARTHOST_OPTIONS
from ..module_utils._users.manage import manage
from ..module_utils._users.module import BulkModule
from ..module_utils._users.options import FORMER_OPTIONS, MANAGE_OPTIONS, OUTGOING_USER_OPTIONS, UPDATE_PASSWORD


def main() -> None:
    """Run the module."""
    module = BulkModule(
        entries="users",
        argument_spec={
            **API_OPTIONS,
            **SMARTHOST_OPTIONS,
            **BUDGET_OPTIONS,
            **MANAGE_OPTIONS,
            "users": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {**OUTGOING_USER_OPTIONS, **FORMER_OPTIONS, "ignore": {"type": "bool", "default": False}},
            },
            "update_password": {**UPDATE_PASSWORD, "default": "on_mismatch"},
            "continue_on_error": {"type": "bool", "default": True},
            "purge": {"type": "bool", "default": False},
            "purge_domains": {"type": "list", "elements": "str"},
            "purge_protect": {"type": "list", "elements": "str", "default": []},
            "purge_limit": {"type": "int", "default": 5},
            "return_unchanged": {"type": "bool", "default": False},
            "others_in": {"type": "list", "elements": "str", "default": []},
        },
        required_if=[("purge", True, ("purge_domains",))],
        supports_check_mode=True,
    )
    params = module.params
    switches = {name: params[name] for name in ("continue_on_error", "return_unchanged")}
    try:
        result = manage(module, params["users"], "users[{}]: ", **switches)
    except TaskFailedError as problem:
        module.fail_json(msg=str(problem), code=problem.code, **problem.result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

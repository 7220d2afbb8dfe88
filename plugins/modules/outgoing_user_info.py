#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show who may send."""

from __future__ import annotations

DOCUMENTATION = r"""
module: outgoing_user_info
short_description: Show the outgoing users of domains
version_added: 1.0.0
description:
  - Shows who may send for which domain, with limits, lock and settings as far as the server lists them.
  - Needs a server that lists its outgoing users, or a call named in O(api_methods). Passwords cannot be read by anyone.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes.INFO
  - smarthost.spamexperts._attributes.API
  - smarthost.spamexperts._api
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._failure.API
options:
  domains:
    description:
      - The domains to show. One that the account does not have is an error. All domains of the account by default.
    type: list
    elements: str
  usernames:
    description:
      - Show only these usernames, as shell patterns such as V(info) or V(backup-*). One that nobody has is a warning.
    type: list
    elements: str
  concurrency:
    description: How many requests are under way at once, from 1 to 16.
    type: int
    default: 4
seealso:
  - module: smarthost.spamexperts.outgoing_users
  - module: smarthost.spamexperts.api_info
"""

EXAMPLES = r"""
- name: Who may send for example.com?
  smarthost.spamexperts.outgoing_user_info:
    domains:
      - example.com
  register: senders

- name: Show the users that are locked
  ansible.builtin.debug:
    msg: "{{ senders.users | selectattr('locked', 'defined') | selectattr('locked') | map(attribute='username') }}"
"""

RETURN = r"""
users:
  description: The outgoing users, in the order of their domain and username.
  returned: success
  type: list
  elements: dict
  sample:
    - domain: example.com
      username: alice
      authentication_method: user
      locked: false
      limits:
        enabled: true
        per_hour: 500
        inherit: [per_day, per_minute, per_month, per_week, recipients_per_day]
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
      description: How the sender proves who it is, V(user), V(domain) or V(ip).
      type: str
      returned: always
      sample: user
    limits:
      description: The limits; C(inherit) names those that come from the level above.
      type: dict
      returned: when the server shows them
      sample: {"enabled": true, "per_hour": 500, "inherit": ["per_day"]}
    locked:
      description: Whether the user is locked by hand.
      type: bool
      returned: when the server shows it
      sample: false
    automatic_lock:
      description: Whether the filter locks the user by itself.
      type: bool
      returned: when the server shows it
      sample: true
    lock_timeout:
      description: Minutes that an automatic lock lasts.
      type: int
      returned: when the server shows it
      sample: 60
    maximum_unlocks:
      description: How many times an automatic lock ends by itself.
      type: int
      returned: when the server shows it
      sample: 3
    settings:
      description: Whatever else the server shows, by its name there.
      type: dict
      returned: when the server shows more
      sample: {"dkim_selector": "mail"}
failure:
  description: Why, in a word for programs. The notes say what C(code) can be.
  returned: failure
  type: dict
  sample: {code: credentials}
"""

import fnmatch

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._api.client import ApiError, Client
from ..module_utils._api.options import API_OPTIONS, CONCURRENCY, checked_concurrency
from ..module_utils._api.session import account_domains, api_session, help_page
from ..module_utils._module import SecretSafeModule
from ..module_utils._names import InputError, normalise_domain
from ..module_utils._users.current import read_lists
from ..module_utils._users.known import check_domains, unmatched
from ..module_utils._users.methods import LIST, MethodError, Methods
from ..module_utils._users.steps import PURPOSES
from ..module_utils._users.user import OutgoingUser


def read(module: AnsibleModule, client: Client) -> list[OutgoingUser]:
    """The users that were asked for. Raises InputError, MethodError, ApiError."""
    params = module.params
    concurrency = checked_concurrency(params)
    methods = Methods(params["api_methods"], params["use_discovered_methods"], help_page(client))
    methods.require(LIST, PURPOSES[LIST])
    domains = params["domains"]
    if domains is None:
        domains = account_domains(client)
    names = [normalise_domain(domain) for domain in domains]
    current = read_lists(client, methods, names, concurrency)
    if params["domains"] is not None:
        check_domains(client, current, names)
    users = current.users
    patterns = params["usernames"]
    warning = unmatched(patterns or (), [key.username for key in users])
    if warning:
        module.warn(warning)
    return [
        user
        for key, user in sorted(users.items())
        if patterns is None or any(fnmatch.fnmatchcase(key.username, pattern.lower()) for pattern in patterns)
    ]


def main() -> None:
    """Run the module."""
    module = SecretSafeModule(
        argument_spec={
            **API_OPTIONS,
            "domains": {"type": "list", "elements": "str"},
            "usernames": {"type": "list", "elements": "str"},
            "concurrency": CONCURRENCY,
        },
        supports_check_mode=True,
    )
    try:
        with api_session(module) as client:
            users = read(module, client)
    except (InputError, MethodError, ApiError) as problem:
        module.fail_json(msg=str(problem), code=problem.code)
    module.exit_json(changed=False, users=[user.to_result() for user in users])


if __name__ == "__main__":
    main()

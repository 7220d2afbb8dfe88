#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage any number of domains of the account in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: domains
short_description: Manage any number of domains, their products, destinations and abuse contacts
version_added: 1.0.0
description:
  - Adds any number of domains to the account, or changes or removes them, with one plan.
  - Reads the list of domains once and of each domain only what is given, changes only what differs, several domains at
    a time, and names each domain that failed.
  - A domain that belongs to somebody else is an error, and is never taken over.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes
  - smarthost.spamexperts._attributes.API
  - smarthost.spamexperts._api
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._failure.API
  - smarthost.spamexperts._failure.DOMAINS
options:
  domains:
    description: The domains. What is not given stays as it is.
    type: list
    elements: dict
    required: true
    suboptions:
      domain:
        description: The domain, in Unicode or in its C(xn--) form.
        type: str
        required: true
      state:
        description: Whether the domain should be in the account; see M(smarthost.spamexperts.domain).
        type: str
        choices: [present, absent]
        default: present
      destinations:
        description: The mail servers that get the filtered incoming mail; see M(smarthost.spamexperts.domain).
        type: list
        elements: str
      incoming:
        description: Whether the domain has the incoming product.
        type: bool
      outgoing:
        description: Whether the domain has the outgoing product, which outgoing users need.
        type: bool
      archiving:
        description: Whether the domain has the archiving product.
        type: bool
      abuse_contact:
        description: The address that hears of spam from this domain, and of locked users.
        type: str
      remove_outgoing_users:
        description: With V(absent), remove the outgoing users first; see M(smarthost.spamexperts.domain).
        type: bool
        default: false
  concurrency:
    description: How many domains are read and changed at once, from 1 to 16.
    type: int
    default: 4
  continue_on_error:
    description:
      - Go on with the other domains when one of them cannot be brought to the wanted state.
      - With V(false), nothing is written when a part of the plan is impossible, and nothing more after a failure.
      - The task fails in both cases, and names every domain that failed.
    type: bool
    default: true
  return_unchanged:
    description: Return unchanged domains as well.
    type: bool
    default: false
seealso:
  - module: smarthost.spamexperts.domain
  - module: smarthost.spamexperts.domain_info
  - module: smarthost.spamexperts.outgoing_users
"""

EXAMPLES = r"""
- name: All domains can send
  smarthost.spamexperts.domains:
    domains:
      - domain: example.com
        outgoing: true
        abuse_contact: abuse@example.com
      - domain: example.net
        outgoing: true
        abuse_contact: abuse@example.com
  register: done

- name: Their senders, without a login that must be refused for those of new domains
  smarthost.spamexperts.outgoing_users:
    users:
      - domain: example.net
        username: alice
        password: "{{ alice_password }}"
    new_domains: "{{ done.domains | selectattr('action', 'in', ['created', 'unknown']) | map(attribute='domain') }}"

- name: One customer has come, and one has left
  smarthost.spamexperts.domains:
    domains:
      - domain: müller.example
        outgoing: true
      - domain: example.org
        state: absent
        remove_outgoing_users: true
"""

RETURN = r"""
domains:
  description:
    - The domains that changed, failed or are not known, in the order of O(domains); all with
      O(return_unchanged=true).
    - Those that failed stand first when the task fails, and then there are at most twenty, unless
      O(return_unchanged=true). RV(totals) counts all of them.
  returned: unless nothing could be planned
  type: list
  elements: dict
  sample:
    - domain: example.com
      action: created
      exists: true
      products: {"incoming": true, "outgoing": true, "archiving": false}
      destinations: ["mail1.example.com:25", "mail2.example.com:2525"]
      abuse_contact: abuse@example.com
  contains:
    domain:
      description: The domain, as people write it.
      type: str
      returned: always
      sample: example.com
    action:
      description:
        - What was done, or would be done in check mode. One of V(created), V(updated), V(removed),
          V(unchanged), V(unknown), V(failed) and V(not_attempted).
        - V(unknown) only in check mode, where the server does not show what the real run will find.
      type: str
      returned: always
      sample: created
    exists:
      description: Whether the domain is in the account.
      type: bool
      returned: unless it failed or was not attempted
      sample: true
    products:
      description: The products, and whether the domain has them.
      type: dict
      returned: when they are given, and for a domain that was added
      sample: {"incoming": true, "outgoing": true, "archiving": false}
    destinations:
      description: The mail servers, always with their port.
      type: list
      elements: str
      returned: when they are given, and for a domain that was added, where the server shows them
      sample: ["mail1.example.com:25", "mail2.example.com:2525"]
    abuse_contact:
      description: The address, empty where none is set.
      type: str
      returned: when it is given, and for a domain that was added, where the server shows it
      sample: abuse@example.com
    removed_outgoing_users:
      description: The outgoing users that were removed with the domain, or would be in check mode.
      returned: when there are any
      type: list
      elements: str
      sample: ["alice@example.org", "domain user of example.org"]
    code:
      description: Why the domain failed, in one of the words for C(failure.code).
      type: str
      returned: when it failed
      sample: foreign
    reason:
      description: Why the domain failed, was not attempted, or is not known.
      type: str
      returned: when there is one
      sample: another domain failed before
totals:
  description: The number of domains for each action.
  returned: unless nothing could be planned
  type: dict
  sample:
    created: 1
    updated: 0
    removed: 0
    unchanged: 299
    unknown: 0
    failed: 0
    not_attempted: 0
"""

from ..module_utils._api.options import API_OPTIONS
from ..module_utils._domains.manage import DOMAIN_OPTIONS, MANAGE_OPTIONS, NotManagedError, manage
from ..module_utils._users.module import BulkModule


def main() -> None:
    """Run the module."""
    module = BulkModule(
        entries="domains",
        argument_spec={
            **API_OPTIONS,
            **MANAGE_OPTIONS,
            "domains": {"type": "list", "elements": "dict", "required": True, "options": DOMAIN_OPTIONS},
            "continue_on_error": {"type": "bool", "default": True},
            "return_unchanged": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    switches = {name: params[name] for name in ("continue_on_error", "return_unchanged")}
    try:
        result = manage(module, params["domains"], "domains[{}]: ", **switches)
    except NotManagedError as problem:
        module.fail_json(msg=str(problem), code=problem.code, **problem.result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manage a domain of the account."""

from __future__ import annotations

DOCUMENTATION = r"""
module: domain
short_description: Manage a domain, its products, destinations and abuse contact
version_added: 1.0.0
description:
  - Adds a domain to the account, or changes or removes it. What is not given stays as it is, and is not read.
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
  domain:
    description: The domain, in Unicode or in its C(xn--) form.
    type: str
    required: true
  state:
    description:
      - Whether the domain should be in the account.
      - The server does not tell a missing domain from one of somebody else, so that V(absent) changes nothing for both.
    type: str
    choices: [present, absent]
    default: present
  destinations:
    description:
      - The mail servers that get the filtered incoming mail, as host or C(host:port), in the order in which they are
        tried.
      - A host is a name or an IP address; an IPv6 address with a port has brackets. Nothing public says whether the
        vendor takes IPv6 addresses here; a host name is safe.
      - For a new domain the server takes them from the MX records when they are not given.
    type: list
    elements: str
  incoming:
    description: Whether the domain has the incoming product.
    type: bool
  outgoing:
    description:
      - Whether the domain has the outgoing product, which outgoing users need.
      - Adding a domain can switch it off as a side effect; it is set after that.
    type: bool
  archiving:
    description: Whether the domain has the archiving product.
    type: bool
  abuse_contact:
    description:
      - The address that hears of spam from this domain, and of locked users. The control panel calls it the
        administrator's contact.
    type: str
  remove_outgoing_users:
    description:
      - With O(state=absent), remove the outgoing users of the domain first. The vendor refuses to remove a domain that
        has some.
      - Needs a server that lists its outgoing users, or a call named in O(api_methods).
    type: bool
    default: false
  concurrency:
    description: How many of its outgoing users are removed at once with O(remove_outgoing_users=true), from 1 to 16.
    type: int
    default: 4
seealso:
  - module: smarthost.spamexperts.domains
  - module: smarthost.spamexperts.domain_info
  - module: smarthost.spamexperts.outgoing_users
  - module: smarthost.spamexperts.spf_info
notes:
  - In check mode for a new domain, RV(domain) holds what is given, since the rest is decided by the server.
"""

EXAMPLES = r"""
- name: The domain can send
  smarthost.spamexperts.domain:
    domain: example.com
    outgoing: true
    abuse_contact: abuse@example.com

- name: Incoming mail goes to two servers
  smarthost.spamexperts.domain:
    domain: example.com
    destinations:
      - mail1.example.com
      - mail2.example.com:2525

- name: The customer has left
  smarthost.spamexperts.domain:
    domain: example.org
    state: absent
    remove_outgoing_users: true
"""

RETURN = r"""
domain:
  description:
    - What was done with the domain, or would be done in check mode.
    - Where the action is V(created), or V(unknown) in check mode, the next task gives the name as
      O(smarthost.spamexperts.outgoing_users#module:new_domains).
  returned: unless nothing could be planned
  type: dict
  sample:
    domain: example.com
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
        - What was done, or would be done in check mode.
        - One of V(created), V(updated), V(removed), V(unchanged), V(unknown) and V(failed).
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
"""

from collections.abc import Mapping
from typing import Any

from ..module_utils._api.options import API_OPTIONS
from ..module_utils._domains.manage import DOMAIN_OPTIONS, MANAGE_OPTIONS, NotManagedError, manage
from ..module_utils._module import SecretSafeModule


def main() -> None:
    """Run the module."""
    module = SecretSafeModule(
        argument_spec={**API_OPTIONS, **DOMAIN_OPTIONS, **MANAGE_OPTIONS},
        supports_check_mode=True,
    )
    try:
        result = manage(module, [module.params], "", continue_on_error=True, return_unchanged=True)
    except NotManagedError as problem:
        module.fail_json(msg=str(problem), code=problem.code, **of_one(problem.result))
    module.exit_json(**of_one(result))


def of_one(result: Mapping[str, Any]) -> dict[str, Any]:
    """The result with the only domain, where there is one."""
    shown = {name: value for name, value in result.items() if name not in ("domains", "totals")}
    return {**shown, "domain": result["domains"][0]} if "domains" in result else shown


if __name__ == "__main__":
    main()

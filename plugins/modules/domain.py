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
  - Adds a domain to the account, or changes or removes it. What is not given stays as it is.
  - A domain that belongs to somebody else is an error, and is never taken over.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes
  - smarthost.spamexperts._attributes.API
  - smarthost.spamexperts._api
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
seealso:
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
  description: The domain after the task.
  returned: success
  type: dict
  sample:
    domain: example.com
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
    exists:
      description: Whether the domain is in the account.
      type: bool
      returned: always
      sample: true
    products:
      description: The products that the server shows, and whether the domain has them.
      type: dict
      returned: when the domain exists
      sample: {"incoming": true, "outgoing": true, "archiving": false}
    destinations:
      description: The mail servers, always with their port. Null where the server does not show them.
      type: list
      elements: str
      returned: when the domain exists
      sample: ["mail1.example.com:25", "mail2.example.com:2525"]
    abuse_contact:
      description: The address, empty where none is set. Null where the server does not show it.
      type: str
      returned: when the domain exists
      sample: abuse@example.com
added:
  description:
    - Whether the domain was added, or would be in check mode, which
      O(smarthost.spamexperts.outgoing_users#module:new_domains) of the next task wants to know.
  returned: always
  type: bool
  sample: false
removed_outgoing_users:
  description: The outgoing users that were removed with the domain, or would be in check mode.
  returned: always
  type: list
  elements: str
  sample: ["alice@example.org", "domain user of example.org"]
"""

from typing import Any

from ..module_utils._api.client import ApiError
from ..module_utils._api.options import API_OPTIONS
from ..module_utils._api.session import api_session, help_page
from ..module_utils._domains.domain import PRODUCTS, parse_wanted_domain
from ..module_utils._domains.manage import DomainError, DomainManager
from ..module_utils._module import SecretSafeModule
from ..module_utils._names import InputError
from ..module_utils._users.methods import MethodError, Methods


def main() -> None:
    """Run the module."""
    module = SecretSafeModule(
        argument_spec={
            **API_OPTIONS,
            "domain": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "destinations": {"type": "list", "elements": "str"},
            **{product: {"type": "bool"} for product in PRODUCTS},
            "abuse_contact": {"type": "str"},
            "remove_outgoing_users": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    done: dict[str, Any] = {"changed": False, "added": False, "removed_outgoing_users": []}
    try:
        wanted = parse_wanted_domain(params)
        with api_session(module) as client:
            methods = Methods(params["api_methods"], params["use_discovered_methods"], help_page(client))
            manager = DomainManager(client, wanted, check_mode=module.check_mode)
            try:
                if params["state"] == "present":
                    manager.ensure_present(module.warn)
                else:
                    manager.ensure_absent(methods, params["remove_outgoing_users"], module.warn)
            finally:
                done = manager.outcome.to_result()
    except (InputError, MethodError, ApiError, DomainError) as problem:
        done.pop("domain", None)
        module.fail_json(msg=str(problem), **done)
    if module._diff:
        done["diff"] = manager.outcome.diff(wanted)
    module.exit_json(**done)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show domains of the account."""

from __future__ import annotations

DOCUMENTATION = r"""
module: domain_info
short_description: Show domains, their products, destinations and abuse contact
version_added: 1.0.0
description:
  - Shows the domains of the account, or those that are named.
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
    description: The domains to show, in Unicode or in their C(xn--) form. All domains of the account by default.
    type: list
    elements: str
  concurrency:
    description: How many domains are read at once, from 1 to 16.
    type: int
    default: 4
seealso:
  - module: smarthost.spamexperts.domain
  - module: smarthost.spamexperts.outgoing_user_info
"""

EXAMPLES = r"""
- name: Look at a domain
  smarthost.spamexperts.domain_info:
    domains:
      - example.com
  register: shown

- name: Stop before senders are added that could not send
  ansible.builtin.assert:
    that: shown.domains[0].exists and shown.domains[0].products.outgoing
    fail_msg: The domain example.com lacks the outgoing product.

- name: Look at all domains of the account
  smarthost.spamexperts.domain_info:
  register: account
"""

RETURN = r"""
domains:
  description: The domains, sorted by name.
  returned: success
  type: list
  elements: dict
  sample:
    - domain: example.com
      exists: true
      products: {"incoming": true, "outgoing": true, "archiving": false}
      destinations: ["mail.example.com:25"]
      abuse_contact: abuse@example.com
    - domain: example.org
      exists: false
  contains:
    domain:
      description: The domain, as people write it.
      type: str
      returned: always
      sample: example.com
    exists:
      description:
        - Whether the domain is in the account. The server does not tell a missing domain from one of somebody else.
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
      sample: ["mail.example.com:25"]
    abuse_contact:
      description: The address, empty where none is set. Null where the server does not show it.
      type: str
      returned: when the domain exists
      sample: abuse@example.com
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._api.client import ApiError, Client
from ..module_utils._api.options import API_OPTIONS, CONCURRENCY, checked_concurrency
from ..module_utils._api.parallel import first_alone
from ..module_utils._api.session import account_domains, api_session
from ..module_utils._domains.current import read_domain
from ..module_utils._domains.domain import Domain, absent_result
from ..module_utils._module import SecretSafeModule
from ..module_utils._names import InputError, normalise_domain


def read(module: AnsibleModule, client: Client) -> list[dict[str, Any]]:
    """The domains that were asked for. Raises InputError, ApiError."""
    concurrency = checked_concurrency(module.params)
    asked = module.params["domains"]
    names = sorted({normalise_domain(name) for name in (account_domains(client) if asked is None else asked)})

    def show(name: str) -> dict[str, Any]:
        domain = read_domain(client, Domain(name))
        return domain.to_result() if domain else absent_result(name)

    return first_alone(show, names, concurrency)


def main() -> None:
    """Run the module."""
    module = SecretSafeModule(
        argument_spec={**API_OPTIONS, "domains": {"type": "list", "elements": "str"}, "concurrency": CONCURRENCY},
        supports_check_mode=True,
    )
    try:
        with api_session(module) as client:
            domains = read(module, client)
    except (InputError, ApiError) as problem:
        module.fail_json(msg=str(problem), code=problem.code)
    module.exit_json(changed=False, domains=domains)


if __name__ == "__main__":
    main()

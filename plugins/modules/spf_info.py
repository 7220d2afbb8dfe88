#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show whether the DNS of domains lets the smarthost send for them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: spf_info
short_description: Show whether the SPF records of domains include the provider
version_added: 1.0.0
description:
  - Looks up the SPF record of each domain, whether it includes the provider, and how many DNS lookups it needs.
  - Names the record that the DNS of the domain should have. It never changes DNS.
  - Follows every C(include) and C(redirect), as a receiver does. Receivers stop after 10 lookups, and after 2 that find
    nothing (RFC 7208, section 4.6.4), and then do not use the record at all.
  - A domain whose DNS does not answer has a sentence in its RV(domains[].problems); the task does not fail.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes.INFO
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._nameservers
options:
  domains:
    description: The domains to look at, in Unicode or in their C(xn--) form.
    type: list
    elements: str
    required: true
  include:
    description:
      - The name that an SPF record has to include for this provider.
      - N-able Mail Assure uses V(spf.mtaroutes.com).
    type: str
    default: spf.antispamcloud.com
seealso:
  - module: smarthost.spamexperts.domain
  - name: RFC 7208
    description: Sender Policy Framework (SPF).
    link: https://www.rfc-editor.org/rfc/rfc7208
"""

EXAMPLES = r"""
- name: May the smarthost send for these domains?
  smarthost.spamexperts.spf_info:
    domains:
      - example.com
      - example.org
  register: spf

- name: Show what has to be done in DNS
  ansible.builtin.debug:
    msg: "{{ item.problems + ['Wanted: ' ~ item.recommended_record] }}"
  loop: "{{ spf.domains | selectattr('problems') }}"
  loop_control:
    label: "{{ item.domain }}"
"""

RETURN = r"""
domains:
  description: What is known about each domain, in the order of the option.
  returned: success
  type: list
  elements: dict
  sample:
    - domain: example.com
      records:
        - v=spf1 mx -all
      record: v=spf1 mx -all
      included: false
      lookups: 1
      void_lookups: 0
      too_many_lookups: false
      problems:
        - The SPF record of example.com does not include spf.antispamcloud.com; replace it by recommended_record.
      recommended_record: v=spf1 mx include:spf.antispamcloud.com -all
      recommended_lookups: 2
  contains:
    domain:
      description: The domain, as people write it.
      type: str
      returned: always
      sample: example.com
    records:
      description: All SPF records of the domain. There must be exactly one.
      type: list
      elements: str
      returned: always
      sample: ["v=spf1 mx -all"]
    record:
      description: The record that receivers use. Null where there is none, or more than one.
      type: str
      returned: always
      sample: v=spf1 mx -all
    included:
      description:
        - Whether the record includes the provider, by itself or by what it includes. Null where DNS gave no answer.
        - The names of servers that the provider asked for before it had an include, such as
          C(a:release.antispamcloud.com), are not counted; RV(domains[].problems) names them.
      type: bool
      returned: always
      sample: false
    lookups:
      description:
        - How many DNS lookups the record needs for a sender that nothing in it matches. Null where DNS gave no answer.
        - What an C(include) or C(redirect) with a macro leads to is not counted, and RV(domains[].problems) says so.
      type: int
      returned: always
      sample: 1
    void_lookups:
      description: How many of the lookups find nothing. Null where DNS gave no answer.
      type: int
      returned: always
      sample: 0
    too_many_lookups:
      description:
        - Whether receivers stop before the end, because of more than 10 lookups or more than 2 that find nothing. Null
          where DNS gave no answer.
      type: bool
      returned: always
      sample: false
    problems:
      description: What is wrong, a sentence each. Empty when nothing has to be done.
      type: list
      elements: str
      returned: always
      sample: []
    recommended_record:
      description:
        - The record that the domain should have, the present one if that is right. Otherwise the present one with the
          C(include) before its C(all), and without terms that are never reached, that break the record, or that are the
          provider's old names.
        - A C(+all), which lets anyone send, becomes C(~all).
        - A new record ends with C(~all), since other senders of the domain are not known here; C(-all) would lose their
          mail at once, and DMARC treats both alike.
        - Several records are joined into one, with the most lenient C(all) of them.
        - Null where DNS gave no answer, or where the record is broken and has to be corrected first.
        - A text of more than 255 characters has to be entered in DNS as several strings.
      type: str
      returned: always
      sample: v=spf1 mx include:spf.antispamcloud.com -all
    recommended_lookups:
      description: How many DNS lookups the recommended record needs. Null where there is none.
      type: int
      returned: always
      sample: 2
failure:
  description:
    - Why, in a word for programs. The notes say what C(code) can be.
    - Here also V(no_nameserver) where the host names none, and V(missing_library) where its Python has no C(dnspython)
      or C(idna).
  returned: failure
  type: dict
  sample: {code: no_nameserver}
"""

from collections.abc import Mapping
from typing import Any

from ..module_utils._domains.dns_options import NAMESERVER_OPTIONS, checked_names, problems_of_nameservers
from ..module_utils._domains.resolver import look_at_each
from ..module_utils._domains.spf import DEFAULT_INCLUDE, Lookup, inspect
from ..module_utils._module import Module


def check_options(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The domains in ASCII, each with what it has to include. Raises InputError that names everything that is wrong."""
    problems: list[str] = []
    domains = checked_names({f"domains[{n}]": text for n, text in enumerate(params["domains"])}, problems)
    include = "".join(checked_names({"include": params["include"]}, problems))
    problems_of_nameservers(params, problems)
    return [(domain, include) for domain in domains]


def look_up(asked: tuple[str, str], lookup: Lookup) -> dict[str, Any]:
    """One domain as the result shows it."""
    return inspect(*asked, lookup).to_result()


def main() -> None:
    """Run the module."""
    module = Module(
        argument_spec={
            "domains": {"type": "list", "elements": "str", "required": True},
            "include": {"type": "str", "default": DEFAULT_INCLUDE},
            **NAMESERVER_OPTIONS,
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, domains=look_at_each(module, check_options, look_up))


if __name__ == "__main__":
    main()

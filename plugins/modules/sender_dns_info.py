#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show whether receivers can trust and answer the mail of domains."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sender_dns_info
short_description: Show SPF, DMARC, DKIM and MX of domains whose mail the smarthost sends
version_added: 1.0.0
description:
  - Looks up what receivers ask DNS of a domain whose mail they get. That is its SPF record, as
    M(smarthost.spamexperts.spf_info) does, the DMARC record of the domain or of one above it, the DKIM keys of the
    selectors that are named, and whether there is a mail server, or at least an address, to which an answer can go.
  - It never changes DNS. Each question is asked once for all domains.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes.INFO
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._nameservers
options:
  domains:
    description: The domains to look at.
    type: list
    elements: dict
    required: true
    suboptions:
      domain:
        description: The domain, in Unicode or in its C(xn--) form.
        type: str
        required: true
      include:
        description: The name that its SPF record has to include.
        type: str
        default: spf.antispamcloud.com
      selectors:
        description: The selectors with which its mail is signed by DKIM.
        type: list
        elements: str
        default: []
seealso:
  - module: smarthost.spamexperts.spf_info
  - name: RFC 7489
    description: Domain-based Message Authentication, Reporting, and Conformance (DMARC).
    link: https://www.rfc-editor.org/rfc/rfc7489
"""

EXAMPLES = r"""
- name: Will receivers take our mail?
  smarthost.spamexperts.sender_dns_info:
    domains:
      - domain: example.com
        selectors: [s1]
"""

RETURN = r"""
domains:
  description: What is known about each domain, in the order of the option.
  returned: success
  type: list
  elements: dict
  sample: []
  contains:
    domain:
      description: The domain, as people write it.
      type: str
      returned: always
      sample: example.com
    spf:
      description: What M(smarthost.spamexperts.spf_info) returns of it.
      type: dict
      returned: always
      sample: {included: true, problems: []}
    dmarc:
      description: Its DMARC record. Null where DNS gave no answer.
      type: dict
      returned: always
      sample: {place: example.com, record: v=DMARC1; p=reject, policy: reject, aspf: r, adkim: r, problems: []}
      contains:
        place:
          description: The domain whose record it is, this one or one above. Empty where there is none.
          type: str
          returned: always
          sample: example.com
        record:
          description: The record. Null where there is none, or more than one.
          type: str
          returned: always
          sample: v=DMARC1; p=reject
        policy:
          description:
            - What receivers are to do with mail that proves nothing, V(none), V(quarantine) or V(reject). Empty where
              they do not use the record.
          type: str
          returned: always
          sample: reject
        aspf:
          description: With V(s), the domain of the envelope has to be that of the header C(From) itself.
          type: str
          returned: always
          sample: r
        adkim:
          description: With V(s), the domain of the signature has to be that of the header C(From) itself.
          type: str
          returned: always
          sample: r
        problems:
          description: What is wrong with it.
          type: list
          elements: str
          returned: always
          sample: []
    dkim:
      description: The selectors that were asked for, without those of which DNS gave no answer.
      type: list
      elements: dict
      returned: always
      sample: [{selector: s1, exists: true, problems: []}]
      contains:
        selector:
          description: The selector.
          type: str
          returned: always
          sample: s1
        exists:
          description: Whether there is a key.
          type: bool
          returned: always
          sample: true
        problems:
          description: Why receivers cannot use it.
          type: list
          elements: str
          returned: always
          sample: []
    takes_mail:
      description:
        - Whether a mail server with an address is named for it, or it has an address itself. Null where DNS gave no
          answer.
      type: bool
      returned: always
      sample: true
    unanswered:
      description: Of what DNS gave no answer besides SPF, with the reason.
      type: list
      elements: str
      returned: always
      sample: []
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

from ..module_utils._domains.dmarc import is_selector
from ..module_utils._domains.dns_options import NAMESERVER_OPTIONS, checked_names, problems_of_nameservers
from ..module_utils._domains.resolver import look_at_each
from ..module_utils._domains.sender_dns import Asked, look_up
from ..module_utils._domains.spf import DEFAULT_INCLUDE
from ..module_utils._module import Module


def check_options(params: Mapping[str, Any]) -> list[Asked]:
    """The domains in ASCII. Raises InputError that names everything that is wrong."""
    problems: list[str] = []
    asked = []
    for position, entry in enumerate(params["domains"]):
        place = f"domains[{position}]"
        names = checked_names({place: entry["domain"], f"{place}.include": entry["include"]}, problems)
        problems += [
            f"{place}.selectors: {text!r} is no name of a selector"
            for text in entry["selectors"]
            if not is_selector(text)
        ]
        asked += [Asked(names[0], names[1], entry["selectors"])] if len(names) > 1 else []
    problems_of_nameservers(params, problems)
    return asked


def main() -> None:
    """Run the module."""
    domain = {
        "domain": {"type": "str", "required": True},
        "include": {"type": "str", "default": DEFAULT_INCLUDE},
        "selectors": {"type": "list", "elements": "str", "default": []},
    }
    module = Module(
        argument_spec={
            "domains": {"type": "list", "elements": "dict", "required": True, "options": domain},
            **NAMESERVER_OPTIONS,
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, domains=look_at_each(module, check_options, look_up))


if __name__ == "__main__":
    main()

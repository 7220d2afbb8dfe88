#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action audit, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit
short_description: The controller's half of the playbook audit
version_added: 1.0.0
description:
  - Looks at the descriptions, the credential store, the vendor and DNS, takes what the playbook has seen on mail
    servers, and says what is wrong and what could not be looked at.
  - It writes an HTML page, a JSON file and a CSV file with a row for each sender. It changes nothing else, neither at
    the vendor nor on hosts nor in the store.
  - It is made for the playbook C(smarthost.spamexperts.audit), which looks at the mail servers before. Without
    O(hosts) they are said not to have been looked at.
  - The vendor, the smarthost and DNS are asked by M(smarthost.spamexperts.api_info),
    M(smarthost.spamexperts.outgoing_user_info), M(smarthost.spamexperts.domain_info),
    M(smarthost.spamexperts.smtp_login_info) and M(smarthost.spamexperts.sender_dns_info).
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes
  - smarthost.spamexperts._smarthost.ASKED
attributes:
  diff_mode:
    description: Has no diff to show in C(diff_mode); RV(files) says what was written.
    support: none
options:
  path:
    description: The credential store. Where it is missing or cannot be opened, that is said, and the rest is looked at.
    type: path
    default: ./credentials.yml
  domains_path:
    description: The folder with the descriptions; see M(smarthost.spamexperts.declaration).
    type: path
    default: ./domains
  domains:
    description: More descriptions.
    type: raw
    default: []
  defaults:
    description: What lies beneath every description.
    type: raw
    default: {}
  accounts:
    description: The accounts, name -> the options of the API.
    type: dict
    default: {}
  mail_servers:
    description: The mail servers of the inventory.
    type: list
    elements: str
    default: []
  hosts:
    description:
      - What was seen of each mail server, with V(relay) of M(smarthost.spamexperts.postfix_relay_info), V(queue) of
        M(smarthost.spamexperts.postfix_queue_info), and V(smarthost), to which it has to send.
    type: dict
    default: {}
  clients:
    description: The computers of people in the inventory.
    type: list
    elements: str
    default: []
  computers:
    description: What M(smarthost.spamexperts.thunderbird_outgoing_server_info) has seen on each of O(clients).
    type: dict
    default: {}
  prove:
    description:
      - With V(all), each password of the store is tried at the smarthost, until three were refused.
      - With V(new), none is, and that is said.
    type: str
    choices: [new, all]
    default: new
  nameservers:
    description: As in M(smarthost.spamexperts.sender_dns_info).
    type: list
    elements: str
  port:
    description: As in M(smarthost.spamexperts.sender_dns_info).
    type: int
  accepted:
    description:
      - Findings that somebody has taken on, each with V(code), V(where) (a shell pattern), V(reason) and V(until), the
        last day. They are shown and do not count.
    type: raw
    default: []
  fail_on:
    description:
      - What the playbook is to fail on. V(drift) is what differs from the descriptions, V(queue) is mail that waits or
        was returned, V(unseen) is what could not be looked at, and the rest are severities.
    type: list
    elements: str
    choices: [drift, high, medium, low, queue, unseen]
    default: []
  folder:
    description:
      - Where the files go, on the controller. It is made with mode 0700 where it is missing.
      - A folder that is a link, belongs to somebody else or is open to others is refused.
    type: path
    default: ./audit
seealso:
  - module: smarthost.spamexperts.declaration
  - module: smarthost.spamexperts.postfix_queue_info
notes:
  - The action runs in the controller's own process, where the files and the vault passwords are.
"""

EXAMPLES = r"""
- name: Who may send, and how safe is it?
  smarthost.spamexperts.audit:
    folder: ./audit
    accepted:
      - code: by_domain
        where: example.com
        reason: The old scanner can do nothing else.
        until: 2099-12-31
"""

RETURN = r"""
verdict:
  description: The whole in one line.
  returned: success
  type: str
  sample: "3 findings: 1 high, 2 medium; 1 thing could not be looked at"
severities:
  description: How many findings there are that nobody has accepted, by severity.
  returned: success
  type: dict
  sample: {high: 1, medium: 2, low: 0}
totals:
  description: How many domains, senders (described, or at the vendor) and mail servers there are.
  returned: success
  type: dict
  sample: {domain: 2, sender: 40, mail server: 3}
not_looked_at:
  description: How many things could not be looked at.
  returned: success
  type: int
  sample: 1
summary:
  description: The verdict, the ten worst findings, what was not looked at, and the totals, for people.
  returned: success
  type: list
  elements: str
  sample:
    - "1 finding: 1 high."
    - >-
      HIGH stranger: eve@example.com: it may send, and nobody has ever declared it. To do: find out whose it is;
      describe it, or remove it with purge: true in the description of its domain.
failing:
  description: Which words of O(fail_on) are true.
  returned: success
  type: list
  elements: str
  sample: [high]
files:
  description: What was written.
  returned: success
  type: list
  elements: dict
  sample:
    - path: audit/audit.html
      action: created
  contains:
    path:
      description: The file.
      type: str
      returned: always
      sample: audit/audit.html
    action:
      description: What was done, or would be done in check mode. One of V(created), V(updated) and V(unchanged).
      type: str
      returned: always
      sample: created
"""

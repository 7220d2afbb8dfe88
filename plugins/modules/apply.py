#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action apply, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: apply
short_description: The controller's half of the playbook apply
version_added: 1.0.0
description:
  - Does one phase of C(smarthost.spamexperts.apply) on the controller. It reads the descriptions, keeps the passwords
    in the credential store, and asks the vendor.
  - It is made for that playbook, which does on mail servers and on people's computers what belongs between the phases.
    Nothing else has to call it.
  - The vendor and the smarthost are asked by M(smarthost.spamexperts.api_info), M(smarthost.spamexperts.domains),
    M(smarthost.spamexperts.outgoing_users) and M(smarthost.spamexperts.smtp_login_info).
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes
  - smarthost.spamexperts._smarthost.ASKED
options:
  phase:
    description:
      - V(begin) reads and checks what is declared, keeps the store for this run, and makes the passwords that there are
        not yet.
      - V(vendor) ensures the domains and their senders at the vendor.
      - V(finish) removes who has left, lets the store forget them, and works out the report.
      - V(summary) works out what C(smarthost.spamexperts.onboard_domain) says at its end.
      - Whatever a phase ends with, a failure lets other runs have the store, as does V(finish).
    type: str
    required: true
    choices: [begin, vendor, finish, summary]
  path:
    description: The credential store. It is made when a password has to be kept.
    type: path
    default: ./credentials.yml
  vault_id:
    description: The vault id of a store that is made; as in M(smarthost.spamexperts.credential_store).
    type: str
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
  only:
    description: What is left of the run, a dictionary with lists of V(domains), V(logins) and V(hosts).
    type: raw
    default: {}
  accounts:
    description:
      - How to reach the API, a dictionary by the name of the account, each with options of the modules for it. Where
        there is no V(default), environment variables say it.
    type: dict
    default: {}
  mail_servers:
    description: The hosts that are mail servers.
    type: list
    elements: str
    default: []
  prove:
    description:
      - Which passwords are proven by a login. V(new) are those that no run has proven since they were made or changed.
      - Where the server does not list its users, each password is tried, as that is how one knows who is there.
    type: str
    choices: [new, all]
    default: new
  remove:
    description: Whether those are removed who were declared and are not any more.
    type: bool
    default: false
  remove_limit:
    description: How many O(remove) may remove. A run with more of them changes nothing.
    type: int
    default: 5
  leaving:
    description:
      - The login of somebody who leaves. The run is about this one only, and removes it as O(remove) would. An error
        where a description still names it, and where nobody has ever declared it.
    type: str
  store_is_kept:
    description: In a container, whether the store outlives it. Without it no password is made there.
    type: bool
    default: false
  hands_over:
    description: Whether the playbook tells another store each new password before the vendor hears of it.
    type: bool
    default: false
  password_length:
    description: How many characters a password gets.
    type: int
    default: 32
  password_alphabet:
    description: The characters that a password is made of.
    type: str
    default: abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.
  run:
    description: RV(run) of the phase before.
    type: dict
    default: {}
  hosts:
    description: For V(finish), what became of each mail server.
    type: dict
    default: {}
  clients:
    description: For V(finish), what became of each computer with somebody's Thunderbird.
    type: dict
    default: {}
  result_file:
    description: For V(finish), a file on the controller for the report, as JSON.
    type: path
  details:
    description: For V(vendor) and V(finish), whether V(summary) follows.
    type: bool
    default: false
  spf:
    description: For V(summary), what M(smarthost.spamexperts.spf_info) has returned as C(domains).
    type: list
    elements: dict
    default: []
seealso:
  - module: smarthost.spamexperts.declaration
  - module: smarthost.spamexperts.credential_store
notes:
  - The action runs in the controller's own process, where the files, the inventory and the vault passwords are.
"""

EXAMPLES = r"""
- name: Is this declared as it should be, and whose password would a run make?
  smarthost.spamexperts.apply:
    phase: begin
    path: ./credentials.yml
    domains:
      - domain: example.net
        senders:
          - username: alice
          - username: info
            shared: true
  check_mode: true
  register: begun
"""

RETURN = r"""
run:
  description: What the next phase needs. No password. After V(finish) its C(report).
  returned: always
  type: dict
  sample:
    report:
      status: clean
      changes: []
      drift: []
      failures: []
      unknown: []
      to_do: []
      summary: ["As declared before this run: 9000 of 9000 senders in 300 domains, and 10 of 10 mail servers."]
calls:
  description: What the phase has asked, and what was answered, call by call. No password.
  returned: always
  type: list
  elements: dict
  sample:
    - module: outgoing_users
      why: ensure the senders of example.com
      changed: true
"""

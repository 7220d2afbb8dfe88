#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action rotation, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rotation
short_description: The controller's half of the playbook rotate_credentials
version_added: 1.0.0
description:
  - Does one phase of a rotation of credentials on the controller. It asks the vendor and the smarthost, and remembers
    in the credential store what they take.
  - It is made for the playbook C(smarthost.spamexperts.rotate_credentials), which does on the mail servers what belongs
    between the phases. Nothing else has to call it.
  - The vendor and the smarthost are asked by M(smarthost.spamexperts.api_info),
    M(smarthost.spamexperts.outgoing_user_info), M(smarthost.spamexperts.outgoing_users) and
    M(smarthost.spamexperts.smtp_login_info).
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes
  - smarthost.spamexperts._smarthost.ASKED
options:
  phase:
    description:
      - V(begin) checks O(rotation), keeps the store for this run, and sees what the API offers.
      - V(plan) works out what is rotated, and where.
      - V(prepare) sees that nothing speaks against it, and puts the next passwords into the store.
      - V(switch) has the vendor take them.
      - V(decide) decides about each login, and has the vendor take the old passwords of those that failed.
      - V(finish) removes the logins that nobody uses, lets the store forget what is over, and reports.
      - Whatever a phase ends with, a failure lets other runs have the store, as does V(finish).
    type: str
    required: true
    choices: [begin, plan, prepare, switch, decide, finish]
  path:
    description: The credential store.
    type: path
    required: true
  rotation:
    description: What the variable C(spamexperts_rotation) describes. V(begin) says what is wrong with it.
    type: raw
  accounts:
    description: The names in C(spamexperts_accounts), for V(begin).
    type: list
    elements: str
    default: []
  account:
    description: How to reach the API, as options of the modules for it. Empty where environment variables say it.
    type: dict
    default: {}
  run:
    description: RV(run) of the phase before.
    type: dict
    default: {}
  uses:
    description: The logins in the variables of each mail server, or V(false) where they cannot be read; for V(plan).
    type: dict
    default: {}
  senders:
    description: Pairs of a login and the senders that mail servers use it for; for V(plan).
    type: list
    elements: list
    default: []
  hosts:
    description: What became of each mail server of the plan.
    type: dict
    default: {}
  others:
    description: What M(smarthost.spamexperts.postfix_relay_info) has seen on each mail server outside the plan.
    type: dict
    default: {}
  clients:
    description: The logins of Thunderbird on each host, and what became of them; for V(plan) and V(finish).
    type: dict
    default: {}
  described_passwords:
    description:
      - RV(smarthost.spamexperts.declaration#module:described_passwords), for V(plan). Such a login is not rotated.
    type: dict
    default: {}
  proofs:
    description: What a mail server has found out about logins that the controller could not try; for V(finish).
    type: list
    elements: dict
    default: []
  not_handed_over:
    description: The credentials whose passwords another store may not know; for V(finish).
    type: list
    elements: str
    default: []
seealso:
  - module: smarthost.spamexperts.credential_store
notes:
  - The action runs in the controller's own process, because only that has the vault passwords.
"""

EXAMPLES = r"""
- name: Does the store open, and what does the API offer?
  smarthost.spamexperts.rotation:
    phase: begin
    path: ./credentials.yml
    rotation:
      everything: true
    account:
      use_discovered_methods: true
  check_mode: true
  register: begun

- name: What would be rotated?
  smarthost.spamexperts.rotation:
    phase: plan
    path: ./credentials.yml
    rotation:
      everything: true
    run: "{{ begun.run }}"
    uses:
      web1:
        - web1@example.com
  check_mode: true
"""

RETURN = r"""
calls:
  description: What was asked, of whom and why, and what was answered, in this order. Never a password.
  returned: always
  type: list
  elements: dict
  sample:
    - module: outgoing_users
      why: set the next passwords
      changed: true
      users:
        - domain: example.com
          username: web1
          action: updated
          password: set
run:
  description: What the next phase needs, as its option O(run); after V(finish), the report. Never a password.
  returned: always
  type: dict
  sample: {"started": "2026-11-30T02:00:00+00:00", "works": {"change_passwords": true}}
"""

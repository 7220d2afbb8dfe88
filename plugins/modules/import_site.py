#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action import_site, which does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: import_site
short_description: Write down a site that runs already
version_added: 1.0.0
description:
  - Does one phase of C(smarthost.spamexperts.import_site). It reads what an account of the vendor shows, and the logins
    that mail servers, Thunderbirds and the vendor's CSV have; it tries each login at the smarthost once, and writes
    those that work into the credential store, and a description for each domain that has none.
  - Nothing else is changed, at the vendor or on any host. A description that is there stays, and how it differs is
    reported.
  - What is not clear is reported, and never decided, such as two passwords for one login, or a login of a domain that
    the account does not have.
  - A login that a map has for another server than O(smarthost) is not tried; it stays where it is.
  - No password is in the result. Between two phases they are encrypted with a vault password of this run.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes
  - smarthost.spamexperts._smarthost.ASKED
options:
  phase:
    description:
      - V(look_at_mail_server) reads the password maps of a host's Postfix, V(look_at_people) the Thunderbird profiles
        of a host's people. Both need C(no_log=true).
      - V(begin), on the controller, keeps the store for this run, asks the accounts, and tries each login.
      - V(prove) tries, on a host, its logins that the controller could not try. It needs C(no_log=true).
      - V(finish), on the controller, writes the store and then the descriptions, and works out the report.
    type: str
    required: true
    choices: [look_at_mail_server, look_at_people, prove, begin, finish]
  path:
    description: The credential store, see M(smarthost.spamexperts.credential_store).
    type: path
    default: ./credentials.yml
  vault_id:
    description: The vault id of a new store.
    type: str
  describe:
    description: Whether descriptions are written. With V(false), no account is asked, and only the store gets logins.
    type: bool
    default: true
  domains_path:
    description: The folder with the descriptions; see M(smarthost.spamexperts.declaration).
    type: path
    default: ./domains
  domains:
    description: More descriptions that are there already.
    type: raw
    default: []
  defaults:
    description: What lies beneath every description.
    type: raw
    default: {}
  accounts:
    description: How to reach the API; see M(smarthost.spamexperts.apply).
    type: dict
    default: {}
  csv:
    description:
      - A CSV file on the controller whose first line names C(username) and C(domain), and C(password) where it has
        passwords, in any order, or one as the vendor's page for many users takes it.
    type: path
  config_directory:
    description: Configuration directory of the Postfix instance, for hosts with several.
    type: path
  smarthost:
    description:
      - Name of the smarthost, see M(smarthost.spamexperts.smtp_login_info).
      - Where the maps have it under another name, such as that of your provider, give that name.
    type: str
  found:
    description: For V(prove), what the host has, as RV(found).
    type: str
  logins:
    description: For V(prove), the logins to try.
    type: list
    elements: str
    default: []
  refused_logins:
    description: How many logins the smarthost has refused in this run before.
    type: int
    default: 0
  run:
    description: For V(finish), RV(run) of V(begin).
    type: dict
    default: {}
  hosts:
    description: For the controller, what each mail server has returned; nothing for one that was not reached.
    type: dict
    default: {}
  clients:
    description: The same for each computer of people.
    type: dict
    default: {}
  proofs:
    description: For V(finish), what each host has returned that had something to prove.
    type: dict
    default: {}
seealso:
  - module: smarthost.spamexperts.credential_store
  - module: smarthost.spamexperts.declaration
"""

EXAMPLES = r"""
- name: See which logins this mail server has
  smarthost.spamexperts.import_site:
    phase: look_at_mail_server
  no_log: true
  register: found

- name: Show what was not taken
  ansible.builtin.debug:
    msg: "{{ found.unread }}"
"""

RETURN = r"""
found:
  description: The logins of this host with their passwords, encrypted with a vault password of this run.
  returned: when the host was read
  type: str
  sample: "$ANSIBLE_VAULT;1.1;AES256 ..."
unread:
  description: Maps that could not be read, such as those of a database, and logins that are for other servers.
  returned: for a phase on a host that looks
  type: list
  elements: str
  sample: [a map of type mysql]
problem:
  description: Why the host could not be read; empty where it could.
  returned: for a phase on a host that looks
  type: str
  sample: ""
proofs:
  description: What each login has shown.
  returned: for V(prove)
  type: dict
  sample: {"web1@example.com": {"accepted": true, "reason": ""}}
refused_logins:
  description: How many logins the smarthost has refused in this run by then.
  returned: for V(prove)
  type: int
  sample: 0
calls:
  description: What was asked and answered, without secrets.
  returned: for a phase on the controller
  type: list
  elements: dict
  sample: [{"module": "api_info", "why": "see what the API offers with the account default", "changed": false}]
run:
  description: What the next phase needs; after V(finish), its C(report). Never a password.
  returned: for a phase on the controller
  type: dict
  sample:
    report:
      failures: []
      credentials: [{"login": "web1@example.com", "action": "created", "reason": ""}]
      files: [{"domain": "example.com", "path": "domains/example.com.yml", "action": "created", "notes": []}]
      unread: ["mail1: a map of type mysql"]
      unknown: []
      summary: ["New in the store, proven: 1 login; there before: 0."]
"""

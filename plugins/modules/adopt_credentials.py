#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action adopt_credentials, which does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: adopt_credentials
short_description: Take logins that are in use into the credential store
version_added: 1.0.0
description:
  - Reads the logins of a mail server that runs already from the password maps of its Postfix, or from the vendor's CSV,
    tries each at the smarthost from that very host, and writes those that work into the credential store.
  - A login that a map has for another server than O(smarthost) is not tried; it stays where it is.
  - It changes nothing else. A login that is in the store with another password is left alone and reported.
  - No password is in the result.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes
attributes:
  diff_mode:
    description: Has no diff to show in C(diff_mode); RV(credentials) says what was taken.
    support: none
options:
  path:
    description: The credential store, see M(smarthost.spamexperts.credential_store).
    type: path
    required: true
  vault_id:
    description: The vault id of a new store.
    type: str
  csv:
    description:
      - A CSV file on the controller whose first line names C(username), C(domain) and C(password).
      - Without it, the maps of the host's Postfix are read.
    type: path
  config_directory:
    description: Configuration directory of the Postfix instance, for hosts with several.
    type: path
  smarthost:
    description:
      - Name of the smarthost, see M(smarthost.spamexperts.smtp_login_info).
      - Where the maps have it under another name, such as that of your provider, give that name.
    type: str
  smarthost_port:
    description: Its port.
    type: int
  smarthost_tls:
    description: How TLS begins there, where the port does not say it; as in M(smarthost.spamexperts.smtp_login_info).
    type: str
    choices: [starttls, implicit]
  smarthost_ca_path:
    description: File on the host with the authorities that may have signed its certificate.
    type: path
seealso:
  - module: smarthost.spamexperts.credential_store
notes:
  - The task needs C(no_log=true), because Ansible shows what it reads from a host with C(-vvv).
"""

EXAMPLES = r"""
- name: Take the logins of this mail server into the store
  smarthost.spamexperts.adopt_credentials:
    path: ./credentials.yml
  no_log: true
  register: adopted

- name: Show what became of them
  ansible.builtin.debug:
    msg: "{{ adopted.credentials }}"
"""

RETURN = r"""
credentials:
  description: What was found. Never a password.
  returned: success
  type: list
  elements: dict
  sample:
    - login: web1@example.com
      action: created
      reason: ""
  contains:
    login:
      description: The login, which is the name of its credential too.
      type: str
      returned: always
      sample: web1@example.com
    action:
      description:
        - V(created) if it works and is in the store now, V(unchanged) if it was there before.
        - V(refused) if the smarthost does not take it, or it is too weak, V(unproven) if the smarthost could not be
          asked, V(conflict) if it works but the store has another password.
      type: str
      returned: always
      sample: created
    reason:
      description: Why it was not taken into the store.
      type: str
      returned: always
      sample: ""
unread:
  description: Maps that could not be read, such as those of a database, and logins that are for other servers.
  returned: success
  type: list
  elements: str
  sample: [a map of type mysql]
"""

#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action declaration, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: declaration
short_description: Read and check the descriptions of all domains
version_added: 1.0.0
description:
  - Reads the files of a folder, one for each domain, and descriptions from a variable, as one set. What a description
    may hold is in the guide L(Descriptions,https://github.com/smarthost/spamexperts/blob/main/docs/descriptions.md).
  - Says everything that is wrong at once, with file, line and key.
  - Works out as what each mail server sends. Mail of a domain goes out with the login that this domain names for the
    server, everything else with the server's default login. Where that is not clear, it fails and says how to name it.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes.INFO
options:
  path:
    description:
      - The folder with the files, each C(*.yml) or C(*.yaml). They are data, so templates and C(!vault) are refused.
      - A path that does not begin with V(/) or V(~) starts in the folder from which the run is started.
      - It need not be there if O(domains) describes one.
    type: path
    default: ./domains
  required:
    description: Whether it is an error when nothing is described at all.
    type: bool
    default: true
  domains:
    description:
      - More descriptions, as a list of dictionaries. As these come from variables, they may have templates.
      - Values are taken as they are written. The text V(no) is not V(false), and a name is no list.
    type: raw
    default: []
  defaults:
    description:
      - What lies beneath every description, a dictionary with V(account), V(abuse_contact), V(destinations),
        V(shared_limits), V(spf_include) and V(check_spf), and beneath every sender with V(limits), V(automatic_lock),
        V(lock_timeout), V(maximum_unlocks), V(settings) and V(update_password).
    type: raw
    default: {}
  accounts:
    description: Names of the accounts that a description may name. If not given, it may name any.
    type: list
    elements: str
  mail_servers:
    description: The hosts that are mail servers. The default is the group C(mail_relays) of the inventory.
    type: list
    elements: str
seealso:
  - module: smarthost.spamexperts.outgoing_users
  - module: smarthost.spamexperts.postfix_relay
notes:
  - The action runs in the controller's own process, where the files and the inventory are. It needs no connection.
"""

EXAMPLES = r"""
- name: Is everything described as it should be?
  smarthost.spamexperts.declaration:
    path: ./domains
  register: declaration

- name: As what does each mail server send?
  ansible.builtin.debug:
    var: declaration.mail_servers

- name: Descriptions from a variable, with common limits
  smarthost.spamexperts.declaration:
    defaults:
      abuse_contact: abuse@provider.example
      limits:
        per_hour: 200
    domains:
      - domain: example.net
        senders:
          - username: alice
          - username: info
            shared: true
"""

RETURN = r"""
domains:
  description: The domains in the order of their names.
  returned: success
  type: list
  elements: dict
  sample:
    - domain: example.com
      place: domains/example.com.yml
      account: default
      senders:
        - username: server1
          authentication_method: user
          login: server1@example.com
          state: present
  contains:
    domain:
      description: The domain, in its C(xn--) form where it has other letters.
      type: str
      returned: always
      sample: example.com
    place:
      description: Where it is described.
      type: str
      returned: always
      sample: domains/example.com.yml
    account:
      description: The account that it belongs to.
      type: str
      returned: always
      sample: default
    senders:
      description: Who may send, in the order of the description. Never a password.
      type: list
      elements: dict
      returned: always
      sample:
        - username: server1
          authentication_method: user
          login: server1@example.com
          state: present
      contains:
        username:
          description: The local part, empty for a domain user, the address or network for an IP user.
          type: str
          returned: always
          sample: server1
        authentication_method:
          description: One of V(user), V(domain) and V(ip).
          type: str
          returned: always
          sample: user
        login:
          description: The name to log in with. Empty for an IP user.
          type: str
          returned: always
          sample: server1@example.com
        state:
          description: One of V(present), V(absent) and V(locked).
          type: str
          returned: always
          sample: present
mail_servers:
  description:
    - As what each mail server sends, by its name in the inventory. One that nothing is said of is left out.
    - Each C(secret) says where a password is, for the lookup P(smarthost.spamexperts.declared_logins#lookup).
  returned: success
  type: dict
  sample:
    mail1:
      authentication: login
      login: server1@example.com
      secret:
        credential: server1@example.com
      logins:
        - login: server1@example.net
          senders: ["@example.net"]
          secret:
            credential: server1@example.net
clients:
  description: Whose Thunderbird sends as whom, by the computer's name in the inventory.
  returned: success
  type: dict
  sample:
    desk1:
      - user: alice
        login: alice@example.com
        identities: [alice@example.com]
        secret:
          credential: alice@example.com
described_passwords:
  description: Where the password of a login stands that a description gives, itself or as a file.
  returned: success
  type: dict
  sample:
    scanner@example.com: "domains/example.com.yml, line 9: senders[3]"
problems:
  description: Everything that is wrong, one sentence each, with file, line and key.
  returned: failure
  type: list
  elements: str
  sample:
    - "domains/example.com.yml, line 7: senders[1].limits.per_hour has to be a whole number, without quotes."
"""

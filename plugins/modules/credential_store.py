#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action credential_store, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: credential_store
short_description: Keep logins and passwords in a file encrypted by ansible-vault
version_added: 1.0.0
description:
  - Keeps the credentials of outgoing users in one file on the controller, encrypted by ansible-vault with the vault
    password of this run. C(ansible-vault view) and C(ansible-vault edit) work with it. The text inside is JSON with a
    line for each credential. A store in YAML, or one that a person has edited as YAML, is read as well, and becomes
    JSON with its next change.
  - Each credential has a name, a login and a password, and, while a rotation is under way, the next login and password.
  - Passwords come from the system's random number generator and never leave the file this way. The lookup
    P(smarthost.spamexperts.credential#lookup) reads them where they are needed.
  - The file is replaced as a whole, so a kill or a full disk at any moment leaves the old one as it was. It keeps its
    vault id, mode and owner. Check mode takes the space that it needs for a moment, so it says where it has none.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes
options:
  path:
    description: The file. Its folder must be there.
    type: path
    required: true
  state:
    description:
      - V(present) has the credentials; a missing one is created, with a new password unless one is given.
      - V(staged) gives each a next password. One that is there already is kept, as the vendor may know it.
      - V(switched) remembers that the vendor takes the next login and password, so that the lookup gives them.
      - V(reverted) remembers that the vendor takes the login and password from before again, so that the lookup gives
        those; the next ones are kept until V(rolled_back).
      - V(committed) lets the next login and password be the current ones. The store keeps the old ones until it is
        committed again, as C(former_login) and C(former); nobody uses them.
      - V(rolled_back) forgets the next login and password.
      - V(absent) forgets the credentials.
    type: str
    choices: [present, staged, switched, reverted, committed, rolled_back, absent]
    default: present
  names:
    description: Names of credentials of which nothing else has to be said, in addition to O(credentials).
    type: list
    elements: str
    default: []
  credentials:
    description: The credentials. Without any, nothing is changed, and the result lists all that there are.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name by which the credential is looked up. Usually the login; it stays when the login changes.
        type: str
        required: true
      login:
        description: The login, if it is not the name. Only with O(state=present).
        type: str
      password:
        description: The password of a new credential. Only with O(state=present).
        type: str
      next_login:
        description:
          - The login that the next password belongs to, for a rotation between two logins. By default the login stays.
          - Only with O(state=staged).
        type: str
      locked:
        description:
          - Whether the rotation is going to lock the login at the vendor, so that it must be unlocked before the end.
          - The store only remembers it. Only with O(state=staged).
        type: bool
      leaked:
        description:
          - Whether strangers know the present password, so that O(state=reverted) and O(state=rolled_back) refuse it.
          - The store remembers it until the rotation has ended. Only with O(state=staged).
        type: bool
  update_password:
    description:
      - With V(always), a given password replaces another one in the store.
      - It tells nobody else, so the vendor and the mail servers must know it already.
    type: str
    choices: [on_create, always]
    default: on_create
  password_length:
    description: How many characters a new password has, from 12 to 256.
    type: int
    default: 32
  password_alphabet:
    description:
      - The characters of new passwords. The default survives the path of a URL, Postfix maps, Thunderbird and shells.
    type: str
    default: abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.
  vault_id:
    description:
      - The vault id of a new file. Needed where the run has several and C(ansible.cfg) names none for encryption.
    type: str
  hold:
    description:
      - With V(true), no other run can change the store until this one has ended.
      - After a kill, runs on the same machine can change it again at once. On another machine the file that the message
        names has to be removed first.
      - With V(false), other runs may change it again.
    type: bool
seealso:
  - plugin: smarthost.spamexperts.credential
    plugin_type: lookup
notes:
  - The action runs in the controller's own process, because only that has the vault passwords. It needs no connection.
  - A run that changes the store creates a file beside it, named like it with a dot before and C(.lock) after.
"""

EXAMPLES = r"""
- name: A password for each mail server
  smarthost.spamexperts.credential_store:
    path: ./credentials.yml
    names:
      - web1@example.com
      - web2@example.com

- name: Keep a password that is in use already
  smarthost.spamexperts.credential_store:
    path: ./credentials.yml
    credentials:
      - name: scanner@example.com
        password: "{{ scanner_password }}"

- name: What is in the store, and what is in the middle of a rotation
  smarthost.spamexperts.credential_store:
    path: ./credentials.yml
  register: store
"""

RETURN = r"""
credentials:
  description: The credentials that O(credentials) and O(names) name, or all. Never a password.
  returned: success
  type: list
  elements: dict
  sample:
    - name: web1@example.com
      login: web1@example.com
      rotating: false
      action: created
  contains:
    name:
      description: The name.
      type: str
      returned: always
      sample: web1@example.com
    login:
      description: The login that the smarthost accepts now.
      type: str
      returned: when the credential is in the store
      sample: web1@example.com
    rotating:
      description: Whether there is a next password, so that a rotation is under way.
      type: bool
      returned: when the credential is in the store
      sample: false
    next_login:
      description: The login that the next password belongs to.
      type: str
      returned: when a rotation is under way
      sample: web1@example.com
    switched:
      description: Whether the vendor takes the next login and password already.
      type: bool
      returned: when a rotation is under way
      sample: false
    locked:
      description: Whether the rotation has locked the login at the vendor, or was about to.
      type: bool
      returned: when a rotation is under way
      sample: false
    leaked:
      description: Whether strangers know the present password.
      type: bool
      returned: when a rotation is under way
      sample: false
    action:
      description:
        - What was done, or would be done in check mode. One of V(created), V(updated), V(staged), V(switched),
          V(reverted), V(committed), V(rolled_back), V(removed) and V(unchanged).
      type: str
      returned: always
      sample: created
vault_id:
  description: The vault id with which the file is encrypted.
  returned: success
  type: str
  sample: default
"""

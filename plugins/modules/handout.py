#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action handout, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: handout
short_description: Write a page for each person, with what to enter in Thunderbird
version_added: 1.0.0
description:
  - Writes an HTML page for each address that the descriptions name, with server, port, connection security,
    authentication method and user name as Thunderbird calls them. It prints on one sheet.
  - Senders of authentication method V(user) that may send have one. Logins of mail servers have none, unless the
    description says with C(people) who uses them as well.
  - Each page is written whole or not at all, and can be read by its owner only. A link is never followed.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._described
  - smarthost.spamexperts._attributes
  - smarthost.spamexperts._smarthost
attributes:
  diff_mode:
    description: Has no diff to show in C(diff_mode), as a page may have a password on it; RV(pages) says what was done.
    support: none
options:
  folder:
    description:
      - Where the pages go, on the controller. It is made with mode 0700 where it is missing.
      - A folder that is a link, belongs to somebody else or is open to others is refused.
    type: path
    default: ./handout
  language:
    description: The language of the pages.
    type: str
    choices: [en, de]
    default: en
  logins:
    description: Only the pages of these logins, such as V(alice@example.com). The default is everybody.
    type: list
    elements: str
  passwords:
    description:
      - Whether the password is on the page.
      - It is the one that the description gives, and otherwise the one of the credential store.
    type: bool
    default: false
  store:
    description: The file of the credential store; see M(smarthost.spamexperts.credential_store).
    type: path
    default: ./credentials.yml
seealso:
  - module: smarthost.spamexperts.declaration
  - module: smarthost.spamexperts.thunderbird_outgoing_server
notes:
  - The action runs in the controller's own process, where the files and the vault passwords are.
  - Remove the pages when they have been handed out, above all those with a password.
"""

EXAMPLES = r"""
- name: For everybody, without a password
  smarthost.spamexperts.handout:
    folder: ./handout

- name: For a new colleague, with her password
  smarthost.spamexperts.handout:
    folder: ./handout
    language: de
    logins:
      - alice@example.com
    passwords: true
    store: ./credentials.yml
"""

RETURN = r"""
pages:
  description: The pages, in the order of the descriptions.
  returned: success
  type: list
  elements: dict
  sample:
    - login: alice@example.com
      path: handout/alice@example.com.html
      action: created
  contains:
    login:
      description: Whose page it is.
      type: str
      returned: always
      sample: alice@example.com
    path:
      description: The file.
      type: str
      returned: always
      sample: handout/alice@example.com.html
    action:
      description: What was done, or would be done in check mode. One of V(created), V(updated) and V(unchanged).
      type: str
      returned: always
      sample: created
others:
  description:
    - Pages in the folder of nobody who is described. Nothing removes them, and a warning names them.
    - Empty with O(logins).
  returned: success
  type: list
  elements: str
  sample: [bob@example.com.html]
"""

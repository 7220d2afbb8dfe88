#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action thunderbird_autoconfig, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: thunderbird_autoconfig
short_description: Write the files by which Thunderbirds that Ansible does not reach send through the smarthost
version_added: 1.0.0
description:
  - Writes C(thunderbird.cfg), and C(autoconfig.js) that tells Thunderbird to read it, the same for Linux, Windows and
    macOS. How they get onto computers is up to whoever manages these.
  - At each start of Thunderbird, each identity whose address is one of the logins has an outgoing server of its own
    with that login. No password is in the files; Thunderbird asks the person for it once.
  - All other servers, their passwords, the default server and all other identities stay as they are. A second start
    changes nothing.
  - C(thunderbird-take-back.cfg), in the place of C(thunderbird.cfg), takes all of it back at the next start.
  - Senders of authentication method V(user) that may send are in the files. Logins of mail servers are not, unless the
    description says with C(people) who uses them as well.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._described
  - smarthost.spamexperts._attributes
  - smarthost.spamexperts._smarthost
attributes:
  diff_mode:
    description: Has no diff to show in C(diff_mode); RV(files) says what was done.
    support: none
options:
  folder:
    description:
      - Where the files go, on the controller. It is made with mode 0700 where it is missing.
      - A folder that is a link, belongs to somebody else or is open to others is refused.
      - A file of one of the three names that this module did not make is never replaced.
    type: path
    default: ./thunderbird
  only:
    description:
      - Whose logins are in the files, as a dictionary with C(domains), C(logins) or both. The default is everybody.
      - Whoever uses a computer can read its files, so give each customer files of their own.
    type: raw
    default: {}
seealso:
  - module: smarthost.spamexperts.declaration
  - module: smarthost.spamexperts.handout
  - module: smarthost.spamexperts.thunderbird_outgoing_server
notes:
  - The action runs in the controller's own process, where the files are.
"""

EXAMPLES = r"""
- name: For everybody who is described
  smarthost.spamexperts.thunderbird_autoconfig:
    folder: ./thunderbird

- name: For the computers of one customer
  smarthost.spamexperts.thunderbird_autoconfig:
    folder: ./thunderbird-example.com
    only:
      domains:
        - example.com
"""

RETURN = r"""
files:
  description: The three files.
  returned: success
  type: list
  elements: dict
  sample:
    - path: thunderbird/thunderbird.cfg
      action: created
  contains:
    path:
      description: The file.
      type: str
      returned: always
      sample: thunderbird/thunderbird.cfg
    action:
      description: What was done, or would be done in check mode. One of V(created), V(updated) and V(unchanged).
      type: str
      returned: always
      sample: created
logins:
  description: The logins that are in them, in the order of the descriptions.
  returned: success
  type: list
  elements: str
  sample: [alice@example.com]
"""

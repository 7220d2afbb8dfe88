#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action new_store, which does the work on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: new_store
short_description: Make a vault password file and an empty credential store
version_added: 1.0.0
description:
  - Makes a file with a random vault password, and a credential store without credentials that it opens.
  - It needs no vault password of this run, and replaces nothing. Where both files are there and belong together,
    nothing is done; where only one is there, it fails.
  - Back up both. The store without its vault password is lost, and so is the vault password without the store.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes
attributes:
  diff_mode:
    description: Has nothing to show in C(diff_mode) but secrets.
    support: none
options:
  path:
    description: The credential store, see M(smarthost.spamexperts.credential_store).
    type: path
    required: true
  vault_password_file:
    description:
      - The file for the vault password, with mode 0600.
      - Best outside of the folder of the store, so that a copy of that folder alone opens nothing.
    type: path
    required: true
seealso:
  - module: smarthost.spamexperts.credential_store
notes:
  - The action runs in the controller's own process. It needs no connection.
"""

EXAMPLES = r"""
- name: Make the vault password and the store
  smarthost.spamexperts.new_store:
    path: ./new-credentials.yml
    vault_password_file: ~/.spamexperts-vault-password
"""

RETURN = r"""
path:
  description: The store.
  returned: success
  type: str
  sample: /home/alice/site/credentials.yml
vault_password_file:
  description: The file with its vault password.
  returned: success
  type: str
  sample: /home/alice/.spamexperts-vault-password
"""

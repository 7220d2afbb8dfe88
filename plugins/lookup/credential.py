# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a login or password from the credential store."""

from __future__ import annotations

DOCUMENTATION = r"""
name: credential
short_description: A login or password from the credential store
version_added: 1.0.0
description:
  - Reads the store that M(smarthost.spamexperts.credential_store) writes, with the vault passwords of this run.
  - The value exists only where it is used, in the options of a task. It is in no result and in no fact, so nothing has
    to be hidden, and no file has to be decrypted beforehand.
  - During a rotation the store knows from which moment on the vendor takes the next password, and the lookup gives that
    one from then on. The variables of the mail servers stay as they are.
author:
  - smarthost.spamexperts maintainers (@smarthost)
options:
  _terms:
    description: Names of credentials.
    type: list
    elements: str
    required: true
  store:
    description: The file. A path that does not begin with V(/) or V(~) starts in the folder of the run.
    type: str
    default: ./credentials.yml
    vars:
      - name: spamexperts_credential_store
    env:
      - name: SPAMEXPERTS_CREDENTIAL_STORE
  part:
    description: What to return of each credential.
    type: str
    choices: [password, login]
    default: password
  use:
    description:
      - Which login and password to return. V(in_use) is the one that the vendor takes, as far as the store knows.
      - V(next) is for the rotation itself. It is an error where there is none.
      - V(newest) is V(next) where there is one, and otherwise V(in_use). The rotation sets it as a variable, so that
        the lookups in the variables of a mail server give what will soon be in use.
    type: str
    choices: [in_use, current, next, newest]
    default: in_use
    vars:
      - name: spamexperts_credential_use
seealso:
  - module: smarthost.spamexperts.credential_store
notes:
  - A credential that does not exist is an error.
"""

EXAMPLES = r"""
# In the variables of a mail server
outgoing_mail_login: "{{ lookup('smarthost.spamexperts.credential', 'web1@example.com', part='login') }}"
outgoing_mail_password: "{{ lookup('smarthost.spamexperts.credential', 'web1@example.com') }}"
"""

RETURN = r"""
_value:
  description: One login or password for each name.
  type: list
  elements: str
"""

from typing import Any, Optional

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils._credentials import Credential
from ..plugin_utils._secrets import register_secret
from ..plugin_utils._store import Store, StoreError


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible-core ships no types
    """The lookup."""

    def run(self, terms: list[Any], variables: Optional[dict[str, Any]] = None, **kwargs: Any) -> list[str]:
        """Return one text for each name."""
        self.set_options(var_options=variables, direct=kwargs)
        # A variable comes as it stands in its file.
        path = self._templar.template(self.get_option("store"))
        try:
            found = Store(str(path), self._loader).find(map(str, terms))
        except StoreError as problem:
            raise AnsibleLookupError(str(problem)) from None
        register_secret(*(text for entry in found for text in (entry.current, entry.next)))
        part = 0 if self.get_option("part") == "login" else 1
        return [self._pair(entry)[part] for entry in found]

    def _pair(self, entry: Credential) -> tuple[str, str]:
        use = self.get_option("use")
        if use == "in_use" or (use == "newest" and not entry.rotating):
            return entry.in_use
        if use == "current":
            return entry.login, entry.current
        if not entry.rotating:
            raise AnsibleLookupError(f"The credential {entry.name} has no next password; stage one first.")
        return entry.next_login, entry.next

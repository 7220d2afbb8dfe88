# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a login or password from the credential store."""

from __future__ import annotations

from typing import Any, Optional

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.smarthost.spamexperts.plugins.module_utils._outgoing_user import InputError
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._credentials import Credentials
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._secrets import register_secret
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._store import Store, StoreError

DOCUMENTATION = r"""
name: credential
short_description: A login or password from the credential store
version_added: 1.0.0
description:
  - Reads the store that M(smarthost.spamexperts.credential_store#module) writes, with the vault passwords of this run.
  - The value exists only where it is used, in the options of a task. It is in no result and in no fact, so nothing has
    to be hidden, and no file has to be decrypted beforehand.
  - During a rotation the playbook C(smarthost.spamexperts.rotate_credentials) names the credentials of which the next
    password is used already. The variables of the mail servers stay as they are.
author:
  - smarthost.spamexperts maintainers (@smarthost)
options:
  _terms:
    description: Names of credentials.
    type: list
    elements: str
    required: true
  store:
    description: The file. Required, here, as the variable or in the environment.
    type: str
    vars:
      - name: spamexperts_credential_store
    env:
      - name: SPAMEXPERTS_CREDENTIAL_STORE
  part:
    description: What to return of each credential.
    type: str
    choices: [password, login]
    default: password
  next:
    description:
      - Names of the credentials of which the next login and password are returned, as long as there are such.
      - The current ones are returned for all others.
    type: list
    elements: str
    default: []
    vars:
      - name: spamexperts_credentials_next
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

#: What this process has read already: decrypting takes long, and a host may use many credentials.
_READ: dict[tuple[str, int, int, int], Credentials] = {}


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible-core ships no types
    """The lookup."""

    def run(self, terms: list[Any], variables: Optional[dict[str, Any]] = None, **kwargs: Any) -> list[str]:
        """Return one text for each name."""
        self.set_options(var_options=variables, direct=kwargs)
        path = self._option("store")
        if not path:
            raise AnsibleLookupError(
                "The credential store is not named; set the variable spamexperts_credential_store to its path."
            )
        following = self._option("next")
        try:
            credentials = self._read(str(path))
            found = [credentials.get(str(name)) for name in terms]
        except StoreError as problem:
            raise AnsibleLookupError(str(problem)) from None
        except InputError as problem:
            raise AnsibleLookupError(f"Credential store {path}: {problem}.") from None
        register_secret(*(text for entry in found for text in (entry.current, entry.next)))
        parts = [
            (entry.next_login, entry.next)
            if entry.rotating and entry.name in following
            else (entry.login, entry.current)
            for entry in found
        ]
        return [login if self.get_option("part") == "login" else password for login, password in parts]

    def _option(self, name: str) -> Any:
        """An option whose variable may be a template: ansible-core hands it over as it stands in its file."""
        value = self.get_option(name)
        if isinstance(value, list):
            parts = [self._templar.template(item) for item in value]
            return [item for part in parts for item in (part if isinstance(part, list) else [part])]
        return self._templar.template(value)

    def _read(self, path: str) -> Credentials:
        store = Store(path, self._loader)
        try:
            status = store.path.stat()
        except OSError:
            return store.read()  # says what is wrong
        key = (str(store.path), status.st_ino, status.st_mtime_ns, status.st_size)
        if key not in _READ:
            _READ.clear()
            _READ[key] = store.read()
        return _READ[key]

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put passwords beside the declared logins, from wherever a description says that they are."""

from __future__ import annotations

DOCUMENTATION = r"""
name: declared_logins
short_description: Declared logins with their passwords
version_added: 1.0.0
description:
  - Gives each entry with its C(password), which is in the credential store unless a description names it, or its file.
  - The playbook C(apply) uses it for mail servers and for people's Thunderbird, with what its own action says of each
    login. The store is opened once for all entries.
  - The passwords exist only where they are used, in the options of a task. They are in no result and in no fact that a
    cache keeps.
author:
  - smarthost.spamexperts maintainers (@smarthost)
options:
  _terms:
    description:
      - Entries, each a dictionary, for which this puts C(password) in the place of C(secret), and C(primary_password)
        in the place of C(primary).
      - A C(secret) with C(credential) names a credential of the store, which gives the C(login) as well, as a rotation
        may have given it another one. A C(secret) with C(place) names a file, or
        V(spamexperts_domains[0]), and the position of its C(sender); with C(person) the position in the sender's
        C(people) as well. An empty one gives no password.
    type: list
    elements: dict
    required: true
  store:
    description: The credential store.
    type: str
    default: ./credentials.yml
    vars:
      - name: spamexperts_credential_store
    env:
      - name: SPAMEXPERTS_CREDENTIAL_STORE
  use:
    description:
      - Which login and password of a credential to return; see P(smarthost.spamexperts.credential#lookup).
    type: str
    choices: [in_use, newest]
    default: in_use
    vars:
      - name: spamexperts_credential_use
  domains:
    description: The descriptions of the variable.
    type: raw
    default: []
    vars:
      - name: spamexperts_domains
seealso:
  - plugin: smarthost.spamexperts.credential
    plugin_type: lookup
notes:
  - In check mode, a password that only a real run makes is V(made-by-the-real-run).
"""

EXAMPLES = r"""
outgoing_mail_logins: >-
  {{ query('smarthost.spamexperts.declared_logins',
           {'login': 'web1@example.com', 'senders': ['@example.com'], 'secret': {'credential': 'web1@example.com'}}) }}
"""

RETURN = r"""
_value:
  description: The entries with their passwords, in the same order.
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from yaml import YAMLError

from ..module_utils._passwords import PasswordFileError, read_or_generate
from ..module_utils._plain import plain
from ..module_utils._users.plan import ON_MISMATCH
from ..module_utils._users.user import parse_wanted
from ..plugin_utils._domain_files import read_file
from ..plugin_utils._secrets import register_secret
from ..plugin_utils._store import Store, StoreError

#: Stands for a password that only the real run makes; nothing is written in check mode.
PREDICTED = "made-by-the-real-run"
#: Where a password is; these are in no entry that is returned.
_PARTS = ("secret", "primary")


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible-core ships no types
    """The lookup."""

    def run(self, terms: list[Any], variables: Optional[dict[str, Any]] = None, **kwargs: Any) -> list[dict[str, Any]]:
        """Return the entries."""
        self.set_options(var_options=variables, direct=kwargs)
        self._check_mode = bool((variables or {}).get("ansible_check_mode"))
        entries = [dict(plain(term)) for term in terms]
        secrets = [entry["secret"] for entry in entries if entry.get("secret")]
        try:
            self._known = self._stored([secret["credential"] for secret in secrets if "credential" in secret])
            found = [self._entry(entry) for entry in entries]
        except (StoreError, PasswordFileError) as problem:
            raise AnsibleLookupError(str(problem)) from None
        passwords = [entry.get(name) for entry in found for name in ("password", "primary_password")]
        register_secret(*(text for text in passwords if text and text != PREDICTED))
        return found

    def _entry(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: value for name, value in entry.items() if name not in _PARTS}
        secret, primary = entry.get("secret"), entry.get("primary")
        if secret and "credential" in secret:
            found["login"], found["password"] = self._known.get(secret["credential"], (entry["login"], PREDICTED))
        elif secret:
            found["password"] = self._described(secret)
        return {**found, **({"primary_password": self._described(primary)} if primary else {})}

    def _stored(self, names: Sequence[str]) -> dict[str, tuple[str, str]]:
        """The login and password of each credential. In check mode, one may only be made by the real run."""
        if not names:
            return {}
        # A variable comes as it stands in its file.
        store = Store(str(self._templar.template(self.get_option("store"))), self._loader)
        if self._check_mode and not store.path.exists():
            return {}
        known = store.read().entries if self._check_mode else {}
        found = [known[name] for name in names if name in known] if self._check_mode else store.find(names)
        newest = self.get_option("use") == "newest"
        return {
            entry.name: (entry.next_login, entry.next) if newest and entry.rotating else entry.in_use for entry in found
        }

    def _described(self, place: Mapping[str, Any]) -> str:
        part = self._part(place)
        for name in ("primary_password", "password"):
            if part.get(name) is not None:
                return str(part[name])
        password, is_new = read_or_generate(part["password_file"], write=False)
        return PREDICTED if is_new and self._check_mode else password

    def _part(self, place: Mapping[str, Any]) -> Mapping[str, Any]:
        """The sender, or one of its people, as described. Nobody gets the password of who has come into its place."""
        number = str(place["place"]).removeprefix("spamexperts_domains[").removesuffix("]")
        with suppress(LookupError, TypeError, AttributeError, ValueError, YAMLError):
            if number != place["place"]:
                content: Any = plain(self._templar.template(self.get_option("domains")))[int(number)]
            else:
                content = read_file(Path(place["place"])).content
            sender = content["senders"][place["sender"]]
            wanted = parse_wanted({**sender, "domain": content["domain"], "state": "present"}, 0, ON_MISMATCH)
            part: dict[str, Any] = sender["people"][place["person"]] if "person" in place else sender
            if wanted.login("domain") == place["login"] and {"primary_password", "password", "password_file"} & set(
                part
            ):
                return part
        raise AnsibleLookupError(
            f"{place['place']} was changed while this run was under way: senders[{place['sender']}] is not "
            f"{place['login']} with a password any more; run again."
        )

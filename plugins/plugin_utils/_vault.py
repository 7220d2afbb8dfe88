# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files encrypted by ansible-vault: the only place that touches ansible-core's vault, whose API is private.

Used from 2.16 to 2.22: the loader's `_vault` and its `secrets`, `encrypt(plaintext, secret, vault_id)`,
`decrypt_and_get_vault_id(vaulttext)` and `match_encrypt_secret(secrets, vault_id)`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from ansible import constants
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret, is_encrypted, match_encrypt_secret

_HOW_TO = "give one with --vault-password-file, --vault-id or --ask-vault-pass"


class VaultError(ValueError):
    """The vault cannot be opened or closed; one sentence without a secret."""


class Key(NamedTuple):
    """The vault id and the secret that encrypt a file."""

    vault_id: str
    secret: Any


class Vault:
    """The vault passwords that this run of Ansible was given."""

    def __init__(self, loader: Any) -> None:
        self._library = loader._vault
        if not self._library.secrets:
            raise VaultError(f"this run has no vault password; {_HOW_TO}")

    @property
    def secrets(self) -> tuple[tuple[str, bytes], ...]:
        """The vault ids and their passwords, to tell one run's from another's."""
        return tuple((str(name), secret.bytes or b"") for name, secret in self._library.secrets)

    def key(self, vault_id: Optional[str]) -> Key:
        """The key for a new file: that of `vault_id`, or of Ansible's own setting, or the only one that there is."""
        secrets = self._library.secrets
        wanted = vault_id or constants.DEFAULT_VAULT_ENCRYPT_IDENTITY
        names = list(dict.fromkeys(name for name, _secret in secrets))
        if wanted and wanted not in names:
            raise VaultError(
                f"this run has no password for the vault id {wanted}, only for {', '.join(names)}; {_HOW_TO}"
            )
        if not wanted and len(names) > 1:
            raise VaultError(f"this run has several vault ids ({', '.join(names)}); choose one with vault_id")
        return Key(*match_encrypt_secret(secrets, wanted or names[0]))

    def decrypt(self, content: bytes) -> tuple[bytes, Key]:
        """The plain text, and the key with which the same file is written again."""
        if not is_encrypted(content):
            raise VaultError("it is not encrypted; encrypt it with ansible-vault encrypt, and change what it holds")
        try:
            plain, _matched, secret = self._library.decrypt_and_get_vault_id(content)
        except AnsibleError:
            # The text of the exception quotes the file; it says no more than this.
            raise VaultError(f"none of this run's vault passwords opens it; {_HOW_TO}") from None
        return bytes(plain), Key(_label(content), secret)

    def encrypt(self, plain: bytes, key: Key) -> bytes:
        """The whole content of the file."""
        return bytes(self._library.encrypt(plain, secret=key.secret, vault_id=key.vault_id))

    def seal(self, plain: bytes) -> str:
        """Something that may pass through variables: only this run, which has the same vault passwords, opens it."""
        _name, secret = self._library.secrets[0]
        return bytes(self._library.encrypt(plain, secret=secret)).decode()


def encrypt_with(password: str, plain: bytes) -> bytes:
    """The whole content of a file that this password opens, whatever vault passwords this run has."""
    return bytes(VaultLib().encrypt(plain, secret=VaultSecret(password.encode())))


def is_opened_by(password: bytes, content: bytes) -> bool:
    """Whether this vault password opens a file with this content."""
    try:
        VaultLib([("", VaultSecret(password))]).decrypt(content)
    except AnsibleError:
        return False
    return True


def _label(content: bytes) -> str:
    """The vault id in the first line, `$ANSIBLE_VAULT;1.2;AES256;label`; version 1.1 has none."""
    fields = content.split(b"\n", 1)[0].strip().split(b";")
    return fields[3].decode("utf-8", "replace") if len(fields) > 3 else str(constants.DEFAULT_VAULT_IDENTITY)

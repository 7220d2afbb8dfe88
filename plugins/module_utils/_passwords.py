# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated passwords, and the files that a user names for them."""

from __future__ import annotations

import os
import re
import secrets
import string
import tempfile
from pathlib import Path

from ._files import sync_folder
from ._names import InputError

#: Characters that survive URL paths, Postfix maps, Thunderbird and shells without quoting.
SAFE_ALPHABET = string.ascii_letters + string.digits + "-_."
DEFAULT_LENGTH = 32
#: A password that nobody guesses, whatever its length and alphabet.
_LEAST_COMBINATIONS = 2**64


class PasswordFileError(ValueError):
    """The file cannot be used; one sentence."""


def generate(length: int = DEFAULT_LENGTH, alphabet: str = SAFE_ALPHABET) -> str:
    """Return a password from the system's CSPRNG, with letters or digits at both ends where the alphabet has some."""
    edges = "".join(character for character in alphabet if character.isalnum()) or alphabet
    middle = "".join(secrets.choice(alphabet) for _number in range(length - 2))
    return secrets.choice(edges) + middle + secrets.choice(edges)


def form_problems(length: int, alphabet: str) -> list[str]:
    """What is wrong with the length and the alphabet of new passwords, one sentence without a full stop each."""
    problems = []
    if any(not character.isprintable() or character.isspace() for character in alphabet) or ":" in alphabet:
        problems.append("password_alphabet holds a blank, a colon or a control character; take them out")
    if length < MINIMUM_PASSWORD_LENGTH or length > 256 or len(set(alphabet)) ** length < _LEAST_COMBINATIONS:
        problems.append(
            f"passwords of {length} characters out of {len(set(alphabet))} are too easy to guess, or too long; "
            f"take {MINIMUM_PASSWORD_LENGTH} to 256 characters, and more different ones"
        )
    return problems


def read_or_generate(path: str, *, write: bool) -> tuple[str, bool]:
    """Give the password in this file; where there is no file, a new one, which is written there first when `write`.

    The second value says whether the password is new, so that no server can know it yet. Raises PasswordFileError.
    """
    file = Path(path).expanduser()
    try:
        return _read(file), False
    except FileNotFoundError:
        password = generate()
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is not UTF-8"
        raise PasswordFileError(f"password_file {path} cannot be read: {reason}; correct it, or name another") from None
    return write_new(path, password) if write else (password, True)


def write_new(path: str, password: str) -> tuple[str, bool]:
    """Write this new password into the file, and return it; the one of another run that was faster, and False.

    The file has mode 0600 and appears complete or not at all. It is on disk when this returns. Raises
    PasswordFileError.
    """
    try:
        return _create(Path(path).expanduser(), password)
    except OSError as problem:
        raise PasswordFileError(
            f"password_file {path} cannot be written: {problem.strerror}; make its folder, or name another file"
        ) from None


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8").rstrip("\r\n")


def _create(file: Path, password: str) -> tuple[str, bool]:
    new = True
    handle, temporary = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(password + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(temporary, file)
        except FileExistsError:
            password, new = _read(file), False
    finally:
        Path(temporary).unlink()
    sync_folder(file.parent)
    return password, new


MINIMUM_PASSWORD_LENGTH = 12
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_password(password: str, login: str) -> None:
    """Refuse a password that some part on its way cannot carry, that is weak, or that masking would spread.

    Postfix maps cut a trailing blank, a newline ends a map line, and ansible-core masks every occurrence of a
    secret in a result, so that a password inside a login would hide the login.
    """
    if len(password) < MINIMUM_PASSWORD_LENGTH:
        raise InputError(f"the password is shorter than {MINIMUM_PASSWORD_LENGTH} characters; take a longer one")
    if _CONTROL.search(password):
        raise InputError("the password contains a newline or another control character; take one without")
    if password != password.strip():
        raise InputError("the password begins or ends with a blank, which mail programs cut off; take one without")
    try:
        password.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError("the password is not valid UTF-8; take another one") from None
    if password.lower() in login.lower():
        raise InputError("the password is a part of the login; take one that nobody can guess")

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a function in a short child process, as the person whose files it touches.

A home directory belongs to somebody who may put links and libraries there: nothing in it is opened with more rights
than that person has. The child is forked, so arguments travel in memory and results over a pipe; neither shows in a
process list or an environment.
"""

from __future__ import annotations

import json
import os
import pwd
import resource
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from .errors import ThunderbirdError, code_of, sentence


class Owner(NamedTuple):
    """Whose rights a child has."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        """The login name, or the number where there is none."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"uid {self.uid}"

    @property
    def home(self) -> Path:
        """The home directory, whatever HOME says in this process; / where there is none."""
        try:
            return Path(pwd.getpwuid(self.uid).pw_dir)
        except KeyError:
            return Path("/")


def person_named(name: str) -> pwd.struct_passwd:
    """The account of this person. Raises ThunderbirdError where there is none."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise ThunderbirdError(f"there is no user {name} on this host", "not_found") from None


def run_as(owner: Owner, function: Callable[[], Any]) -> Any:
    """The result of `function` (anything that JSON can hold), run with exactly the rights of `owner`.

    Raises ThunderbirdError: the one of the function, or because this process may not become `owner`.
    """
    if os.geteuid() not in {0, owner.uid}:
        raise ThunderbirdError(
            f"the files belong to {owner.name} and this task runs as {Owner(os.geteuid(), os.getegid()).name}; "
            f"run it as {owner.name} or as root (become)",
            "no_permission",
        )

    def with_rights() -> Any:
        if os.geteuid() == 0:
            try:
                groups = os.getgrouplist(pwd.getpwuid(owner.uid).pw_name, owner.gid)
            except KeyError:
                groups = [owner.gid]
            os.setgroups(groups)
            os.setgid(owner.gid)
            os.setuid(owner.uid)
        os.umask(0o077)
        return function()

    return run(with_rights)


def run(function: Callable[[], Any], seconds: int = 0) -> Any:
    """The result of `function`, run in a child of its own that is ended after `seconds` (0: never).

    Raises ThunderbirdError: the one of the function, or because the child ended without a result.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _serve(function, writing, seconds)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _pid, status = os.waitpid(child, 0)
    reason = ""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        reason = f"did not finish in {seconds} s" if number == signal.SIGALRM else f"was ended by signal {number}"
    elif not answer:
        reason = "ended without a result"
    if reason:
        raise ThunderbirdError(f"the process that works on the profile {reason}; run the task again", "unexpected")
    decoded = json.loads(answer)
    if "error" in decoded:
        raise ThunderbirdError(decoded["error"], decoded["code"])
    return decoded["result"]


def _serve(function: Callable[[], Any], pipe: int, seconds: int) -> NoReturn:
    """Never returns into the caller's program, and never writes to its standard streams."""
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.alarm(seconds)
        # Nothing that the caller has open is there for a library that comes with the person's profile.
        for descriptor in [int(path.name) for path in Path("/proc/self/fd").iterdir()]:
            if descriptor != pipe and descriptor > 2:
                with suppress(OSError):
                    os.close(descriptor)
        with open(os.devnull, "r+b") as nothing:  # noqa: PTH123 - Path.open adds nothing here
            for stream in (0, 1, 2):
                os.dup2(nothing.fileno(), stream)
        try:
            answer = {"result": function()}
        except Exception as error:
            answer = {"error": sentence(error), "code": code_of(error)}
        with os.fdopen(pipe, "wb") as output:
            output.write(json.dumps(answer).encode())
    finally:
        os._exit(0)

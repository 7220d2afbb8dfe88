# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Postfix's own commands, asked about one instance: the only place that starts a program."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from ansible.module_utils.common.process import get_bin_path

from .._names import InputError
from .dates import dated_back
from .tables import direct


class PostfixError(Exception):
    """One sentence for the user: what is wrong and what to do. code: for programs, see the fragment `_failure`."""

    def __init__(self, sentence: str, code: str = "conflict") -> None:
        super().__init__(sentence)
        self.code = code


class Answer(NamedTuple):
    """What a program left behind: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


# Runs a program: its name and arguments, and what it reads on standard input.
Runner = Callable[[Sequence[str], str], Answer]


class Instance:
    """One Postfix instance, known by its configuration directory."""

    def __init__(self, run: Runner, config_directory: str) -> None:
        self._run = run
        self.config_directory = config_directory
        self._said: dict[tuple[str, ...], str] = {}
        self._parsed: dict[tuple[str, ...], dict[str, str]] = {}

    def path(self, name: str) -> str:
        """The path of a file in the configuration directory."""
        return str(Path(self.config_directory, name))

    def ask(self, program: str, *arguments: str, stdin: str = "") -> Answer:
        """Run a program on this instance and return its answer, whatever its exit code."""
        return self._run([program, "-c", self.config_directory, *arguments], stdin)

    def tell(self, program: str, *arguments: str) -> str:
        """Run a program on this instance that must succeed; raise PostfixError with its last words otherwise."""
        answer = self.ask(program, *arguments)
        if answer.code:
            lines = [line for line in (answer.err or answer.out).strip().splitlines() if line]
            shown = " ".join((program, *arguments[:1]))
            reason = lines[-1] if lines else answer.code
            raise PostfixError(f"'{shown}' failed in {self.config_directory}: {reason}", "command_failed")
        return answer.out

    def read(self, take: Callable[[bytes], None], seconds: float, program: str, *arguments: str) -> bool:
        """Give each line that a program prints to `take`, at once, as all of them may be more than fits into memory.

        Whether it came to its end within this time; otherwise it was ended, perhaps in the middle of a line.
        """
        try:
            command = [get_bin_path(program), "-c", self.config_directory, *arguments]
        except ValueError:
            raise PostfixError(f"The program {program} is missing on this host.", "not_installed") from None
        late = threading.Event()
        with tempfile.TemporaryFile() as complaints:
            # Its output is read while it runs, which run_command does not offer.
            with subprocess.Popen(  # pylint: disable=ansible-bad-function
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                env={**os.environ, "LC_ALL": "C"},
            ) as process:

                def end() -> None:
                    late.set()
                    process.kill()

                timer = threading.Timer(seconds, end)
                timer.start()
                try:
                    for line in process.stdout or ():
                        take(line)
                finally:
                    timer.cancel()
            complaints.seek(0)
            if process.returncode and not late.is_set():
                words = complaints.read(4096).decode("utf-8", "replace").strip().splitlines()
                reason = words[-1] if words else process.returncode
                raise PostfixError(f"'{program}' failed in {self.config_directory}: {reason}", "command_failed")
        return not late.is_set()

    def _known(self, *arguments: str) -> str:
        """What postconf says, asked once until it changes something: each start of a program takes milliseconds."""
        if arguments not in self._said:
            self._said[arguments] = self.tell("postconf", *arguments)
        return self._said[arguments]

    def _assignments(self, *arguments: str) -> dict[str, str]:
        """The same as parameters and their values; whoever gets it may change it."""
        if arguments not in self._parsed:
            self._parsed[arguments] = _assignments(self._known(*arguments))
        return dict(self._parsed[arguments])

    def _change(self, *arguments: str) -> None:
        self._said.clear()
        self._parsed.clear()
        self.tell("postconf", *arguments)

    def run_script(self, path: str, *arguments: str) -> None:
        """Run a shell script of the package that must succeed."""
        answer = self._run(["sh", path, *arguments], "")
        if answer.code:
            raise PostfixError(f"{path} failed: {(answer.err or answer.out).strip()}", "command_failed")

    # main.cf

    def explicit(self) -> dict[str, str]:
        """The parameters that main.cf sets, unexpanded."""
        return self._assignments("-n")

    def defaults(self) -> dict[str, str]:
        """What a parameter is where main.cf does not set it, unexpanded: `$name` means that it follows another one."""
        return self._assignments("-d")

    def effective(self, names: Iterable[str], instead: Optional[Mapping[str, Optional[str]]] = None) -> dict[str, str]:
        """The expanded values of these parameters, defaults included; those that this Postfix lacks are left out.

        With `instead` as they would be if main.cf said that; None means that it does not set the parameter.
        """
        known = self.everything(instead)
        return {name: known[name] for name in names if name in known}

    def everything(self, instead: Optional[Mapping[str, Optional[str]]] = None) -> dict[str, str]:
        """The expanded value of every parameter, see `effective`."""
        values = {
            name: self.defaults().get(name) if value is None else value for name, value in (instead or {}).items()
        }
        options = [f"-o{name}={value}" for name, value in sorted(values.items()) if value is not None]
        return self._assignments("-x", *options)

    def expand(self, value: str) -> str:
        """Replace every `$name` in a text by this instance's values."""
        return self.tell("postconf", "-x", "-h", "-o", f"relayhost={value}", "relayhost").strip()

    def default_map_type(self) -> str:
        """The map type that this Postfix wants where none is named."""
        return self.effective(["default_database_type"])["default_database_type"]

    def map_types(self) -> list[str]:
        """The map types that this Postfix was built or extended with."""
        return self._known("-m").split()

    def sasl_types(self) -> list[str]:
        """The SASL implementations that the SMTP client was built with."""
        return self._known("-A").split()

    def set_parameters(self, values: dict[str, str]) -> None:
        """Write parameters to main.cf in one step."""
        with dated_back(self.path("main.cf")):
            self._change("-e", *(f"{name} = {value}" for name, value in sorted(values.items())))

    def unset_parameters(self, names: Iterable[str]) -> None:
        """Take parameters out of main.cf, so that their defaults apply again."""
        with dated_back(self.path("main.cf")):
            self._change("-X", *sorted(names))

    # master.cf

    def services(self) -> dict[str, list[str]]:
        """The services of master.cf by `name/type`; each as its words (name, type, ..., command, arguments)."""
        entries = [line.split() for line in self._known("-M").splitlines()]
        return {f"{words[0]}/{words[1]}": words for words in entries if len(words) >= 8}

    def overrides(self, service: str) -> dict[str, str]:
        """The parameters that master.cf overrides with -o for this service."""
        lines = self._assignments("-P")
        prefix = f"{service}/"
        return {name[len(prefix) :]: value for name, value in lines.items() if name.startswith(prefix)}

    def set_service(self, service: str, definition: str) -> None:
        """Write one service to master.cf."""
        self._change("-M", f"{service}={definition}")

    def unset_service(self, service: str) -> None:
        """Take one service out of master.cf."""
        self._change("-MX", service)

    # Maps

    def lookup(self, table: str, keys: Iterable[str]) -> Optional[dict[str, str]]:
        """Ask a map (`type:path`) for these keys, on standard input, as a value may be a password.

        Returns what was found, or None when the map cannot be read at all.
        """
        wanted, table = list(keys), direct(table)
        answer = self.ask("postmap", "-q", "-", table, stdin="".join(f"{key}\n" for key in wanted))
        # postmap exits with 1 both for "nothing found" and for an unreadable map, but complains only of the latter;
        # besides, it may warn of anything in main.cf.
        complaints = [
            line for line in answer.err.splitlines() if ": warning: " not in line or f"{table} is unavailable" in line
        ]
        if answer.code and complaints:
            return None
        pairs = (line.partition("\t") for line in answer.out.split("\n") if line)
        return {key: value for key, _separator, value in pairs}

    def entries(self, table: str) -> Optional[dict[str, str]]:
        """Everything that a map says, or None where it cannot be listed."""
        # Of cdb only the source can be.
        kind, _colon, path = direct(table).partition(":")
        answer = self.ask("postmap", "-s", f"texthash:{path}" if kind == "cdb" else direct(table))
        if answer.code:
            return None
        pairs = (line.partition("\t") for line in answer.out.split("\n") if line)
        return {key: value for key, _separator, value in pairs}

    def build_index(self, table: str) -> None:
        """Make the index of a map. The exit code proves nothing: the caller looks every key up."""
        self.tell("postmap", table)

    # Life

    def is_running(self) -> bool:
        """Whether the master process of this instance runs. Raises PostfixError where only root could know."""
        if os.geteuid() != 0:
            raise PostfixError(
                "Only root can see whether Postfix runs; run the task with become: true.", "no_permission"
            )
        # `postfix status` would write a line to the mail log.
        master = Path(self.effective(["daemon_directory"])["daemon_directory"], "master")
        return self.ask(str(master), "-t").code != 0

    def check(self) -> None:
        """Let Postfix look at its own configuration."""
        self.tell("postfix", "check")

    def reload(self) -> None:
        """Make the running daemons read main.cf and master.cf again."""
        self.tell("postfix", "reload")

    def addresses(self) -> str:
        """What `ip` says of the addresses of this host, one a line; empty where it is not there."""
        answer = self._run(["ip", "-o", "address", "show"], "")
        return answer.out if answer.code == 0 else ""

    def submit(self, sender: str, recipient: str, message: str) -> None:
        """Hand in a mail, header and body in one text, as a local program would."""
        answer = self._run(["sendmail", "-C", self.config_directory, "-i", "-f", sender, "--", recipient], message)
        if answer.code:
            raise PostfixError(f"Postfix did not take the mail: {(answer.err or answer.out).strip()}", "command_failed")

    def journal(self, since: int, *options: str) -> str:
        """What systemd's journal holds from this second of the epoch on; empty where there is no journal."""
        answer = self._run(["journalctl", "--no-pager", "--quiet", "--output=cat", f"--since=@{since}", *options], "")
        return answer.out if answer.code == 0 else ""

    def flush(self) -> None:
        """Try every waiting mail now."""
        self.tell("postqueue", "-f")


def submit_as(user: str, recipient: str, message: str) -> None:
    """Hand in a mail at the main instance as an account of this host, in the way of its cron jobs."""
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise InputError(f"user: this host has no account {user}; name one that it has, such as nobody.") from None
    # As another account, which run_command does not offer.
    done = subprocess.run(  # pylint: disable=ansible-bad-function
        ["sendmail", "-i", "--", recipient],
        input=message,
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        env={"PATH": "/usr/sbin:/usr/lib:/sbin:/usr/bin:/bin", "LC_ALL": "C"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PostfixError(f"Postfix did not take the mail of {user}: {done.stderr.strip()}", "command_failed")


def _assignments(text: str) -> dict[str, str]:
    """Parse `name = value` lines."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _separator, value in pairs}

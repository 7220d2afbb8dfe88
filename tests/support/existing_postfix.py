# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Postfix as somebody already has it: where its mail goes before the relay is set up, with it, and afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Optional

import trustme

from tests.support.emulator import Emulator
from tests.support.postfix import ScratchPostfix, free_port, make_older
from tests.support.relay import LOGIN, relay
from tests.support.sink import Sink, certificate

#: The servers to which mail can go, and what may become of it otherwise.
SINK, OTHER, OURS, WAITS = "SINK", "OTHER", "OURS", "waits"


@dataclass(frozen=True)
class Way:
    """One mail, where it went before the relay, and where it goes with it; unless said otherwise as before.

    `filtered`: it is what a content filter hands back.
    """

    before: str
    after: Optional[str] = None
    sender: str = "alice@example.com"
    recipient: str = "someone@elsewhere.example"
    filtered: bool = False


@dataclass(frozen=True)
class Row:
    """One configuration.

    `main` is what main.cf says beside a usual one, to the last byte, and `services` are lines of master.cf, of which
    one takes the place of the service with its name; `tables` are files beside them. In all of them {SINK}, {OTHER} and
    {OURS} stand for next hops such as [127.0.0.1]:2525, {BACK} for the port at which a content filter hands mail back,
    and {folder} for the configuration directory. `options` are those of postfix_relay beside the smarthost and one
    login. `refused` are pieces of the sentence with which the host is left alone, of which one says how to go on; empty
    where it works. `warned` are pieces of warnings. `prepare` does to the instance what its files cannot say, before it
    is started. `exact` tells that state=absent gives back every byte, and not only the meaning. `implicit` has our
    server begin with TLS before the first word.
    """

    name: str
    main: str = "relayhost = {SINK}\n"
    services: str = ""
    tables: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    ways: tuple[Way, ...] = (Way(SINK, OURS),)
    refused: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()
    prepare: Optional[Callable[[ScratchPostfix], None]] = None
    exact: bool = True
    implicit: bool = False


@dataclass
class Servers:
    """Who takes mail: a plain server, another provider's smarthost, and ours."""

    sink: Sink
    other: Sink
    vendor: Emulator

    def words(self) -> dict[str, str]:
        """What the placeholders of a row stand for."""
        return {
            "SINK": f"[127.0.0.1]:{self.sink.port}",
            "OTHER": f"[localhost]:{self.other.port}",
            "OURS": f"[{self.vendor.smtp_host}]:{self.vendor.smtp_port}",
        }

    def having(self, subject: str) -> list[str]:
        """Where the mail with this subject has arrived, once for each time."""
        found = {SINK: self.sink.subjects, OTHER: self.other.subjects}
        found[OURS] = [str(mail["subject"]) for mail in self.vendor.mails()]
        return [name for name, subjects in found.items() for _mail in range(subjects.count(subject))]


@contextmanager
def servers(vendor: Emulator, *, wrapped: bool = False) -> Iterator[Servers]:
    """Start the two servers that the emulator is not. `wrapped`: OTHER begins with TLS, as on port 465."""
    context = certificate(trustme.CA(), "localhost")
    with Sink() as sink, Sink(context, wrapped=wrapped) as other:
        yield Servers(sink, other, vendor)


class Existing:
    """The Postfix of a row, running."""

    def __init__(self, row: Row, servers: Servers) -> None:
        self.row = row
        self.servers = servers
        self.postfix = ScratchPostfix()
        #: Where a content filter hands mail back.
        self.back = free_port()
        self._mails = 0

    def __enter__(self) -> Existing:
        try:
            self._write()
            if self.row.prepare:
                self.row.prepare(self.postfix)
            self.postfix.start()
        except BaseException:
            self.postfix.close()
            raise
        return self

    def __exit__(self, *_details: object) -> None:
        self.postfix.close()

    def _write(self) -> None:
        folder = self.postfix.config_directory
        words = {**self.servers.words(), "BACK": str(self.back), "folder": str(folder)}

        def filled(text: str) -> bytes:
            for word, value in words.items():
                text = text.replace("{" + word + "}", value)
            return text.encode()

        with (folder / "main.cf").open("ab") as main:
            main.write(filled(self.row.main))
        master = folder / "master.cf"
        lines = master.read_bytes().splitlines(keepends=True)
        given = filled(self.row.services).splitlines(keepends=True)
        named = [line.split()[:2] for line in given if not line[:1].isspace()]
        master.write_bytes(b"".join([*(line for line in lines if line.split()[:2] not in named), *given]))
        for name, text in self.row.tables.items():
            (folder / name).write_bytes(filled(text))
        make_older(folder / "main.cf")

    def configure(self, *, check: bool = False, **options: Any) -> Any:
        """Run the module with the options of the row."""
        vendor = self.servers.vendor
        place = vendor.implicit_options if self.row.implicit else vendor.smarthost_options
        # Nobody's panel is looked for: it asks the machine's own Postfix, which pauses where it is not set up.
        given = {**place, **LOGIN, "ignore_host_manager": True, **self.row.options}
        given.update(options)
        return relay(self.postfix, check=check, **given)

    def remove(self, *, check: bool = False) -> Any:
        """Run the module with state=absent."""
        return relay(self.postfix, check=check, state="absent")

    def files(self) -> dict[str, tuple[Any, ...]]:
        """Everything in the configuration directory, with what tells whether somebody has written it."""
        found: dict[str, tuple[Any, ...]] = {}
        for path in sorted(self.postfix.config_directory.rglob("*")):
            status = path.lstat()
            content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
            found[path.name] = (content, status.st_mode, status.st_uid, status.st_gid)
        return found

    def meaning(self) -> tuple[dict[str, str], str]:
        """What Postfix reads in main.cf and master.cf."""
        return self.postfix.parameters(), self.postfix.run("postconf", "-M")

    def goes_as(self, moment: str) -> None:
        """Send a mail each way, and see where it arrives; `moment` is before, with or after."""
        for way in self.row.ways:
            expected = way.after if moment == "with" and way.after else way.before
            self._mails += 1
            subject = f"{self.row.name} {moment} {self._mails}"
            self.postfix.inject(way.sender, way.recipient, subject, self.back if way.filtered else None)
            self.postfix.wait_until_quiet()
            seen = self.servers.having(subject) or [WAITS if self.postfix.queue() else "nowhere"]
            assert seen == [expected], f"{subject}: {way}; {self.postfix.log()[-3000:]}"
            if expected == WAITS:
                self.postfix.clean()
        assert "fatal" not in self.postfix.log()

    def exercise(self, warnings: list[str]) -> None:
        """Everything that holds for every configuration that people have."""
        before, meaning = self.files(), self.meaning()
        self.goes_as("before")
        predicted = self.configure(check=True)
        assert self.files() == before, "check mode has changed something"
        run = self.configure()
        if self.row.refused:
            assert (predicted.failed, run.failed) == (True, True), run.result
            assert predicted.message == run.message
            assert run.code == "conflict"
            for piece in self.row.refused:
                assert piece in run.message
            assert self.files() == before
            self.goes_as("after")
            return
        assert (predicted.failed, run.failed) == (False, False), run.message
        assert predicted.result["changes"] == run.result["changes"] != []
        self.goes_as("with")
        configured = self.files()
        again = self.configure()
        assert (again.failed, again.changed) == (False, False), again.result
        assert self.files() == configured, "the second run has changed something"
        run = self.remove()
        assert (run.failed, run.changed) == (False, True), run.message
        for piece in self.row.warned:
            assert any(piece in text for text in warnings), warnings
        assert self.meaning() == meaning
        assert not list(self.postfix.config_directory.glob("smarthost_*"))
        if self.row.exact:
            assert self.files() == before
            assert not any("byte for byte" in text for text in warnings)
        self.goes_as("after")
        assert self.servers.vendor.counters()["auths_refused"] == 0

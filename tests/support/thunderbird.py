# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drive the installed Thunderbird without a display, over raw Marionette, as a user would use it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

PROGRAM_DIRECTORY = Path("/usr/lib/thunderbird")
START_SECONDS = 60.0
# Marionette on a port of its own, and none of the hundred preferences that it would set for web tests.
DRIVER_PREFERENCES = {
    "marionette.port": 0,
    "remote.prefs.recommended": False,
    "datareporting.policy.bypassNotification": True,
    "app.donation.eoy.version.viewed": 999,
    "mail.spotlight.firstRunDone": True,
    "mail.rights.version": 1,
    "mailnews.start_page.enabled": False,
    "app.update.enabled": False,
    "toolkit.telemetry.enabled": False,
    "browser.policies.loglevel": "error",
    # Nothing leaves the machine.
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "localhost, 127.0.0.1",
}

SERVERS_SCRIPT = """
const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const outgoing = MailServices.outgoingServer;
return {
  default: outgoing.defaultServer?.key ?? null,
  servers: outgoing.servers.map(server => {
    const smtp = server.QueryInterface(Ci.nsISmtpServer);
    return {key: server.key, host: smtp.hostname, port: smtp.port, username: server.username,
            authentication: server.authMethod, encryption: server.socketType, description: server.description};
  }),
  identities: Object.fromEntries(MailServices.accounts.allIdentities.map(identity => [identity.email,
    outgoing.getServerByIdentity(identity)?.key ?? null])),
};
"""

LOGINS_SCRIPT = """
const logins = await Services.logins.getAllLogins();
return logins.map(login => ({origin: login.origin, realm: login.httpRealm, username: login.username,
  password: login.password, guid: login.QueryInterface(Ci.nsILoginMetaInfo).guid}));
"""

SAVE_LOGIN_SCRIPT = """
const [origin, username, password] = parameters;
const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
login.init(origin, null, origin, username, password, "", "");
await Services.logins.addLoginAsync(login);
"""

# The store that is to take the place of logins.json.
COPIED_LOGINS_SCRIPT = """
const {LoginManagerRustStorage} = ChromeUtils.importESModule("resource://gre/modules/storage-rust.sys.mjs");
const {setTimeout} = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
const storage = new LoginManagerRustStorage();
await storage.initialize();
for (let attempt = 0; attempt < 200 && Services.prefs.getBoolPref("signon.rustMirror.migrationNeeded"); attempt++)
  await new Promise(resolve => setTimeout(resolve, 50));
return (await storage.getAllLogins()).map(login => [login.username, login.password]);
"""

ACCOUNT_SCRIPT = """
const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const [email, ownServer, ownPassword, ownPort] = parameters;
const accounts = MailServices.accounts;
const incoming = accounts.createIncomingServer(email.split("@")[0], "127.0.0.1", "pop3");
incoming.port = 1; incoming.loginAtStartUp = false; incoming.doBiff = false;
const identity = accounts.createIdentity();
identity.email = email; identity.fullName = "Test Person";
const account = accounts.createAccount();
account.incomingServer = incoming; account.addIdentity(identity); accounts.defaultAccount = account;
if (ownServer) {
  const server = MailServices.outgoingServer.createServer("smtp");
  const smtp = server.QueryInterface(Ci.nsISmtpServer);
  smtp.hostname = ownServer; smtp.port = ownPort;
  server.username = email; server.authMethod = 3; server.socketType = 3; server.description = "The user's own";
  identity.smtpServerKey = server.key; MailServices.outgoingServer.defaultServer = server;
  const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
  login.init("smtp://" + ownServer, null, "smtp://" + ownServer, email, ownPassword, "", "");
  await Services.logins.addLoginAsync(login);
}
Services.prefs.savePrefFile(null);
return identity.key;
"""

TRUST_SCRIPT = """
const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
database.addCertFromBase64(parameters[0], "CT,,");
"""

SEND_SCRIPT = """
const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const {setTimeout, clearTimeout} = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
const [sender, recipient, subject, seconds] = parameters;
let identity = null, account = null;
for (const candidate of MailServices.accounts.accounts)
  for (const own of candidate.identities)
    if (own.email == sender) { identity = own; account = candidate; }
if (!identity) throw new Error("no identity " + sender);
identity.doFcc = false;
const file = Services.dirsvc.get("TmpD", Ci.nsIFile);
file.append("message.eml"); file.createUnique(0, 0o600);
const lines = ["From: " + sender, "To: " + recipient, "Subject: " + subject,
  "Message-ID: <" + Date.now() + "@client.test>", "Date: " + new Date().toUTCString(), "", "Sent by a test.", ""];
await IOUtils.writeUTF8(file.path, lines.join("\\r\\n"));
const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
fields.from = sender; fields.to = recipient; fields.subject = subject;
const send = Cc["@mozilla.org/messengercompose/send;1"].createInstance(Ci.nsIMsgSend);
return await new Promise(resolve => {
  const timer = setTimeout(() => resolve("no answer"), seconds * 1000);
  const done = text => { clearTimeout(timer); resolve(text); };
  const listener = {
    QueryInterface: ChromeUtils.generateQI(["nsIMsgSendListener"]),
    onStartSending() {}, onSendProgress() {}, onStatus() {}, onGetDraftFolderURI() {},
    onStopSending(id, status) { done(status ? "0x" + (status >>> 0).toString(16) : "sent"); },
    onSendNotPerformed(id, status) { done("not performed 0x" + (status >>> 0).toString(16)); },
    onTransportSecurityError(id, status) { done("TLS 0x" + (status >>> 0).toString(16)); },
  };
  const started = send.sendMessageFile(identity, account.key, fields, file, true, false,
    Ci.nsIMsgSend.nsMsgDeliverNow, null, listener, null, "");
  started?.catch?.(error => done("rejected " + error));
});
"""


def make_installation(folder: Path) -> Path:
    """Another installation of the same program, into which files may be put; returns its folder.

    It finds its own folder by the file that runs, so this is a copy, and everything else a link.
    """
    folder.mkdir()
    for path in PROGRAM_DIRECTORY.iterdir():
        if path.name not in {"thunderbird", "thunderbird-bin", "defaults"}:
            (folder / path.name).symlink_to(path)
    shutil.copy(PROGRAM_DIRECTORY / "thunderbird", folder / "thunderbird")
    shutil.copytree(PROGRAM_DIRECTORY / "defaults", folder / "defaults", ignore=shutil.ignore_patterns("syspref"))
    return folder


class Thunderbird:
    """A running Thunderbird; a context manager that ends it by its own process group, also after a failure."""

    def __init__(
        self,
        profile: Path,
        *,
        home: Path,
        choose_profile: bool = False,
        user_preferences: Mapping[str, str | bool] | None = None,
        display: str | None = None,
        wrapper: Sequence[str] = (),
        program: Path = PROGRAM_DIRECTORY,
    ) -> None:
        """Prepare a start.

        `choose_profile`: let Thunderbird choose by profiles.ini of `home`, which must lead it to `profile`.
        `user_preferences`: what else stands in the profile's user.js.
        `wrapper`: a command that runs the program, for namespaces.
        `program`: the folder that it was installed in.
        """
        self.profile = profile
        self.home = home
        self.choose_profile = choose_profile
        self.user_preferences = dict(user_preferences or {})
        self.display = display
        self.wrapper = list(wrapper)
        self.program = program
        self._socket: socket.socket | None = None
        self._sequence = 0
        self._buffer = b""

    def __enter__(self) -> Thunderbird:
        self.start()
        try:
            self.connect()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.quit()

    def start(self) -> None:
        """Start the program; returns before it is ready (see `connect`)."""
        environment = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "WAYLAND_DISPLAY"}}
        environment.update(HOME=str(self.home), LC_ALL="C.UTF-8", TMPDIR=str(self.home))
        command = [
            *self.wrapper,
            str(self.program / "thunderbird"),
            "--no-remote",
            "--marionette",
            "--remote-allow-system-access",
        ]
        if self.display:
            environment["DISPLAY"] = self.display
        else:
            command.append("--headless")
        if not self.choose_profile:
            command += ["--profile", str(self.profile)]
        self._port_file = self.profile / "MarionetteActivePort"
        self._port_file.unlink(missing_ok=True)
        preferences = {**DRIVER_PREFERENCES, **self.user_preferences}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()]
        (self.profile / "user.js").write_text("".join(lines))
        self._log = (self.home / "thunderbird.log").open("ab")
        self.process = subprocess.Popen(
            command, env=environment, stdout=self._log, stderr=subprocess.STDOUT, cwd=self.home, start_new_session=True
        )

    def connect(self) -> None:
        """Wait until Marionette listens, then open a session in the program's own context."""
        deadline = time.monotonic() + START_SECONDS
        while not (self._port_file.is_file() and self._port_file.read_text().strip()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Thunderbird did not start with {self.profile}; see {self.home}/thunderbird.log")
            time.sleep(0.05)
        self._socket = socket.create_connection(("127.0.0.1", int(self._port_file.read_text())), 5)
        self._socket.settimeout(90)
        self._read()
        self.command("WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"acceptInsecureCerts": False}}})
        self.command("Marionette:SetContext", {"value": "chrome"})
        self.command("WebDriver:SetTimeouts", {"script": 60000})

    def _read(self) -> Any:
        while b":" not in self._buffer:
            self._receive()
        length, self._buffer = self._buffer.split(b":", 1)
        while len(self._buffer) < int(length):
            self._receive()
        message, self._buffer = self._buffer[: int(length)], self._buffer[int(length) :]
        return json.loads(message)

    def _receive(self) -> None:
        received = self._socket.recv(65536) if self._socket else b""
        if not received:
            raise RuntimeError("Thunderbird closed the Marionette connection")
        self._buffer += received

    def command(self, name: str, parameters: dict[str, Any] | None = None) -> Any:
        """One Marionette command; raises RuntimeError with the program's own text."""
        self._sequence += 1
        message = json.dumps([0, self._sequence, name, parameters or {}]).encode()
        if self._socket is None:
            raise RuntimeError("not connected to Thunderbird")
        self._socket.sendall(b"%d:%s" % (len(message), message))
        _kind, _sequence, error, result = self._read()
        if error:
            raise RuntimeError(f"{name}: {error.get('message')}")
        return result

    def script(self, body: str, *parameters: Any) -> Any:
        """Run JavaScript with the program's rights; `body` may use await, `parameters` and return."""
        wrapped = (
            "const finish = arguments[arguments.length - 1]; const parameters = [...arguments];"
            f"(async () => {{{body}}})().then(value => finish({{value}}), error => finish({{error: String(error)}}));"
        )
        arguments = {"script": wrapped, "args": list(parameters), "sandbox": "system", "newSandbox": True}
        answer = self.command("WebDriver:ExecuteAsyncScript", arguments)["value"]
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer.get("value")

    def servers(self) -> dict[str, Any]:
        """{"default": key, "servers": [{key, host, port, username, ...}], "identities": {address: key in use}}."""
        return dict(self.script(SERVERS_SCRIPT))

    def logins(self) -> list[dict[str, str]]:
        """Every saved login with its password in clear."""
        return list(self.script(LOGINS_SCRIPT))

    def copied_logins(self) -> dict[str, str]:
        """Name -> password of what it has copied into logins.db, once that is done; since 153."""
        return dict(self.script(COPIED_LOGINS_SCRIPT))

    def add_account(self, address: str, own_server: str = "", own_password: str = "", own_port: int = 465) -> str:
        """An account with one identity, and with its own outgoing server where one is named; returns the identity."""
        return str(self.script(ACCOUNT_SCRIPT, address, own_server, own_password, own_port))

    def save_login(self, host: str, username: str, password: str) -> None:
        """Save a password for an outgoing server, as a person who is asked for it."""
        self.script(SAVE_LOGIN_SCRIPT, f"smtp://{host}", username, password)

    def trust(self, authority: str) -> None:
        """Trust the certificate authority in this PEM file, as a person would who imports it."""
        lines = Path(authority).read_text().strip().splitlines()
        self.script(TRUST_SCRIPT, "".join(lines[1:-1]))

    def send(self, sender: str, subject: str, *, recipient: str = "someone@dest.example", seconds: int = 20) -> str:
        """Send one mail as the identity would; "sent", or the program's status."""
        return str(self.script(SEND_SCRIPT, sender, recipient, subject, seconds))

    def quit(self) -> None:
        """Quit as from the menu, so that everything is saved; kill what does not answer."""
        try:
            self.command("Marionette:Quit", {"flags": ["eForceQuit"]})
            self.process.wait(20)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            pass  # it does not answer, or never did
        finally:
            self.kill()
            # What the driver needed is not part of the user's profile.
            (self.profile / "user.js").unlink(missing_ok=True)

    def kill(self) -> None:
        """End the whole process group at once, as a crash would."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        if self._socket:
            self._socket.close()
        self._log.close()

# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP client of the Control Panel API: addresses, authentication, repetition, errors without secrets.

Passwords travel in the path of the address, so nothing that `requests` says about an address is ever shown.
"""

from __future__ import annotations

import base64
import email.utils
import logging
import os
import random
import re
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Optional, TypeVar, Union
from urllib.parse import quote, unquote, urljoin, urlsplit

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._names import InputError
from .._redaction import Redactor
from .connection import Connection, environment_bundle
from .reply import REMEDIES, ErrorKind, Reply, ReplyError, parse_page, parse_reply

try:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter

    _IMPORT_ERROR = ""
    _PROXY_ERRORS = (
        requests.exceptions.ProxyError,
        requests.exceptions.InvalidProxyURL,
        requests.exceptions.InvalidSchema,  # a SOCKS proxy without the library for it
    )
except ImportError:
    _IMPORT_ERROR = traceback.format_exc()
    HTTPAdapter = object  # type: ignore[assignment,misc]  # require_requests() ends the module

__all__ = ["ApiError", "Client", "ErrorKind", "Reply", "require_requests"]

_Result = TypeVar("_Result")
#: At most so many connections are open at once; threads beyond that wait for one.
CONNECTIONS = 16
_FOLLOWED = (301, 302, 307, 308)  # not 303, which says that the request was carried out
_REDIRECTS = 3
_FIRST_PAUSE = 0.5  # seconds
_LONGEST_PAUSE = 15.0


class ApiError(Exception):
    """A call that failed. str() is one sentence without secrets: what was asked, the answer, what to do.

    kind and code: for programs. lines: the server's own error lines, without secrets.
    """

    def __init__(self, kind: ErrorKind, sentence: str, lines: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.code = kind.value
        self.lines = lines


def require_requests(module: AnsibleModule) -> None:
    """End the module, saying what to install, where Python has no `requests`."""
    if _IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), code="missing_library", exception=_IMPORT_ERROR)


@dataclass(frozen=True)
class _Request:
    """What is asked of the server. name: for messages. page: a page for people, and no call."""

    name: str
    verb: str
    path: str
    write: bool
    redactor: Redactor
    page: bool = False

    def kind_of(self, status: int) -> Optional[ErrorKind]:
        """What an HTTP status means when the body does not say more."""
        if 200 <= status < 300:
            return None
        if self.page and status in (403, 404):
            return ErrorKind.NO_PERMISSION if status == 403 else ErrorKind.NOT_FOUND
        return ErrorKind.CREDENTIALS if status in (401, 403) else ErrorKind.SERVER_FAULT


@dataclass(frozen=True)
class _Failure:
    """One failed attempt. repeat: after how many seconds at least it may be repeated; None: it must not be."""

    kind: ErrorKind
    reason: str  # without secrets, as the lines
    lines: tuple[str, ...] = ()
    repeat: Optional[float] = None
    remedy: str = ""


class _Progress(threading.local):
    """Whether this thread's request has left for the server, once it is connected and TLS is agreed."""

    sent = False


_PROGRESS = _Progress()


class _Adapter(HTTPAdapter):
    """Notes when a request is sent, since the errors do not tell: a reset looks alike before and after."""

    def cert_verify(self, conn: Any, *arguments: Any, **options: Any) -> None:
        super().cert_verify(conn, *arguments, **options)  # type: ignore[no-untyped-call]  # so in types-requests
        if "ConnectionCls" in vars(conn):
            return

        class NotingConnection(type(conn).ConnectionCls):  # type: ignore[misc]  # the class of this pool
            def request(self, *arguments: Any, **options: Any) -> Any:
                _PROGRESS.sent = True
                return super().request(*arguments, **options)

        conn.ConnectionCls = NotingConnection


class Client:
    """Sends calls; may be used by several threads.

    They share one pool of connections: unlike a pool for each thread, it outlives the threads of one step of the
    work and serves the next. There is no session of `requests`, which would take a password from .netrc, certificates
    from the environment against the options, and cookies; and which looks at redirects even when told not to.
    """

    def __init__(self, connection: Connection, warn: Callable[[str], None]) -> None:
        """warn: is told about each wait before a repetition; called by one thread at a time."""
        self._connection = connection
        self._host = urlsplit(connection.url).hostname or ""
        self._warn = warn
        self._lock = threading.Lock()
        self._random = random.SystemRandom()
        login = f"{connection.username}:{connection.password}".encode("utf-8", "surrogateescape")
        token = base64.b64encode(login).decode("ascii")
        self._proxies = {"https": connection.proxy} if connection.proxy else _environment_proxies(connection.url)
        self._secrets = (connection.password, token, *_proxy_secrets(self._proxies.values()))
        bundle = environment_bundle()[1] or True
        self._verify = (connection.ca_path or bundle) if connection.validate_certs else False
        self._certificate: Union[str, tuple[str, str], None] = connection.client_cert
        if connection.client_cert and connection.client_key:
            self._certificate = (connection.client_cert, connection.client_key)
        # urllib3 logs whole addresses.
        logging.getLogger("urllib3").setLevel(logging.WARNING)
        if not connection.validate_certs:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._adapter = _Adapter(pool_maxsize=CONNECTIONS, pool_block=True)
        self._headers = {
            "User-Agent": connection.http_agent,
            "Authorization": f"Basic {token}",
            "Accept-Encoding": "gzip, deflate",
        }

    def call(
        self, call: str, parameters: Sequence[tuple[str, str]] = (), *, write: bool, secrets: Iterable[str] = ()
    ) -> Reply:
        """Make a call such as "outgoingusers/add" with these parameters, in this order.

        secrets: the values that must not appear in an error. Raises ApiError, and ValueError for an empty value,
        which the server takes for the end of the path.
        """
        path = f"/api/{call}"
        for name, value in (*parameters, ("format", "json")):
            if not value:
                raise ValueError(f"the parameter {name} of {call} is empty; leave it out")
            encoded = _encode(value)
            if encoded is None:
                raise ApiError(ErrorKind.OTHER, f"No address can hold the value of {name} for {call}; choose another.")
            path += f"/{name}/{encoded}"
        redactor = Redactor((*self._secrets, *secrets))
        request = _Request(call, self._connection.http_method, f"{path}/", write, redactor)
        return self._repeat(request, lambda body: parse_reply(body, write=write))

    def page(self, path: str) -> str:
        """The text of a page, such as "/api/help/". Raises ApiError."""
        return self._repeat(_Request(path, "GET", path, False, Redactor(self._secrets), page=True), parse_page)

    def close(self) -> None:
        """Close all connections."""
        self._adapter.close()

    def _repeat(self, request: _Request, read: Callable[[bytes], _Result]) -> _Result:
        """Send a request until it succeeds, must not be repeated, or number and time are used up."""
        deadline = time.monotonic() + self._connection.retry_time
        timeout = self._connection.timeout
        attempt = 0
        while True:
            outcome = self._attempt(request, read, timeout)
            if not isinstance(outcome, _Failure):
                return outcome
            if outcome.repeat is None or attempt >= self._connection.retries:
                break
            pause = min(_FIRST_PAUSE * 2**attempt, _LONGEST_PAUSE) * self._random.uniform(0.5, 1.5)
            pause = max(pause, outcome.repeat)
            remaining = deadline - time.monotonic() - pause
            if remaining <= 0:
                break
            with self._lock:
                self._warn(f"{request.name} failed: {outcome.reason}. It is tried again in {pause:.1f} seconds.")
            time.sleep(pause)
            timeout = max(1.0, min(self._connection.timeout, remaining))
            attempt += 1
        times = f" {attempt + 1} times" if attempt else ""
        remedy = outcome.remedy or REMEDIES[outcome.kind]
        raise ApiError(
            outcome.kind,
            f"{request.name} at {self._connection.url} failed{times}: {outcome.reason}; {remedy}.",
            outcome.lines,
        )

    def _attempt(self, request: _Request, read: Callable[[bytes], _Result], timeout: float) -> Union[_Result, _Failure]:
        url = self._connection.url + request.path
        for _hop in range(_REDIRECTS + 1):
            response = self._send(request, url, timeout)
            if isinstance(response, _Failure):
                return response
            location = response.headers.get("Location", "")
            if not (300 <= response.status_code < 400 and location):
                return _judge(request, response, read)
            target = _joined(url, location)
            if response.status_code not in _FOLLOWED or _origin(target) != _origin(url):
                shown = _origin(_joined(url, request.redactor.clean(location)))
                return _Failure(
                    ErrorKind.BAD_REPLY,
                    f"the server sent it on to {shown}, where no password is sent",
                    remedy="set api_url to the right address of the control panel, if you trust it",
                )
            url = target
        return _Failure(ErrorKind.BAD_REPLY, "the server sent it on again and again")

    def _send(self, request: _Request, url: str, timeout: float) -> Union[requests.Response, _Failure]:
        _PROGRESS.sent = False
        try:
            prepared = requests.Request(request.verb, url, headers=self._headers).prepare()
            response = self._adapter.send(
                prepared, timeout=timeout, verify=self._verify, cert=self._certificate, proxies=self._proxies
            )
            response.content  # noqa: B018 - reads the body, so that it fails here
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return self._transport_failure(request, error, timeout)
        return response

    def _transport_failure(self, request: _Request, error: Exception, timeout: float) -> _Failure:
        """What an exception means. Its own text is not used, because it holds the address."""
        host, cause, sent = self._host, _root(error), _PROGRESS.sent
        repeat: Optional[float] = 0
        remedy = "check api_url and the network"
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"the certificate of {host} could not be verified ({cause.verify_message})"
            remedy = "set ca_path to the file with the right authority, or api_url to the name in the certificate"
            repeat = None
        elif isinstance(cause, ssl.SSLError):
            detail = (cause.reason or "it ended early").replace("_", " ").lower()
            reason = f"{host} and this host could not agree on TLS ({detail})"
            remedy = "check api_url, ca_path, client_cert and client_key"
            repeat = 0 if isinstance(cause, ssl.SSLEOFError) else None
        elif isinstance(error, _PROXY_ERRORS):
            status = re.search(r"Tunnel connection failed: (\d+)", str(cause))
            reason = f"the proxy did not let it through ({f'HTTP status {status[1]}' if status else 'no connection'})"
            remedy = "check proxy, or the variables HTTPS_PROXY and NO_PROXY"
            repeat = None if status else 0
        elif isinstance(cause, socket.gaierror):
            reason, remedy = f"the host name {host} is not known", "check api_url and the name servers"
            repeat = None if cause.errno == socket.EAI_NONAME else 0
        elif isinstance(error, requests.exceptions.Timeout) or isinstance(cause, TimeoutError):
            reason, remedy = (
                f"{host} did not answer within {timeout:.3g} seconds",
                "check the network, or raise timeout",
            )
        elif (
            isinstance(cause, OSError)
            and cause.errno
            and not isinstance(cause, (ConnectionResetError, BrokenPipeError))
        ):
            reason = f"{host} could not be reached ({os.strerror(cause.errno).lower()})"
        else:
            reason = f"{host} ended the connection"
        if sent and request.write:
            return _Failure(ErrorKind.LOST_REPLY, reason)
        return _Failure(ErrorKind.UNREACHABLE, reason, repeat=repeat, remedy=remedy)


def _judge(
    request: _Request, response: requests.Response, read: Callable[[bytes], _Result]
) -> Union[_Result, _Failure]:
    """What a reply means: first by its body, then by its status."""
    kind = request.kind_of(response.status_code)
    problem = ReplyError(ErrorKind.BAD_REPLY, ())
    try:
        result = read(response.content)
    except ReplyError as error:
        problem = error
    else:
        if kind is None:
            return result
    lines = tuple(request.redactor.clean(line) for line in problem.lines)
    shown = "; ".join(line[:300].rstrip(". ") for line in lines[:4])
    if kind is not None and problem.kind in (ErrorKind.BAD_REPLY, ErrorKind.OTHER):
        return _status_failure(request, response, kind, _Failure(kind, shown, lines))
    reason = f"the server answered: {shown}"
    if problem.cut_off and request.write:
        return _Failure(ErrorKind.LOST_REPLY, reason, lines)
    passing = not request.write and (problem.cut_off or problem.kind is ErrorKind.SERVER_FAULT)
    return _Failure(problem.kind, reason, lines, repeat=0 if passing else None)


def _status_failure(request: _Request, response: requests.Response, kind: ErrorKind, said: _Failure) -> _Failure:
    """A reply with an error status, whose body does not say more than that."""
    status = response.status_code
    reason = f"the server answered with the HTTP status {status}{f' ({said.reason})' if said.reason else ''}"
    wait = _retry_after(response.headers.get("Retry-After", ""))
    if status == 429 or (status == 503 and wait is not None):
        asked = f" and asked to wait {wait:.0f} seconds" if wait else ""
        return _Failure(kind, reason + asked, said.lines, repeat=wait or 0)
    if request.write and status in (502, 503, 504):  # a gateway that lost the reply, or the panel's own crash page
        return _Failure(ErrorKind.LOST_REPLY, reason, said.lines)
    remedy = {404: "check api_url", 405: "choose the other http_method"}.get(status, "")
    return _Failure(kind, reason, said.lines, repeat=0 if status >= 500 and not request.write else None, remedy=remedy)


def _encode(value: str) -> Optional[str]:
    """Percent-encode all that is reserved; None for what cannot be a part of a path."""
    try:
        encoded = quote(value, safe="", errors="surrogateescape")
    except UnicodeEncodeError:
        return None
    return None if encoded in (".", "..") else encoded  # these are folders, however they are written


def _proxy_secrets(proxies: Iterable[str]) -> list[str]:
    try:
        passwords = [urlsplit(proxy).password or "" for proxy in proxies]
    except ValueError:
        # The reason would quote the address, and with it the password.
        raise InputError(
            "the proxy of the environment (HTTPS_PROXY or ALL_PROXY) has an address that cannot be read; correct it"
        ) from None
    return passwords + [unquote(password) for password in passwords]


def _environment_proxies(url: str) -> dict[str, str]:
    proxies = requests.utils.get_environ_proxies(url)
    return {name: proxies[name] for name in ("https", "all") if proxies.get(name)}


def _joined(url: str, location: str) -> str:
    """Where a location leads from this address. One that cannot be read stays as it is; `_origin` calls it so."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def _origin(url: str) -> str:
    """Scheme, host and port, in one form."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "an address that cannot be read"
    host = parts.hostname or ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _root(error: BaseException) -> BaseException:
    """The error of the operating system or of TLS, which lies below those of requests and urllib3."""
    queue: list[object] = [error]
    seen: list[object] = []
    while queue:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or current in seen:
            continue
        seen.append(current)
        if isinstance(current, OSError) and not isinstance(current, requests.RequestException):
            return current
        queue += [getattr(current, "reason", None), *current.args, current.__cause__, current.__context__]
    return error


def _retry_after(text: str) -> Optional[float]:
    """Seconds from now; None without the header, or with one that is not understood."""
    if text.strip().isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError):
        return None
    return max(0.0, moment.timestamp() - time.time())

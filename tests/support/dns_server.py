# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A DNS server on loopback, over UDP and TCP, with the records and the faults that a test gives it."""

from __future__ import annotations

import json
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

#: What fits into a UDP reply without an extension.
_UDP_SIZE = 512


class DnsServer:
    """Answers for what is in `records`, and with NXDOMAIN for everything else.

    records: (name, type) -> texts as in a zone file. faults: name -> "servfail", or "silent" for no answer at all.
    asked: every question so far, as (name, type, "udp" or "tcp").
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.records: dict[tuple[str, str], list[str]] = {}
        self.faults: dict[str, str] = {}
        self.asked: list[tuple[str, str, str]] = []

    def txt(self, name: str, *texts: str) -> None:
        """Set the TXT records of a name; a long text becomes several strings, as DNS wants it."""
        self.records[name, "TXT"] = [
            " ".join(json.dumps(text[start : start + 255], ensure_ascii=False) for start in range(0, len(text), 255))
            for text in texts
        ]

    def answer(self, wire: bytes, transport: str) -> bytes | None:
        """The reply to a query; None for silence."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, transport))
        fault = self.faults.get(name)
        if fault == "silent":
            return None
        reply = dns.message.make_response(query)
        if fault == "servfail":
            reply.set_rcode(dns.rcode.SERVFAIL)
        elif (name, kind) in self.records:
            if self.records[name, kind]:
                texts = self.records[name, kind]
                reply.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, texts))
        elif not any(known == name for known, _kind in self.records):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        packet = reply.to_wire()
        if transport == "udp" and len(packet) > _UDP_SIZE:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            packet = reply.to_wire()
        return packet


@contextmanager
def dns_server(host: str = "127.0.0.1") -> Iterator[DnsServer]:
    """A running server on a free port; it ends with the block."""

    class Udp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, channel = self.request
            packet = server.answer(wire, "udp")
            if packet is not None:
                channel.sendto(packet, self.client_address)

    class Tcp(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = self.rfile.read(2)
            if len(head) == 2:
                packet = server.answer(self.rfile.read(struct.unpack("!H", head)[0]), "tcp")
                if packet is not None:
                    self.wfile.write(struct.pack("!H", len(packet)) + packet)

    class TcpServer(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    def open_both() -> tuple[TcpServer, socketserver.ThreadingUDPServer]:
        """Listen on a port that is free for both."""
        for _attempt in range(20):
            streams = TcpServer((host, 0), Tcp)
            try:
                return streams, socketserver.ThreadingUDPServer((host, streams.server_address[1]), Udp)
            except OSError:
                streams.server_close()
        raise RuntimeError("no port is free for UDP and TCP")

    listeners = open_both()
    server = DnsServer(host, listeners[0].server_address[1])
    threads = [threading.Thread(target=each.serve_forever, args=(0.02,), daemon=True) for each in listeners]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        for listener in listeners:
            listener.shutdown()
            listener.server_close()
        for thread in threads:
            thread.join(5)

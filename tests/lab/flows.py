# SPDX-License-Identifier: GPL-2.0-or-later
"""Traffic that goes on while something else happens, and what it lost.

    with Echoes(guest, "10.10.10.10") as echoes, Stream(guest, "10.10.10.10") as stream:
        …
    assert not echoes.lost and not stream.lost
"""

import contextlib
import os
import select
import socket
import struct
import threading
import time

import packets

TCP_INFO = 11
UNACKED, TOTAL_RETRANS, DSACK_DUPS = 24, 100, 216  # offsets in struct tcp_info


class Echoes:
    """Echo requests every 5 ms; `sent` and `lost` at last. Answers may be late: the block ends
    when all have come, or after GRACE."""

    INTERVAL = 0.005
    GRACE = 2

    def __init__(self, host, address):
        self._host, self._address = host, address
        self._identifier = struct.unpack("=H", os.urandom(2))[0]
        self._waiting = {}
        self.sent = self.lost = 0
        self.gaps = []

    def __enter__(self):
        self._socket = self._host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def _send(self):
        number = self.sent & 0xffff
        message = struct.pack("!BBHHH", packets.ECHO_REQUEST, 0, 0, self._identifier, number)
        message += bytes(32)
        checksum = packets._checksum(message)
        with contextlib.suppress(OSError):  # no route: lost, too
            self._socket.sendto(message[:2] + struct.pack("!H", checksum) + message[4:],
                                (self._address, 0))
        self._waiting[number] = self.sent
        self.sent += 1

    def _receive(self, until):
        while (left := until - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left)[0]:
                return
            data = self._socket.recv(2048)
            header = (data[0] & 0xf) * 4
            kind, _, _, identifier, number = struct.unpack_from("!BBHHH", data, header)
            if kind == packets.ECHO_REPLY and identifier == self._identifier:
                self._waiting.pop(number, None)
            if self._ended and not self._waiting:
                return

    def _run(self):
        following = time.monotonic()
        while not self._ended:
            self._send()
            following = max(following + self.INTERVAL, time.monotonic())
            self._receive(following)
        self._receive(time.monotonic() + self.GRACE)

    def __exit__(self, *_):
        self._ended = True
        self._thread.join(self.GRACE + 5)
        self._socket.close()
        self.lost = len(self._waiting)


class Stream:
    """A TCP connection that sends all the time to a host of the lab, which is made to listen; at
    last the `lost` segments. Those that came twice, as a busy machine was slow, were not lost."""

    def __init__(self, host, address, server, port=7000):
        self._host, self._address, self._port = host, address, port
        self.lost = self.sent = 0
        self.error = None
        server.serve(port)

    def __enter__(self):
        self._socket = self._host.socket()
        self._socket.settimeout(10)
        self._socket.connect((self._address, self._port))
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def _run(self):
        try:
            while not self._ended:
                self.sent += self._socket.send(bytes(1000))
                time.sleep(0.005)
        except OSError as error:
            self.error = error

    def _info(self, offset):
        info = self._socket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 256)
        return struct.unpack_from("=I", info, offset)[0]

    def __exit__(self, *_):
        self._ended = True
        self._thread.join(15)
        deadline = time.monotonic() + 2
        while self._info(UNACKED) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.lost = max(0, self._info(TOTAL_RETRANS) - self._info(DSACK_DUPS))
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        self._socket.close()

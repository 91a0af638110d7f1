# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that no ordinary program sends: ARP by hand, IPv4 with any source or flags, DHCP."""

import contextlib
import select
import socket
import struct
import time

ETH_P_IP, ETH_P_ARP = 0x0800, 0x0806
ARP_REQUEST, ARP_REPLY = 1, 2
BROADCAST = b"\xff" * 6
ECHO_REPLY, ECHO_REQUEST = 0, 8
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

# Seconds: answers that come after that of the witness would have been on their way already.
GRACE = 0.2


# -- ARP

def mac_text(mac):
    return ":".join(f"{byte:02x}" for byte in mac)


def _arp_frame(operation, mac, address, target):
    """A broadcast of the station `mac` with `address`, about `target`."""
    return (BROADCAST + mac + struct.pack("!H", ETH_P_ARP)
            + struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation)
            + mac + socket.inet_aton(address) + bytes(6) + socket.inet_aton(target))


def _arp_socket(host, device):
    arp = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    arp.bind((device, ETH_P_ARP))
    return arp


def _own_address(host, device):
    link = next(link for link in host.links if link["name"] == device)
    return link["addresses"][0].split("/")[0]


def who_has(host, device, addresses, witnesses=None, timeout=10):
    """Ask on a link for addresses: {address: set of the MACs that answered}.

    The witnesses (default: all the addresses) are asked for last, and again until all have been
    answered or time is over: when they are, what was asked before has been dealt with, too.
    """
    witnesses = set(addresses if witnesses is None else witnesses)
    asked = [*(address for address in addresses if address not in witnesses), *witnesses]
    answers = {address: set() for address in asked}
    own = _own_address(host, device)
    deadline = time.monotonic() + timeout
    with _arp_socket(host, device) as arp:
        mac = arp.getsockname()[4]
        while time.monotonic() < deadline:
            for address in asked:
                arp.send(_arp_frame(ARP_REQUEST, mac, own, address))
            _listen(arp, answers, witnesses, time.monotonic() + 0.25)
            if all(answers[address] for address in witnesses):
                _listen(arp, answers, None, time.monotonic() + GRACE)
                break
    return answers


def _listen(arp, answers, wanted, until):
    """Collect answers until then, or until all that are wanted are in."""
    while (left := until - time.monotonic()) > 0:
        if wanted is not None and all(answers[address] for address in wanted):
            return
        if not select.select([arp], [], [], left)[0]:
            return
        frame = arp.recv(2048)
        if len(frame) >= 42 and struct.unpack("!H", frame[20:22])[0] == ARP_REPLY:
            sender = socket.inet_ntoa(frame[28:32])
            if sender in answers:
                answers[sender].add(mac_text(frame[22:28]))


def announce(host, device, address):
    """Tell the link that an address lives at this device's MAC: a gratuitous ARP."""
    with _arp_socket(host, device) as arp:
        arp.send(_arp_frame(ARP_REQUEST, arp.getsockname()[4], address, address))


# -- IPv4

def _checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def send_ipv4(host, source, target, protocol, payload):
    """Send a packet with any source address; the host's routes say where it goes."""
    # The kernel fills in length, identification and checksum.
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(target))
    with host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(header + payload, (target, 0))


def send_udp(host, source, target, port, data):
    datagram = struct.pack("!HHHH", 9000, port, 8 + len(data), 0) + data
    send_ipv4(host, source, target, socket.IPPROTO_UDP, datagram)


def send_tcp(host, source, target, flags, ports=(9000, 7000)):
    """Send a TCP segment that belongs to no connection."""
    segment = struct.pack("!HHIIBBHHH", *ports, 1000, 2000, 5 << 4, flags, 8192, 0, 0)
    pseudo = (socket.inet_aton(source) + socket.inet_aton(target)
              + struct.pack("!BBH", 0, socket.IPPROTO_TCP, len(segment)))
    segment = segment[:16] + struct.pack("!H", _checksum(pseudo + segment)) + segment[18:]
    send_ipv4(host, source, target, socket.IPPROTO_TCP, segment)


def send_echo(host, source, target, kind, identifier=4711):
    message = struct.pack("!BBHHH", kind, 0, 0, identifier, 1) + b"x" * 32
    message = message[:2] + struct.pack("!H", _checksum(message)) + message[4:]
    send_ipv4(host, source, target, socket.IPPROTO_ICMP, message)


class Mailbox:
    """Receives the datagrams that come to a port of a host: a context manager."""

    def __init__(self, host, port=7500):
        self._host = host
        self.port = port
        self.datagrams = []
        self.sender = None

    def __enter__(self):
        self._socket = self._host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("0.0.0.0", self.port))
        self._socket.setblocking(False)
        return self

    def __exit__(self, *_):
        self._socket.close()

    def holds(self, data):
        """Take in what has arrived; whether this is among it."""
        with contextlib.suppress(BlockingIOError):
            while True:
                datagram, self.sender = self._socket.recvfrom(2048)
                self.datagrams.append(datagram)
        return data in self.datagrams

    def answer(self, data):
        """Send something back to whom the last datagram came from."""
        self._socket.sendto(data, self.sender)


# -- DHCP

DHCP_SERVER, DHCP_CLIENT = 67, 68


def send_dhcp_discover(host, device):
    """Broadcast what a system without an address begins with; its transaction id, 4 bytes."""
    with host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP)) as raw:
        raw.bind((device, ETH_P_IP))
        mac = raw.getsockname()[4]
        transaction = struct.pack("!I", time.monotonic_ns() & 0xffffffff)
        message = (struct.pack("!BBBB", 1, 1, 6, 0) + transaction + bytes(20) + mac + bytes(202)
                   + b"\x63\x82\x53\x63" + b"\x35\x01\x01\xff")
        datagram = struct.pack("!HHHH", DHCP_CLIENT, DHCP_SERVER, 8 + len(message), 0) + message
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 1, 0, 64,
                             socket.IPPROTO_UDP, 0, bytes(4), b"\xff" * 4)
        header = header[:10] + struct.pack("!H", _checksum(header)) + header[12:]
        raw.send(BROADCAST + mac + struct.pack("!H", ETH_P_IP) + header + datagram)
    return transaction

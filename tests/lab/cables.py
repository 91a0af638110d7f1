# SPDX-License-Identifier: GPL-2.0-or-later
"""Cables and hosts that the topology does not have, for the time of one test."""

import ipaddress
import subprocess

from cec import cable_end
from hosts import ENVIRONMENT, Host

MTU = 1500


def _connect(host, port, lpar, device):
    """A cable from a host to an LPAR, whose NetworkManager is told to leave its end alone."""
    ends = [cable_end(end, {"name": name, "mtu": MTU})
            for end, name in ((host, port), (lpar, device))]
    command = f"ip link add {ends[0]} type veth peer {ends[1]}"
    subprocess.run(command.split(), check=True, env=ENVIRONMENT, timeout=30)
    lpar.wait_for(lambda: device in lpar.devices(), 10, f"NetworkManager knows {device}")
    lpar.nmcli("device", "set", device, "managed", "no")
    lpar.wait_for(lambda: lpar.devices()[device] == "unmanaged", 10, f"{device} unmanaged")


def add_foreign_host(test, lpar):
    """A system behind an LPAR's interface foreign0, which no profile names: 192.0.2.2. The LPAR,
    192.0.2.1, is its router, and forwards what comes from there."""
    link = {"name": "eth0", "mtu": MTU, "addresses": ["192.0.2.2/24"],
            "routes": ["default via 192.0.2.1"]}
    host = Host("foreign", {"links": [link]})
    host.start()
    # Its end of the cable goes with it; the kernel takes the other one away a moment later.
    test.addCleanup(lpar.wait_for, lambda: not lpar.link("foreign0"), 10, "foreign0 is gone")
    test.addCleanup(host.stop)
    host.ready()
    _connect(host, "eth0", lpar, "foreign0")
    lpar.ip_batch(["address add 192.0.2.1/24 dev foreign0", "link set foreign0 up"])
    lpar.sysctl("net/ipv4/conf/foreign0/forwarding", 1)
    host.configure(host.links)
    return host


def add_uplink(test, lpar, segment, device, address, metric):
    """A second interface of an LPAR in a segment's subnet; its route has a metric of its own."""
    port = f"{lpar.name}-{device}"[:15]
    _connect(segment, port, lpar, device)
    test.addCleanup(lpar.run, "ip", "link", "del", device)
    segment.ip_batch([f"link set {port} master segment up"])
    subnet = ipaddress.ip_interface(address).network
    lpar.ip_batch([f"address add {address} dev {device} noprefixroute", f"link set {device} up",
                   f"route add {subnet} dev {device} metric {metric}"])

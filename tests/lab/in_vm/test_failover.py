# SPDX-License-Identifier: GPL-2.0-or-later
"""OSA failover: the uplink is a VLAN on an active-backup bond with fail_over_mac=active, which IBM
requires for OSA: the uplink's MAC changes with the bond's active port.

The kernel then announces the host's own addresses, but nobody announces the guests' that the host
answers for: the LAN goes on sending to the old MAC. This needs bonding and VLAN in the kernel;
../test_failover.py runs this file under one that has both.
"""

import itertools
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
os.environ["KVMR_TOPOLOGY"] = str(HERE / "failover.json")

import labcase  # noqa: E402  (a neighbour of this directory, not in Python's path)

BOND, UPLINK = "bond0", "o5s_10g_1"
HOST_ADDRESS = "10.131.11.254"
LIMIT = 2.0  # seconds until the LAN reaches the guests again
OUTAGE = 10.0  # seconds in which it does not without the product
INTERVAL = 0.1  # seconds between two pings: how exactly a gap is measured


class Pinger:
    """A ping that runs until the end of its block and notes when every reply came."""

    def __init__(self, host, address):
        self.address = address
        self._host = host
        self._output = self._process = None

    def __enter__(self):
        self._output = tempfile.TemporaryFile()
        self._process = self._host.popen("ping", "-n", "-D", "-i", str(INTERVAL), self.address,
                                         stdout=self._output, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_):
        self._process.stop(signal.SIGINT)
        self._output.close()

    def replies(self):
        """The times of all replies so far, in seconds since the epoch."""
        size = os.fstat(self._output.fileno()).st_size
        text = os.pread(self._output.fileno(), size, 0).decode(errors="replace")
        return [float(when) for when in re.findall(r"^\[([\d.]+)\] .* time=", text, re.MULTILINE)]

    def gap(self, since):
        """The longest time without a reply, in seconds, from the last one before `since` to now."""
        replies = self.replies()
        before = max(when for when in replies if when <= since)
        times = [before, *(when for when in replies if when > since), time.time()]
        return max(later - earlier for earlier, later in itertools.pairwise(times))


class Failover(labcase.LabCase):
    """An LPAR with that uplink, its guests, and a server in the VLAN."""

    BY_HAND = f"""
        ip link add br-ex type bridge
        ip link set br-ex mtu 57344 up
        ip address add 10.136.11.254/24 dev br-ex
        for link in br-ex {UPLINK}; do
            echo 1 > /proc/sys/net/ipv4/conf/$link/forwarding
            echo 1 > /proc/sys/net/ipv4/conf/$link/proxy_arp
            echo 0 > /proc/sys/net/ipv4/neigh/$link/proxy_delay
        done
    """
    UNDO_BY_HAND = f"""
        ip link del br-ex
        echo 0 > /proc/sys/net/ipv4/conf/{UPLINK}/proxy_arp
        echo 0 > /proc/sys/net/ipv4/conf/{UPLINK}/forwarding
        echo 80 > /proc/sys/net/ipv4/neigh/{UPLINK}/proxy_delay
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar, cls.server = cls.cec["lpar11"], cls.cec["lanserver"]
        cls.server.ip_batch(["link add link eth0 name vlan100 type vlan id 100",
                             "address add 10.10.10.10/8 dev vlan100",
                             "link set vlan100 up"])
        # The server believes what it learnt for 30 s at least, however slow this machine is.
        cls.server.sysctl("net/ipv4/neigh/vlan100/base_reachable_time_ms", 60000)
        names = (BOND, *(link["name"] for link in cls.lpar.links), UPLINK)
        for name in names:
            cls.lpar.load_profile(cls.lpar.profile(name), name)

        def connected():
            states = cls.lpar.devices()
            return all(states.get(name) == "connected" for name in names)

        cls.lpar.wait_for(connected, 60, f"{', '.join(names)} connected")

    def test_the_lan_loses_the_guests_without_the_product(self):
        """The failover is what it seems: where all is done by hand, and nothing announced, the LAN
        reaches the host again, but not its guests."""
        self.addCleanup(self.lpar.sh, self.UNDO_BY_HAND)
        self.lpar.sh(self.BY_HAND)
        self.lpar.attach_guests()
        host, *guests = self.pingers(HOST_ADDRESS, *self.guest_addresses())
        _, when = self.fail_over()
        time.sleep(OUTAGE + LIMIT)
        self.assertLess(host.gap(when), LIMIT)
        for guest in guests:
            self.assertGreater(guest.gap(when), OUTAGE, guest.address)

    def test_the_lan_reaches_the_guests_again(self):
        """There and back."""
        self.lpar.load_profile(self.lpar.profile("guests11"), "guests11")
        self.lpar.up("guests11", timeout=60)
        pingers = self.pingers(*self.guest_addresses())
        for way in ("there", "back"):
            lost, when = self.fail_over()
            time.sleep(2 * LIMIT)
            for pinger in pingers:
                gap = pinger.gap(when)
                print(f"{way}: {pinger.address}: {gap:.2f} s without a reply", flush=True)
                self.assertLess(gap, LIMIT, pinger.address)
            self.repair(lost)

    def guest_addresses(self):
        return [guest.address for guest in self.lpar.guests.values()]

    def pingers(self, *addresses):
        """Pingers of the server's that get replies already. Nobody knows anything from before: what
        the server believes, it has just learnt."""
        for host in (self.server, *self.lpar.guests.values()):
            host.run("ip", "neigh", "flush", "all")
        pingers = [self.enterContext(Pinger(self.server, address)) for address in addresses]
        for pinger in pingers:
            self.lpar.wait_for(lambda: len(pinger.replies()) >= 10, 30,
                               f"replies of {pinger.address} to {self.server.name}")
        return pingers

    def active(self):
        """The bond's active port, and the MACs of the bond and of the uplink."""
        files = [f"{BOND}/bonding/active_slave", f"{BOND}/address", f"{UPLINK}/address"]
        return self.lpar.run("cat", *(f"/sys/class/net/{name}" for name in files)).stdout.split()

    def fail_over(self):
        """Cut the active port's cable: that port, and when. The other one is active afterwards, and
        the uplink really has its MAC."""
        macs = {link["name"]: link["mac"] for link in self.lpar.links}
        lost, *_ = before = self.active()
        other, = set(macs) - {lost}
        self.assertEqual(before, [lost, macs[lost], macs[lost]])
        when = time.time()
        self.set_cable(lost, "down")
        self.addCleanup(self.repair, lost)
        self.lpar.wait_for(lambda: self.active() == [other, macs[other], macs[other]], 20,
                           f"{other} active, its MAC on {BOND} and {UPLINK}")
        return lost, when

    def repair(self, port):
        """Mend a port's cable; the bond may use it again."""
        self.set_cable(port, "up")
        status = f"/sys/class/net/{port}/bonding_slave/mii_status"
        self.lpar.wait_for(lambda: self.lpar.run("cat", status).stdout == "up\n", 20,
                           f"{port} up in {BOND}")

    def set_cable(self, port, state):
        """The far end of a port's cable, at the LAN's switch."""
        number = [link["name"] for link in self.lpar.links].index(port)
        self.cec.segments["lan"].ip_batch([f"link set lpar11-{number} {state}"])


if __name__ == "__main__":
    labcase.main()

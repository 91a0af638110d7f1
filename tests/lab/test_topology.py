# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual CEC itself, without the product: is it what the topology says, and does it end?"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import labcase
import reachability
from cec import Cec
from hosts import LabError, wait_for

LAB = pathlib.Path(__file__).parent
NAMESPACES = ("net", "mnt", "pid", "uts", "ipc")


class Neighbours(labcase.LabCase):
    """Who shares a link reaches the other end, and nobody reaches more."""

    with_product = False

    def setUp(self):
        self.lpars = self.cec.lpars.values()

    def test_networkmanager_has_the_links(self):
        for lpar in self.lpars:
            states = lpar.devices()
            for link in lpar.links:
                self.assertEqual(states[link["name"]], "connected", f"{lpar.name} {link['name']}")
            for guest in lpar.guests.values():
                self.assertEqual(states[guest.port], "unmanaged")

    def test_mtu(self):
        for lpar in self.lpars:
            mtus = {link["ifname"]: link["mtu"] for link in lpar.ip("link")}
            for link in lpar.links:
                self.assertEqual(mtus[link["name"]], link["mtu"])
            for guest in lpar.guests.values():
                self.assertEqual(mtus[guest.port], 57344)
                self.assertEqual(guest.link("vic_10g_2")["mtu"], 57344)

    def test_lan(self):
        for lpar in self.lpars:
            self.assert_reaches(lpar, "10.10.10.10", server="lanserver")
            self.assert_reaches("lanserver", f"10.131.{lpar.id}.254", server=lpar)

    def test_intranet(self):
        for lpar in self.lpars:
            reply = self.assert_reaches(lpar, "172.18.0.100", server="intraserver")
            self.assertEqual(reply.source, f"172.18.0.{lpar.id}")

    def test_hipersockets_layer_2(self):
        one, other = self.lpars
        self.assert_reaches(one, "172.31.56.2", server=other, size=1_000_000)
        self.assertTrue(other.ping("172.31.56.1", size=57344 - 28), "a full frame of 56 KiB")

    def test_hipersockets_layer_3(self):
        for lpar, address in zip(self.lpars, ("172.31.57.1", "172.31.57.2")):
            self.assertIn("NOARP", lpar.link("hs57_0")["flags"])
            with lpar.capture("hs57_0", "arp") as seen:
                self.assert_reaches(lpar, "172.31.57.10", server="zos")
                self.assert_reaches("zos", address, server=lpar)
            # NetworkManager announces the address of any link; nobody asks for one.
            announcements = seen.matching(f"who-has {address} tell {address}")
            self.assertEqual(seen.lines, announcements)

    def test_nothing_is_routed(self):
        for lpar in self.lpars:
            self.assertEqual(lpar.sysctl("net/ipv4/ip_forward"), "0")
            for guest in lpar.guests.values():
                self.assertEqual(guest.ping("10.10.10.10", count=1).received, 0)

    def test_fingerprint_tells_a_change_from_none(self):
        lpar, _ = self.lpars
        before = lpar.settled_fingerprint()
        self.assertEqual(lpar.ping("10.10.10.10").received, 2)
        self.assertEqual(lpar.fingerprint(), before)
        lpar.sysctl("net/ipv4/conf/o5s_10g_1/proxy_arp", 1)
        self.assertNotEqual(lpar.fingerprint(), before)
        lpar.sysctl("net/ipv4/conf/o5s_10g_1/proxy_arp", 0)
        self.assertEqual(lpar.fingerprint(), before)

    def test_links_are_profiles(self):
        lpar, _ = self.lpars
        lpar.nmcli("device", "disconnect", "o5s_10g_1")
        self.assertEqual(lpar.ping("10.10.10.10", count=1).received, 0)
        lpar.nmcli("connection", "up", "o5s_10g_1")
        self.assertTrue(lpar.ping("10.10.10.10"))
        lpar.restart_nm()
        self.assertTrue(lpar.ping("10.10.10.10"))

    def test_an_error_shows_command_output_and_log(self):
        lpar, _ = self.lpars
        with self.assertRaises(LabError) as caught:
            lpar.nmcli("connection", "up", "no-such-profile")
        for part in ("nmcli connection up no-such-profile", "exit status 10",
                     "unknown connection", "NetworkManager.log"):
            self.assertIn(part, str(caught.exception))

    def test_no_step_hangs(self):
        lpar, _ = self.lpars
        begin = time.monotonic()
        with self.assertRaisesRegex(LabError, "did not end within 0.5 s"):
            lpar.sh("sleep 60 & sleep 60", timeout=0.5)
        self.assertLess(time.monotonic() - begin, 5)


class Bus(labcase.LabCase):
    """The LPAR's D-Bus starts services on demand, as the product wants it."""

    with_product = False
    PROGRAM = """#!/bin/sh
        echo "lab service runs as $(id -un) on $(hostname)" >&2
        """
    SERVICE = """[D-BUS Service]
Name=org.example.Lab
Exec=/usr/libexec/lab-service
User=root
"""

    def test_activation(self):
        lpar = self.cec["lpar12"]
        lpar.write_file("/usr/libexec/lab-service", self.PROGRAM, "755")
        lpar.write_file("/usr/share/dbus-1/system-services/org.example.Lab.service", self.SERVICE)

        def started():
            lpar.sh("dbus-send --system --dest=org.freedesktop.DBus --print-reply "
                    "/org/freedesktop/DBus org.freedesktop.DBus.ReloadConfig")
            lpar.run("dbus-send", "--system", "--dest=org.example.Lab", "/", "org.example.Lab.Go")
            return "lab service runs as root on lpar12" in lpar.logs["dbus"].read_text()

        lpar.wait_for(started, 10, "the service's words in the log of the bus")
        self.assertFalse(os.path.exists("/usr/libexec/lab-service"), "it is the machine's, too")
        self.assertFalse(self.cec["lpar11"].sh("ls /usr/libexec").stdout.count("lab-service"))


class TalkByHand(labcase.LabCase):
    """The talk's own commands make the scenarios work here: so the topology is the talk's."""

    with_product = False
    # The talk drops by default and accepts the links; forwarding of the masquerade link is what it
    # forgot. The neighbour's proxy_delay would make every first packet slow.
    COMMANDS = """
        ip link add br-ex type bridge
        ip link set br-ex mtu 57344 txqueuelen 2500 up
        for subnet in 136 137; do ip address add 10.$subnet.{id}.254/24 dev br-ex; done
        for link in br-ex o5s_10g_1 hs56k_0 hs57_0 o5s_1g_1; do
            echo 1 > /proc/sys/net/ipv4/conf/$link/forwarding
        done
        for link in br-ex o5s_10g_1; do
            echo 1 > /proc/sys/net/ipv4/conf/$link/proxy_arp
            echo 0 > /proc/sys/net/ipv4/neigh/$link/proxy_delay
        done
        arptables -P INPUT DROP
        for subnet in 131 136 137; do
            arptables -I INPUT -d 10.$subnet.{id}.0/24 -i o5s_10g_1 -j ACCEPT
        done
        for link in br-ex hs56k_0 o5s_1g_1; do arptables -I INPUT -i $link -j ACCEPT; done
        iptables -P FORWARD DROP
        for link in br-ex o5s_10g_1 hs56k_0 hs57_0; do
            iptables -I FORWARD 1 -i $link -j ACCEPT
            iptables -I FORWARD 1 -o $link -j ACCEPT
        done
        iptables -t nat -A POSTROUTING -o o5s_1g_1 -j MASQUERADE
        iptables -A FORWARD -i o5s_1g_1 -o br-ex -m state --state RELATED,ESTABLISHED -j ACCEPT
        iptables -A FORWARD -i br-ex -o o5s_1g_1 -j ACCEPT
        for subnet in 136 137; do
            ip route add 10.$subnet.{other}.0/24 via 172.31.56.{gateway} dev hs56k_0
        done
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        one, other = cls.cec.lpars.values()
        for lpar, peer, gateway in (one, other, 2), (other, one, 1):
            # What was done by hand is gone with the LPAR's network.
            cls.addClassCleanup(cls.cec.reboot, lpar)
            lpar.sh(cls.COMMANDS.format(id=lpar.id, other=peer.id, gateway=gateway))
            lpar.attach_guests()

    def test_all_scenarios(self):
        for row in reachability.rows(self.cec.topology):
            if not row.refused:
                with self.subTest(str(row)):
                    outcome = reachability.attempt(self.cec, row)
                    self.assertTrue(outcome.ok, outcome)

    def test_a_refusal_needs_the_product(self):
        """A row that must be refused is not so by an accident of the topology."""
        self.addCleanup(self.cec["lanserver"].run, "ip", "neighbour", "flush", "all")
        for lpar in self.cec.lpars.values():
            lpar.sh("iptables -P FORWARD ACCEPT; arptables -P INPUT ACCEPT")
            self.addCleanup(lpar.sh, "iptables -P FORWARD DROP; arptables -P INPUT DROP")
        for row in reachability.rows(self.cec.topology):
            if row.refused:
                with self.subTest(str(row)):
                    outcome = reachability.attempt(self.cec, row)
                    self.assertFalse(outcome.ok, outcome)


class Isolated(labcase.LabCase):
    """Guests on a switch without a host that routes reach each other, and nobody else."""

    with_product = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for lpar in cls.cec.lpars.values():
            cls.addClassCleanup(cls.cec.reboot, lpar)
            lpar.sh("ip link add br-ex type bridge; ip link set br-ex mtu 57344 up")
            lpar.attach_guests()

    def test_guests_reach_each_other_only(self):
        guest = self.cec["lpar11/guest1"]
        self.assert_reaches(guest, "10.136.11.2", server="lpar11/guest2")
        for address in ("10.10.10.10", "10.136.12.1", "172.31.57.10", "172.18.0.100",
                        "10.131.11.254", "10.137.11.1"):
            self.assert_refused(guest, address)

    def test_the_switch_is_made_again(self):
        lpar = self.cec["lpar12"]
        lpar.sh("ip link del br-ex; ip link add br-ex type bridge; "
                "ip link set br-ex mtu 57344 up")
        lpar.attach_guests()
        lpar.attach_guests()
        self.assert_reaches("lpar12/guest1", "10.136.12.2", server="lpar12/guest2")


class Ending(unittest.TestCase):
    """Nothing is left, however a run ends."""

    CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from cec import Cec

SYSTEMS = "machine"
with Cec(keep=False) as cec:
    print(cec.directory, *(host.holder for host in cec.hosts()), flush=True)
    {action}
"""

    def namespaces(self, pids):
        """Their names, held to the end of the test: else others may be made under the same."""
        names = set()
        for path in (f"/proc/{pid}/ns/{kind}" for pid in pids for kind in NAMESPACES):
            self.addCleanup(os.close, os.open(path, os.O_RDONLY))
            names.add(os.readlink(path))
        return names

    def left_over(self, namespaces):
        """Processes in any of these namespaces."""
        left = set()
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            for kind in NAMESPACES:
                with contextlib.suppress(OSError):
                    if os.readlink(process / "ns" / kind) in namespaces:
                        left.add(process.name)
        return left

    def assert_nothing_left(self, directory, namespaces, files=True):
        wait_for(lambda: not self.left_over(namespaces), 30, "the end of all processes")
        mounts = pathlib.Path("/proc/self/mountinfo").read_text()
        self.assertNotIn(str(directory), mounts)
        if files:
            self.assertFalse(pathlib.Path(directory).exists())

    def child(self, action):
        return subprocess.Popen([sys.executable, "-c", self.CHILD.format(action=action), str(LAB)],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                start_new_session=True)

    def end_child(self, number, files=True):
        with self.child("time.sleep(60)") as process:
            directory, *pids = process.stdout.readline().split()
            namespaces = self.namespaces(pids) - self.namespaces(["self"])
            self.assertEqual(len(namespaces), len(pids) * len(NAMESPACES))
            process.send_signal(number)
            process.wait(20)
        self.assert_nothing_left(directory, namespaces, files)
        return directory

    def test_end_of_the_block(self):
        with Cec(keep=False) as cec:
            directory = cec.directory
            cec["lpar11/guest1"].serve()
            cec["zos"].popen("sleep", "1000")
            namespaces = self.namespaces([host.holder for host in cec.hosts()])
        self.assert_nothing_left(directory, namespaces)

    def test_exception(self):
        with self.assertRaisesRegex(LabError, "exit status 1"), Cec(keep=False) as cec:
            directory = cec.directory
            namespaces = self.namespaces([host.holder for host in cec.hosts()])
            cec["lanserver"].run("false")
        self.assert_nothing_left(directory, namespaces)

    def test_sigint(self):
        self.end_child(signal.SIGINT)

    def test_sigterm(self):
        self.end_child(signal.SIGTERM)

    def test_sigkill(self):
        """Even then; only files stay, and the next run removes them."""
        directory = self.end_child(signal.SIGKILL, files=False)
        with Cec(keep=False):
            self.assertFalse(os.path.exists(directory))


class SideBySide(unittest.TestCase):
    """Two CECs with the same addresses don't see each other."""

    def test_two(self):
        with Cec(keep=False) as one, Cec(keep=False) as other:
            self.assertNotEqual(one.directory, other.directory)
            with other["lanserver"].capture("eth0") as seen:
                self.assertTrue(one["lpar11"].ping("10.10.10.10"))
                self.assertTrue(one["lpar12"].ping("172.31.56.1"))
            # What NetworkManager announces of its own addresses comes from the other's own LPARs.
            self.assertEqual(seen.matching("who-has 10.10.10.10") + seen.matching("ICMP"), [])
            other["lanserver"].stop()
            self.assertTrue(one["lpar11"].ping("10.10.10.10"))
            self.assertFalse(other["lpar11"].ping("10.10.10.10", count=1))


if __name__ == "__main__":
    labcase.main()

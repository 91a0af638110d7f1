# SPDX-License-Identifier: GPL-2.0-or-later
"""The real libvirtd with its NAT network, and the real dockerd, beside a kvm-routed network."""

import contextlib
import itertools
import subprocess

import labcase
import reachability
from cec import cable_end
from hosts import ENVIRONMENT, Host

SYSTEMS = "machine"

PROFILE, SWITCH, CODE = "guests11", "br-ex", "forward-blocked"
LAN, GUEST = "10.10.10.10", "10.136.11.1"
HOST_ON_LAN = "10.131.11.254"


class Daemon:
    """A daemon of somebody else in an LPAR, with directories of its own: a context manager."""

    ARGV, DIRECTORIES = (), ()

    def __init__(self, lpar):
        self.lpar = lpar
        self.process = None

    def __enter__(self):
        for directory in self.DIRECTORIES:
            self.lpar.run("mkdir", "-p", directory)
            self.lpar.run("mount", "-t", "tmpfs", "tmpfs", directory)
        with open(self.lpar.directory / f"{self.ARGV[0]}.log", "ab") as log:
            self.process = self.lpar.popen(*self.ARGV, stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.stop()
        self.process.stop()
        for directory in self.DIRECTORIES:
            self.lpar.run("umount", "-l", directory)

    def stop(self):
        """Undo what was done by its commands."""


class Libvirt(Daemon):
    """libvirtd and its network `default`: virbr0, 192.168.122.0/24, NAT."""

    ARGV = ("libvirtd",)
    DIRECTORIES = ("/var/lib/libvirt", "/var/cache/libvirt")
    SWITCH, GATEWAY = "virbr0", "192.168.122.1"

    def __enter__(self):
        super().__enter__()
        self.lpar.run("mkdir", "-p", "/var/lib/libvirt/dnsmasq", "/var/lib/libvirt/network")
        self.lpar.wait_for(lambda: "default" in self.virsh("net-list", "--all"), 20,
                           "libvirtd answers")
        return self

    def virsh(self, *argv):
        return self.lpar.run("virsh", "-c", "network:///system", *argv).stdout

    def start(self):
        self.virsh("net-start", "default")

    def stop(self):
        if self.lpar.link(self.SWITCH):
            self.virsh("net-destroy", "default")


class Docker(Daemon):
    """dockerd and its network: docker0, 172.17.0.0/16. It is up as long as the daemon is, and what
    it did to the host stays."""

    SOCKET = "unix:///run/docker.sock"
    ARGV = ("dockerd", "--storage-driver=vfs", "-H", SOCKET)
    DIRECTORIES = ("/var/lib/docker", "/var/lib/containerd")
    SWITCH, GATEWAY = "docker0", "172.17.0.1"

    def __enter__(self):
        self.lpar.sh("mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup")
        super().__enter__()
        self.lpar.wait_for(
            lambda: self.lpar.run("docker", "-H", self.SOCKET, "info", check=False).returncode == 0,
            40, "dockerd answers")
        return self


class SideBySide(labcase.LabCase):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for lpar, name in ((cls.cec["lpar11"], PROFILE), (cls.cec["lpar12"], "guests12")):
            text = lpar.profile(name).replace("[connection]", "[connection]\nautoconnect=false", 1)
            lpar.load_profile(text, name)
        cls.cec["lpar12"].up("guests12")

    def setUp(self):
        self.lpar, self.guest = self.cec["lpar11"], self.cec["lpar11/guest1"]
        self.server = self.cec["lanserver"]
        self.addCleanup(self.forget_others)
        self.addCleanup(self.take_down)

    def take_down(self):
        if self.lpar.link(SWITCH):
            self.lpar.down(PROFILE)

    def forget_others(self):
        """What others leave behind."""
        self.lpar.sh("""
            nft flush ruleset
            sysctl -q -w net.ipv4.ip_forward=0
            ip link del docker0 2>/dev/null || true""")

    @contextlib.contextmanager
    def attached(self, daemon, address):
        """A guest, or a container, of the other's network."""
        link = {"name": "eth0", "mtu": 1500, "addresses": [address],
                "routes": [f"default via {daemon.GATEWAY}"]}
        host = Host("other", {"links": [link]})
        host.start()
        try:
            host.ready()
            ends = [cable_end(end, {"name": name, "mtu": 1500})
                    for end, name in ((host, "eth0"), (self.lpar, "vnetnat"))]
            subprocess.run(f"ip link add {ends[0]} type veth peer {ends[1]}".split(), check=True,
                           env=ENVIRONMENT, timeout=30)
            host.configure(host.links)
            self.lpar.run("ip", "link", "set", "vnetnat", "master", daemon.SWITCH, "up")
            yield host
        finally:
            host.stop()
            self.lpar.wait_for(lambda: not self.lpar.link("vnetnat"), 10, "vnetnat is gone")

    def assert_other_works(self, other):
        """Its guest reaches the LAN behind the host's address."""
        def reached():
            reply = other.tcp(LAN)
            assert reply and reply.source == HOST_ON_LAN, reply
            return True

        self.server.serve(7000)
        self.lpar.wait_for(reached, 20, "the other network's guest reaches the LAN")
        self.assertTrue(other.ping(LAN))

    def assert_ours_works(self):
        for row in reachability.rows(self.cec.topology):
            if any(name.startswith("lpar11") for name in (row.source, row.target)):
                with self.subTest(str(row)):
                    outcome = reachability.attempt(self.cec, row)
                    self.assertTrue(outcome.ok, outcome)

    def assert_apart(self, other):
        self.assert_refused(other, GUEST, server=self.guest)
        self.assert_refused(self.guest, reachability.first_address(other), server=other)

    def findings(self):
        return [finding for finding in self.lpar.network(PROFILE)["findings"]
                if finding["code"] == CODE]

    def forwarding(self):
        return {link["name"]: self.lpar.sysctl(f"net/ipv4/conf/{link['name']}/forwarding")
                for link in self.lpar.links}


class LibvirtBeside(SideBySide):

    def run_sequence(self, libvirt, ours_first_up, ours_first_down):
        if ours_first_up:
            self.lpar.up(PROFILE)
        libvirt.start()
        with self.attached(libvirt, "192.168.122.22/24") as other:
            self.assert_other_works(other)
            if not ours_first_up:
                self.lpar.up(PROFILE)
                self.assert_other_works(other)
            self.assert_ours_works()
            self.assert_apart(other)
            self.assertEqual(self.findings(), [])
            if ours_first_down:
                self.lpar.down(PROFILE)
                self.assertEqual(set(self.forwarding().values()), {"1"})
                self.assert_other_works(other)
            libvirt.stop()
        if not ours_first_down:
            self.assert_reaches(self.guest, LAN, server=self.server)
            self.assert_reaches(self.server, GUEST, server=self.guest)
            self.lpar.down(PROFILE)
        self.assertNotIn("kvm_routed", self.lpar.run("nft", "list", "ruleset").stdout)

    def test_all_orders(self):
        with Libvirt(self.lpar) as libvirt:
            for orders in itertools.product((False, True), repeat=2):
                up, down = ("ours" if first else "libvirt" for first in orders)
                with self.subTest(f"{up} first up, {down} first down"):
                    self.lpar.sysctl("net/ipv4/ip_forward", 0)
                    self.run_sequence(libvirt, *orders)

    def test_ours_goes_and_comes_while_libvirt_stays(self):
        with Libvirt(self.lpar) as libvirt:
            libvirt.start()
            with self.attached(libvirt, "192.168.122.22/24") as other:
                for _ in range(2):
                    self.lpar.up(PROFILE)
                    self.assert_reaches(self.guest, LAN, server=self.server)
                    self.assert_other_works(other)
                    self.lpar.down(PROFILE)
                    self.assert_other_works(other)


class DockerBeside(SideBySide):
    """dockerd drops what is forwarded, and with br_netfilter bridged frames, too."""

    def setUp(self):
        super().setUp()
        key = "net/bridge/bridge-nf-call-iptables"
        self.addCleanup(self.lpar.sysctl, key, self.lpar.sysctl(key))
        self.lpar.sysctl(key, 1)

    def opened(self):
        """The finding that docker leads to, and its hint executed as it is printed."""
        def found():
            # Until docker has its chains, the hint may be another one.
            return [finding for finding in self.findings() if "DOCKER-USER" in finding["hint"]]

        finding, = self.lpar.wait_for(found, 20, "a finding forward-blocked")
        self.assertIn("table ip filter, chain FORWARD, drops packets from guests, packets to "
                      "guests, packets among guests by", finding["message"])
        self.assertFalse(self.guest.ping(LAN))
        self.assertFalse(self.guest.ping("10.136.11.2"))
        self.assertTrue(finding["hint"].startswith("iptables -I DOCKER-USER -i br-ex -j ACCEPT"))
        self.lpar.sh(finding["hint"])
        self.lpar.wait_for(lambda: not self.findings(), 20, "the finding goes")

    def test_docker_after_us(self):
        self.lpar.up(PROFILE)
        self.assert_reaches(self.guest, LAN, server=self.server)
        with Docker(self.lpar) as docker:
            with self.attached(docker, "172.17.0.22/16") as other:
                self.opened()
                self.assert_ours_works()
                self.assert_other_works(other)
                self.assert_apart(other)
                self.lpar.down(PROFILE)
                self.assertEqual(set(self.forwarding().values()), {"1"})
                self.assert_other_works(other)

    def test_docker_before_us(self):
        with Docker(self.lpar) as docker:
            with self.attached(docker, "172.17.0.22/16") as other:
                self.assert_other_works(other)
                self.lpar.up(PROFILE)
                self.opened()
                self.assert_ours_works()
                self.assert_other_works(other)


if __name__ == "__main__":
    labcase.main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks on interfaces of others, on a host with NetworkManager: who creates, who deletes, and who
has no part in it."""

import labcase
import wicked
from test_libvirt import Libvirt

SYSTEMS = "machine"

NAME, SWITCH = "guests11", "br-ex"
UUID = "5d7a1e40-0000-4000-8000-000000000011"
FILE = f"{wicked.FILES}/{NAME}.nmconnection"
LAN = "10.10.10.10"
ADD = ["connection", "add", "type", "kvm-routed", "con-name", NAME, "ifname", SWITCH, "switch",
       "existing", "connection.uuid", UUID, "ip4", "10.136.11.254/24", "uplink", "o5s_10g_1"]
MAC = "02:00:00:11:11:11"

# As `virsh net-define` takes it: libvirt makes the bridge with the gateway's address, without which
# it has no open forwarding, and leaves all else to others.
LIBVIRT_NETWORK = f"""\
<network>
  <name>guests</name>
  <forward mode='open'/>
  <bridge name='{SWITCH}' stp='off'/>
  <mac address='52:54:00:11:11:11'/>
  <mtu size='57344'/>
  <dns enable='no'/>
  <ip address='10.136.11.254' prefix='24'/>
</network>
"""


class ExistingCase(labcase.LabCase):

    def setUp(self):
        self.lpar = self.cec["lpar11"]
        self.guest = self.cec["lpar11/guest1"]
        self.lpar.sh(f"mkdir -p {wicked.FILES}")
        self.addCleanup(self.lpar.sh, f"rm -f {FILE}; ip link del {SWITCH} 2>/dev/null || true")
        self.addCleanup(self.ctl, "down", NAME, check=False)
        self.write("switch=existing\n")

    def write(self, line):
        text = self.lpar.profile(NAME).replace("[kvm-routed]\n", f"[kvm-routed]\n{line}")
        self.lpar.write_file(FILE, text, mode="600")

    def ctl(self, *words, check=True):
        return self.lpar.run("kvm-routedctl", *words, check=check)

    def make_bridge(self):
        self.lpar.ip_batch([f"link add {SWITCH} address {MAC} type bridge",
                            f"link set {SWITCH} mtu 57344"])

    def wait_routed(self):
        self.lpar.wait_state(NAME, "active")
        self.lpar.attach_guests()
        self.guest.run("ip", "neigh", "flush", "dev", self.guest.nic)
        self.assert_reaches(self.guest, LAN, server="lanserver")

    def connections(self):
        return self.lpar.nmcli("-t", "-f", "NAME,TYPE,DEVICE", "connection").splitlines()


class Bridge(ExistingCase):
    """One that somebody made with `ip`."""

    def test_comes_and_goes(self):
        self.make_bridge()
        before = self.lpar.settled_fingerprint()
        self.ctl("up", NAME)
        self.wait_routed()
        self.lpar.detach_guests()
        self.ctl("down", NAME)
        self.assertEqual(self.lpar.settled_fingerprint(), before)
        self.assertEqual(self.lpar.link(SWITCH)["address"], MAC)

    def test_networkmanager_has_no_part_in_it(self):
        self.make_bridge()
        self.ctl("up", NAME)
        self.wait_routed()
        self.assertNotIn(NAME, "\n".join(self.connections()))
        self.lpar.restart_nm()
        self.lpar.wait_state(NAME, "active")
        self.assert_reaches(self.guest, LAN, server="lanserver")
        self.lpar.stop_nm()
        try:
            self.assertEqual(self.lpar.service_state(NAME), "active")
            self.assert_reaches(self.guest, LAN, server="lanserver")
            self.ctl("down", NAME)
            self.assertEqual(self.lpar.networks(), [])
        finally:
            self.lpar.start_nm()
            self.lpar.connected()

    def test_beside_one_of_networkmanager(self):
        self.make_bridge()
        self.ctl("up", NAME)
        self.wait_routed()
        other = self.lpar.profile(NAME).replace("10.13", "10.23").replace("br-ex", "br-two") \
            .replace("000000000011", "000000000022").replace("guests11", "guests22") \
            .replace("peers=", "#peers=")
        self.lpar.load_profile(other, "guests22")
        self.lpar.nmcli("connection", "up", "guests22")
        self.addCleanup(self.lpar.nmcli, "connection", "delete", "guests22")
        self.lpar.wait_state("guests22", "active")
        self.assertEqual(self.lpar.service_state(NAME), "active")
        self.assert_reaches(self.guest, LAN, server="lanserver")
        for name in "guests22", "br-two", "5d7a1e40-0000-4000-8000-000000000022":
            done = self.ctl("down", name, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("NetworkManager has that network up: nmcli connection down", done.stderr)


class Doors(ExistingCase):
    """Who would make a profile of NetworkManager of it is told what to do instead."""

    def test_nmcli_tells_the_way(self):
        done = self.lpar.run("nmcli", *ADD, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""), done)
        self.assertRegex(done.stderr, r"\AError: [^\n]*nmcli --offline connection add[^\n]*"
                                      r"kvm-routedctl up NAME\n\Z")
        self.assertNotIn(NAME, "\n".join(self.connections()))
        text = self.lpar.run("nmcli", "--offline", *ADD).stdout
        self.lpar.write_file(FILE, text, mode="600")
        self.make_bridge()
        self.ctl("up", NAME)
        self.wait_routed()

    def test_expand_has_nothing_to_print(self):
        done = self.ctl("expand", FILE, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done)
        self.assertIn("NetworkManager would make itself where they are missing", done.stderr)

    def test_a_file_of_networkmanagers_is_not_brought_up(self):
        self.write("")
        done = self.ctl("up", NAME, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rf"Error: NetworkManager runs, and has {FILE} as a "
                                      rf"connection: nmcli connection up {UUID}\n")
        self.assertFalse(self.lpar.link(SWITCH))

    def test_the_generator_leaves_it_alone(self):
        self.lpar.run("/usr/lib/systemd/system-generators/kvm-routed-generator", "a", "b", "c")
        left = self.lpar.sh("ls /run/NetworkManager/system-connections", check=False).stdout
        self.assertNotIn(UUID, left)


class StoppedNetworkManager(ExistingCase):
    """It is installed, and does not run: the service makes the bridge of its file meanwhile."""

    def setUp(self):
        super().setUp()
        self.write("")
        self.lpar.stop_nm()
        self.addCleanup(self.lpar.connected)
        self.addCleanup(self.lpar.start_nm)
        self.addCleanup(self.ctl, "down", NAME, check=False)

    def test_up_and_down(self):
        before = self.lpar.settled_fingerprint()
        self.ctl("up", NAME)
        self.wait_routed()
        self.ctl("down", NAME)
        self.assertFalse(self.lpar.link(SWITCH))
        self.assertEqual(self.lpar.networks(), [])
        self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_bridge_removed_by_somebody(self):
        self.ctl("up", NAME)
        self.lpar.ip_batch([f"link del {SWITCH}"])
        self.lpar.wait_for(lambda: not self.lpar.networks(), 10, "no network", interval=0.1)

    def test_it_starts_and_leaves_the_network_alone(self):
        self.ctl("up", NAME)
        self.wait_routed()
        self.lpar.start_nm()
        self.addCleanup(self.lpar.stop_nm)
        self.lpar.connected()
        self.assertEqual(self.lpar.service_state(NAME), "active")
        self.assert_reaches(self.guest, LAN, server="lanserver")
        self.ctl("down", NAME)
        self.assertFalse(self.lpar.link(SWITCH))


    def test_it_starts_and_takes_the_network_over(self):
        """It has the same profile, and that is brought up: from then on it is its network."""
        before = self.lpar.settled_fingerprint()
        self.ctl("up", NAME)
        self.wait_routed()
        self.lpar.start_nm()
        self.addCleanup(self.lpar.stop_nm)
        self.lpar.connected()
        self.lpar.load_profile(self.lpar.profile(NAME), NAME)
        self.addCleanup(self.lpar.delete_profile, NAME)
        self.lpar.nmcli("connection", "up", UUID)
        self.lpar.wait_for(lambda: f"network {NAME}: NetworkManager has it up now"
                           in self.lpar.logs["dbus"].read_text(), 10, "that is logged")
        self.wait_routed()
        done = self.ctl("down", NAME, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nmcli connection down", done.stderr)
        self.lpar.nmcli("connection", "down", UUID)
        self.lpar.wait_for(lambda: not self.lpar.networks(), 10, "no network", interval=0.1)
        self.lpar.sh(f"ip link del {SWITCH} 2>/dev/null || true")
        self.assertEqual(self.lpar.settled_fingerprint(), before)


class MissingModule(ExistingCase):
    """What needs libnm cannot be loaded while NetworkManager runs, as in the middle of an update."""

    def test_what_is_routed_stays(self):
        self.lpar.load_profile(self.lpar.profile(NAME), NAME)
        self.addCleanup(self.lpar.delete_profile, NAME)
        self.lpar.up(NAME)
        module = self.lpar.sh("ls /usr/lib/*/nm-kvm-routed/*.so").stdout.strip()
        self.lpar.run("mv", module, f"{module}.away")
        try:
            self.lpar.signal_service()
            done = self.ctl("status", check=False)
            self.assertEqual(done.returncode, 8, done.stderr)
            self.lpar.wait_for(
                lambda: "NetworkManager runs, and cannot be asked" in
                self.lpar.logs["dbus"].read_text(), 10, "the reason is logged")
            self.assertIn("kvm_routed", self.lpar.run("nft", "list", "tables").stdout)
            self.assert_reaches(self.guest, LAN, server="lanserver")
        finally:
            self.lpar.run("mv", f"{module}.away", module)
        self.assertEqual(self.lpar.service_state(NAME), "active")


class LibvirtBridge(ExistingCase):
    """The real libvirtd makes it, and removes it."""

    def test_net_start_and_destroy(self):
        with Libvirt(self.lpar) as daemon:
            self.lpar.write_file("/root/guests.xml", LIBVIRT_NETWORK)
            daemon.virsh("net-define", "/root/guests.xml")
            done = self.ctl("up", NAME)
            self.assertIn("is up, and waits: guest interface br-ex does not exist", done.stderr)
            for _ in range(2):
                daemon.virsh("net-start", "guests")
                self.wait_routed()
                daemon.virsh("net-destroy", "guests")
                self.lpar.wait_state(NAME, "activating")
                self.assertFalse(self.lpar.link(SWITCH), "it is libvirt's to make")
            daemon.virsh("net-start", "guests")
            self.wait_routed()
            self.ctl("down", NAME)
            self.assertTrue(self.lpar.link(SWITCH), "and to remove")
            daemon.virsh("net-destroy", "guests")


if __name__ == "__main__":
    labcase.main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Beside a real firewalld: whatever comes first, and whatever it does, guests reach what they reach
without it, and nobody else gets through."""

import time

import labcase
import reachability
from firewalld import Firewalld, put_files, remove_files
from flows import Echoes
from hosts import wait_for

ZONE = "kvm-routed"
WHITELIST = """\
<?xml version="1.0" encoding="utf-8"?>
<whitelist>
  <command name="/usr/bin/python3 /usr/bin/firewall-cmd*"/>
</whitelist>
"""
TABLES = "arp", "ip", "ip6"


def profile_name(lpar):
    return next(iter(lpar.config["profiles"]))


class FirewalldCase(labcase.LabCase):
    """`self.firewalls` has a firewalld for each LPAR, `self.firewall` that of `self.lpar`; they run
    where a class says so with `firewalls_up`."""

    firewalls_up = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.firewalls = [Firewalld(lpar) for lpar in cls.cec.lpars.values()]
        for firewall in cls.firewalls:
            cls.addClassCleanup(firewall.stop)
        cls.firewall = cls.firewalls[0]
        cls.lpar = cls.firewall.lpar
        cls.guest = cls.lpar.guests["guest1"]
        if cls.firewalls_up:
            cls.start_firewalls()

    @classmethod
    def start_firewalls(cls):
        for firewall in cls.firewalls:
            firewall.start()
        if cls.profiles_up:
            cls.wait_zones()

    @classmethod
    def wait_zones(cls):
        for firewall in cls.firewalls:
            firewall.wait_zone(firewall.lpar.switch, ZONE)

    def assert_rows(self, rows=None):
        """All rows of the topology, or these, are as they are without firewalld."""
        for row in rows or reachability.rows(self.cec.topology):
            with self.subTest(str(row)):
                outcome = reachability.attempt(self.cec, row)
                self.assertTrue(outcome.ok, outcome)

    def one_row_each(self):
        """A row of each scenario, and all that must be refused."""
        rows, seen = [], set()
        for row in reachability.rows(self.cec.topology):
            if row.refused or row.scenario not in seen:
                rows.append(row)
                seen.add(row.scenario)
        return rows

    def set_zone(self, lpar, profile, zone):
        """connection.zone of a stored profile until the end of the test; NetworkManager tells
        firewalld at once."""
        lpar.nmcli("connection", "modify", profile, "connection.zone", zone)
        self.addCleanup(lpar.nmcli, "connection", "modify", profile, "connection.zone", "")

    def our_tables(self):
        """Our tables as the kernel has them, with the numbers that it gave them."""
        return {family: self.lpar.run("nft", "-s", "-a", "list", "table", family,
                                      "kvm_routed").stdout for family in TABLES}


class Defaults(FirewalldCase):
    """Networks that were up before firewalld came, and whose profiles name no zone."""

    profiles_up = True
    firewalls_up = True

    def test_all_scenarios_and_all_refusals(self):
        self.assert_rows()

    def test_nothing_is_stored_in_the_profile_and_nothing_in_the_configuration(self):
        for firewall in self.firewalls:
            name = profile_name(firewall.lpar)
            zone = firewall.lpar.nmcli("-g", "connection.zone", "connection", "show", name)
            self.assertEqual(zone.strip(), "")
            found = firewall.lpar.run("find", "/etc/firewalld", "-name", "*.xml", "-newer",
                                      "/usr/lib/firewalld/zones/kvm-routed.xml").stdout.split()
            self.assertEqual([path for path in found if "lockdown" not in path], [])

    def test_other_interfaces_stay_where_they_are(self):
        for link in self.lpar.links:
            self.assertEqual(self.firewall.zone_of(link["name"]), "public")

    def test_firewalld_takes_our_files_without_a_word(self):
        self.assertEqual(self.firewall.complaints(), [])
        self.assertEqual(self.firewall.cmd("--check-config"), "success")

    def test_what_firewalld_itself_knows_of_the_zone(self):
        self.assertEqual(self.firewall.cmd(f"--zone={ZONE}", "--query-forward"), "yes")
        self.assertIn("target: ACCEPT", self.firewall.cmd("--info-zone=kvm-routed"))
        for policy, ingress, egress in (("kvm-routed-in", "ANY", ZONE),
                                        ("kvm-routed-out", ZONE, "ANY")):
            info = self.firewall.cmd(f"--info-policy={policy}")
            self.assertIn(f"ingress-zones: {ingress}", info)
            self.assertIn(f"egress-zones: {egress}", info)


class LinksInOtherZones(FirewalldCase):
    """An administrator has sorted the links into zones; firewalld refuses between zones."""

    profiles_up = True
    firewalls_up = True

    ZONES = {"hs56k_0": "internal", "hs57_0": "internal", "o5s_1g_1": "work"}

    def setUp(self):
        for firewall in self.firewalls:
            for link, zone in self.ZONES.items():
                self.set_zone(firewall.lpar, link, zone)
                firewall.wait_zone(link, zone)

    def test_all_scenarios_and_all_refusals(self):
        self.assert_rows()

    def test_without_our_zone_firewalld_refuses(self):
        """Else the other test would show nothing. And the administrator's word counts."""
        self.set_zone(self.lpar, profile_name(self.lpar), "public")
        self.firewall.wait_zone("br-ex", "public")
        self.assert_refused(self.guest, "172.31.57.10", server="zos")
        self.assert_refused("zos", self.guest.address, server=self.guest)
        self.assert_refused(self.guest, "172.18.0.100", server="intraserver")
        self.firewall.reload()
        self.firewall.wait_zone("br-ex", "public")
        self.assert_refused(self.guest, "172.31.57.10", server="zos")

    def test_policies_open_nothing_between_other_zones(self):
        """Not even where the host forwards everything, and no network of ours is up."""
        name = profile_name(self.lpar)
        self.lpar.down(name)
        self.addCleanup(self.lpar.up, name)
        self.lpar.sysctl("net/ipv4/ip_forward", 1)
        self.addCleanup(self.lpar.sysctl, "net/ipv4/ip_forward", 0)
        for host, route in (("zos", "10.10.10.10 via 172.31.57.1 src 172.31.57.10"),
                            ("lanserver", "172.31.57.0/24 via 10.131.11.254")):
            self.cec[host].run("ip", "route", "replace", *route.split())
            self.addCleanup(self.cec[host].run, "ip", "route", "del", *route.split())
        self.assert_refused("zos", "10.10.10.10", server="lanserver")
        self.firewall.cmd("--zone=public", "--change-interface=hs57_0")
        self.assert_reaches("zos", "10.10.10.10", server="lanserver")


class IptablesBackend(FirewalldCase):
    """firewalld with FirewallBackend=iptables, as an administrator may have it."""

    profiles_up = True
    CONFIGURATION = "/etc/firewalld/firewalld.conf"

    def test_all_scenarios_and_all_refusals(self):
        for firewall in self.firewalls:
            text = firewall.lpar.run("cat", self.CONFIGURATION).stdout
            self.addCleanup(firewall.lpar.write_file, self.CONFIGURATION, text)
            firewall.lpar.write_file(self.CONFIGURATION, text.replace(
                "FirewallBackend=nftables", "FirewallBackend=iptables"))
        self.start_firewalls()
        rules = self.lpar.run("iptables-save").stdout
        self.assertIn("-A FORWARD -j REJECT", rules)
        for firewall in self.firewalls:
            for link, zone in LinksInOtherZones.ZONES.items():
                self.set_zone(firewall.lpar, link, zone)
                firewall.wait_zone(link, zone)
        self.assert_rows(self.one_row_each())


class ZoneOfTheProfile(FirewalldCase):
    """connection.zone: the administrator's own stays, else ours at run time."""

    profiles_up = True
    firewalls_up = True

    def setUp(self):
        self.name = profile_name(self.lpar)
        self.firewall.wait_zone("br-ex", ZONE)
        self.addCleanup(self.firewall.wait_zone, "br-ex", ZONE)

    def assert_stays(self, zone):
        """It is there, and still is after what makes NetworkManager and us look again."""
        self.firewall.wait_zone("br-ex", zone)
        self.firewall.reload()
        self.lpar.nmcli("device", "reapply", "br-ex")
        self.lpar.run("kvm-routedctl", "status", check=False)
        self.firewall.wait_zone("br-ex", zone)
        time.sleep(1)
        self.assertEqual(self.firewall.zone_of("br-ex"), zone)

    def test_own_zone_stays(self):
        self.set_zone(self.lpar, self.name, "dmz")
        self.assert_stays("dmz")

    def test_own_zone_that_is_the_default_zone_stays(self):
        self.set_zone(self.lpar, self.name, "public")
        self.assert_stays("public")

    def test_zone_given_at_run_time_stays(self):
        self.firewall.cmd("--zone=work", "--change-interface=br-ex")
        time.sleep(1)
        self.assertEqual(self.firewall.zone_of("br-ex"), "work")
        self.firewall.cmd("--zone=public", "--change-interface=br-ex")

    def test_reapply_and_a_restart_of_networkmanager_keep_ours(self):
        self.lpar.nmcli("device", "reapply", "br-ex")
        self.firewall.wait_zone("br-ex", ZONE)
        self.lpar.restart_nm()
        self.lpar.wait_state(self.name, "active")
        self.firewall.wait_zone("br-ex", ZONE)

    def test_after_down_the_zone_is_empty(self):
        self.lpar.down(self.name)
        self.addCleanup(self.lpar.up, self.name)
        self.lpar.wait_for(
            lambda: self.firewall.cmd(f"--zone={ZONE}", "--list-interfaces") == "", 10,
            "no interface in our zone")

    def test_a_service_that_was_away_while_firewalld_was_reloaded(self):
        self.lpar.signal_service()
        self.firewall.reload()
        self.firewall.wait_zone("br-ex", "public")
        self.lpar.run("kvm-routedctl", "status", check=False)
        self.firewall.wait_zone("br-ex", ZONE)

    def test_a_network_that_fails_is_not_opened(self):
        peers = "10.136.12.0/24 192.0.2.1"
        self.lpar.run("nmcli", "connection", "modify", self.name, "kvm-routed.peers", peers)
        self.addCleanup(self.lpar.wait_state, self.name, "active")
        self.addCleanup(self.lpar.nmcli, "device", "reapply", "br-ex")
        self.addCleanup(self.lpar.run, "nmcli", "connection", "modify", self.name,
                        "kvm-routed.peers",
                        "10.136.12.0/24 172.31.56.2, 10.137.12.0/24 172.31.56.2")
        self.lpar.nmcli("device", "reapply", "br-ex")
        self.lpar.wait_state(self.name, "failed")
        self.firewall.wait_zone("br-ex", "public")


class ComesAndGoes(FirewalldCase):
    """firewalld is started, reloaded, restarted and stopped while guests talk."""

    profiles_up = True

    def setUp(self):
        self.start_firewalls()
        self.addCleanup(lambda: [firewall.stop() for firewall in self.firewalls])

    def test_reload_leaves_our_tables_and_a_running_flow_alone(self):
        before = self.our_tables()
        self.assertTrue(self.guest.ping("10.10.10.10"))
        with Echoes(self.guest, "10.10.10.10") as flow:
            self.lpar.wait_for(lambda: flow.sent > 20, 10, "echoes before")
            self.firewall.reload()
            self.firewall.wait_zone("br-ex", ZONE)
            self.firewall.cmd("--complete-reload")
            self.firewall.wait_zone("br-ex", ZONE)
            enough = flow.sent + 20
            self.lpar.wait_for(lambda: flow.sent > enough, 10, "echoes after")
        self.assertEqual(flow.lost, 0, f"echoes of {flow.sent}")
        self.assertEqual(self.our_tables(), before)
        self.assert_rows(self.one_row_each())

    def test_restart(self):
        for firewall in self.firewalls:
            firewall.restart()
        self.wait_zones()
        self.assert_rows(self.one_row_each())

    def test_killed_and_started_again(self):
        """Its rules stay when it is killed."""
        self.firewall.kill()
        self.assertIn("table inet firewalld", self.lpar.run("nft", "list", "tables").stdout)
        self.assert_reaches(self.guest, "10.10.10.10", server="lanserver")
        self.firewall.start()
        self.firewall.wait_zone("br-ex", ZONE)
        self.assert_reaches(self.guest, "10.10.10.10", server="lanserver")

    def test_stopped(self):
        for firewall in self.firewalls:
            firewall.stop()
        self.assertNotIn("firewalld", self.lpar.run("nft", "list", "tables").stdout)
        self.assert_rows(self.one_row_each())

    def test_panic_mode(self):
        """Panic drops everything, and refuses to move interfaces; afterwards all is well."""
        self.firewall.cmd("--zone=public", "--change-interface=br-ex")
        self.firewall.wait_zone("br-ex", ZONE)
        self.firewall.cmd("--panic-on")
        self.addCleanup(self.firewall.cmd, "--panic-off", check=False)
        self.assertEqual(self.guest.ping("10.10.10.10", count=1).received, 0)
        self.firewall.cmd("--panic-off")
        self.firewall.wait_zone("br-ex", ZONE)
        wait_for(lambda: self.guest.ping("10.10.10.10", count=1), 10, "the LAN is back")

    def test_lockdown_is_complained_of_once(self):
        """And all is well when it is over."""
        def complaints():
            return [line for line in self.lpar.logs["dbus"].read_text().splitlines()
                    if "firewalld does not take interface br-ex" in line]

        path = "/etc/firewalld/lockdown-whitelist.xml"
        if self.lpar.run("test", "-e", path, check=False).returncode != 0:
            # firewalld has none any more, and so nobody to refuse.
            self.firewall.cmd("--lockdown-on", check=False)
            before = len(complaints())
            self.firewall.cmd("--zone=public", "--change-interface=br-ex")
            self.firewall.wait_zone("br-ex", ZONE)
            self.assertEqual(len(complaints()), before)
            return
        # By default the whitelist has root, and so us.
        text = self.lpar.run("cat", path).stdout
        self.addCleanup(self.lpar.write_file, path, text)
        self.lpar.write_file(path, WHITELIST)
        self.firewall.reload()
        self.firewall.wait_zone("br-ex", ZONE)
        before = len(complaints())
        self.firewall.cmd("--lockdown-on")
        self.addCleanup(self.firewall.cmd, "--lockdown-off", check=False)
        for _ in range(2):
            self.firewall.cmd("--zone=public", "--change-interface=br-ex")
            self.lpar.wait_for(lambda: len(complaints()) > before, 10, "a complaint")
        self.lpar.wait_for(lambda: self.firewall.zone_of("br-ex") == "public", 1, "not moved")
        self.firewall.cmd("--lockdown-off")
        self.firewall.wait_zone("br-ex", ZONE)
        self.assertEqual(len(complaints()), before + 1, complaints())
        self.assertIn("ACCESS_DENIED", complaints()[-1])


class Orders(FirewalldCase):
    """Profile, zone files and firewalld come in any order."""

    def tearDown(self):
        for firewall in self.firewalls:
            firewall.stop()
        self.cec.reset()

    def add(self, *extra):
        """Add the LPAR's profile as an administrator does; the zone that is stored in it."""
        name = profile_name(self.lpar)
        # Each profile has a MAC of its own for the gateway.
        self.guest.run("ip", "neigh", "flush", "all")
        self.lpar.run("nmcli", "connection", "add", "type", "kvm-routed", "con-name", name,
                      "ifname", "br-ex", "autoconnect", "no", "ip4", "10.136.11.254/24",
                      "uplink", "o5s_10g_1", "hipersockets", "hs57_0", "masquerade", "o5s_1g_1",
                      *extra)
        return self.lpar.nmcli("-g", "connection.zone", "connection", "show", name).strip()

    def up(self):
        name = profile_name(self.lpar)
        self.lpar.up(name)
        return name

    def assert_guest_is_routed(self):
        self.assert_reaches(self.guest, "10.10.10.10", server="lanserver")
        self.assert_reaches("lanserver", self.guest.address, server=self.guest)
        self.assert_reaches(self.guest, "172.31.57.10", server="zos")
        self.assert_reaches(self.guest, "172.18.0.100", server="intraserver")

    def hide_files(self):
        texts = remove_files(self.lpar)
        self.addCleanup(put_files, self.lpar, texts)
        return texts

    def complaints_of_the_service(self):
        return [line for line in self.lpar.logs["dbus"].read_text().splitlines()
                if "firewalld does not know zone 'kvm-routed'" in line]

    def test_firewalld_then_profile(self):
        self.firewall.start()
        self.assertEqual(self.add(), ZONE)
        self.up()
        self.assertEqual(self.firewall.zone_of("br-ex"), ZONE)
        self.assert_guest_is_routed()

    def test_firewalld_then_profile_with_a_zone_of_its_own(self):
        self.firewall.start()
        self.assertEqual(self.add("connection.zone", "trusted"), "trusted")
        self.up()
        self.assertEqual(self.firewall.zone_of("br-ex"), "trusted")

    def test_firewalld_that_does_not_know_the_zone_then_profile(self):
        texts = self.hide_files()
        self.firewall.start()
        before = len(self.complaints_of_the_service())
        self.assertEqual(self.add(), "")
        self.up()
        self.lpar.wait_for(lambda: len(self.complaints_of_the_service()) == before + 1, 10,
                           "the service says that the zone is missing")
        self.assertEqual(self.firewall.zone_of("br-ex"), "public")
        put_files(self.lpar, texts)
        self.firewall.reload()
        self.firewall.wait_zone("br-ex", ZONE)
        self.assert_guest_is_routed()
        self.assertEqual(len(self.complaints_of_the_service()), before + 1)

    def test_profile_then_firewalld(self):
        self.assertEqual(self.add(), "")
        self.up()
        self.assert_guest_is_routed()
        self.firewall.start()
        self.firewall.wait_zone("br-ex", ZONE)
        self.assert_guest_is_routed()

    def test_profile_with_the_zone_where_firewalld_knows_it_no_more(self):
        """It comes up all the same, and is routed again when the zone is back."""
        self.firewall.start()
        self.assertEqual(self.add(), ZONE)
        texts = self.hide_files()
        self.firewall.reload()
        self.up()
        put_files(self.lpar, texts)
        self.firewall.reload()
        self.firewall.wait_zone("br-ex", ZONE)
        self.assert_guest_is_routed()

    def test_profile_with_the_zone_without_firewalld(self):
        self.firewall.start()
        self.assertEqual(self.add(), ZONE)
        self.firewall.stop()
        self.up()
        self.assert_guest_is_routed()


if __name__ == "__main__":
    labcase.main()

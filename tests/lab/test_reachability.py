# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reaches whom through a routed host: the four scenarios of the talk, with real packets."""

import contextlib

import labcase
import reachability

BRIDGE_NETFILTER = "net/bridge/bridge-nf-call-iptables"
HIPERSOCKETS = "hs56k_0"


def profile_name(lpar):
    return next(iter(lpar.config["profiles"]))


class RowCase(labcase.LabCase):
    """Tries rows of the topology's table."""

    profiles_up = True

    def rows(self, scenario, **wanted):
        """The rows of a scenario that something is to get through."""
        return [row for row in reachability.rows(self.cec.topology)
                if row.scenario == scenario and not row.refused
                and all(getattr(row, key) == value for key, value in wanted.items())]

    def assert_all(self, rows):
        self.assertTrue(rows, "the topology has no such row")
        for row in rows:
            with self.subTest(str(row)):
                outcome = reachability.attempt(self.cec, row)
                self.assertTrue(outcome.ok, outcome)


class Scenarios(RowCase):
    """Ping and TCP, both directions where a scenario has both, and the path that they take."""

    def test_scenario_i_guest_and_guest(self):
        self.assert_all(self.rows("I"))

    def test_scenario_ii_guest_and_lan_server_without_a_route_to_guests(self):
        self.assertEqual(self.cec["lanserver"].run("ip", "route").stdout.splitlines(),
                         ["10.0.0.0/8 dev eth0 proto kernel scope link src 10.10.10.10 "])
        self.assert_all(self.rows("II"))

    def test_scenario_iiia_guests_of_two_lpars_through_hipersockets(self):
        self.assert_all(self.rows("IIIa"))

    def test_scenario_iiib_guest_and_zos_through_layer_3_hipersockets(self):
        self.assert_all(self.rows("IIIb"))

    def test_scenario_iv_intranet_server_sees_the_hosts_address(self):
        rows = self.rows("IV")
        self.assertTrue(all(row.seen_as for row in rows))
        self.assert_all(rows)

    def test_what_the_topology_says_is_refused(self):
        self.assert_all([row for row in reachability.rows(self.cec.topology) if row.refused])

    def test_the_table_has_no_other_scenario(self):
        scenarios = {row.scenario for row in reachability.rows(self.cec.topology)
                     if not row.refused}
        self.assertEqual(scenarios, {"I", "II", "IIIa", "IIIb", "IV"})


class BridgeNetfilter(RowCase):
    """Where br_netfilter passes bridged frames to the IP hooks, as docker wants it."""

    WATCH = """
        table inet watch {
            counter bridged { }
            chain forward {
                type filter hook forward priority -5; policy accept;
                iifname "br-ex" oifname "br-ex" counter name bridged
            }
        }
        """

    def setUp(self):
        self.lpar = self.cec["lpar11"]
        for lpar in self.cec.lpars.values():
            before = lpar.sysctl(BRIDGE_NETFILTER)
            lpar.sysctl(BRIDGE_NETFILTER, 1)
            self.addCleanup(lpar.sysctl, BRIDGE_NETFILTER, before)
        self.lpar.run("nft", "-f", "-", input=self.WATCH)
        self.addCleanup(self.lpar.run, "nft", "delete", "table", "inet", "watch")

    def bridged(self):
        text = self.lpar.run("nft", "list", "counter", "inet", "watch", "bridged").stdout
        return int(text.split("packets")[1].split()[0])

    def test_scenario_i_between_guests_of_one_subnet_and_of_two(self):
        for row in self.rows("I"):
            before = self.bridged()
            self.assert_all([row])
            self.assertGreater(self.bridged(), before, f"{row}: never came to the forward hook")

    def test_other_scenarios(self):
        for scenario in "II", "IIIa", "IIIb", "IV":
            self.assert_all(self.rows(scenario, source="lpar11/guest1"))


class HiperSocketsOutage(RowCase):
    """IIIa through the LAN while HiperSockets is down, and back."""

    def setUp(self):
        self.lpars = self.cec.lpars.values()
        self.guests = self.rows("IIIa", about="HiperSockets, layer 2")

    def through_the_lan(self):
        rows = self.rows("IIIa", about="HiperSockets, layer 2")
        for row in rows:
            row.path = [(lpar, "o5s_10g_1") for lpar, _ in row.path]
        return rows

    def check_outage(self, cut, mend, reason):
        with contextlib.ExitStack() as stack:
            stack.callback(mend)
            cut()
            for lpar in self.lpars:
                network = lpar.wait_state(profile_name(lpar), "degraded")
                self.assertIn(HIPERSOCKETS, network["state-reason"])
                self.assertRegex(network["state-reason"], reason)
                self.assertIn("link-missing", [found["code"] for found in network["findings"]])
            self.assert_all(self.through_the_lan())
        for lpar in self.lpars:
            lpar.wait_state(profile_name(lpar), "active")
        self.assert_all(self.guests)

    def test_link_down(self):
        def cut():
            for lpar in self.lpars:
                lpar.nmcli("device", "down", HIPERSOCKETS)

        def mend():
            for lpar in self.lpars:
                lpar.nmcli("connection", "up", HIPERSOCKETS)

        self.check_outage(cut, mend, "is down|no IPv4 address")

    def test_carrier_lost(self):
        ports = [f"{lpar.name}-{index}" for lpar in self.lpars
                 for index, link in enumerate(lpar.links) if link["name"] == HIPERSOCKETS]
        segment = self.cec.segments["hs"]

        def switch(state):
            segment.ip_batch([f"link set {port} {state}" for port in ports])

        self.check_outage(lambda: switch("down"), lambda: switch("up"), "no carrier|is down")


class LargePackets(labcase.LabCase):
    """The guests' MTU is 57344, as that of HiperSockets; the LAN's is 1500."""

    profiles_up = True
    FULL_FRAME = 57344 - 28  # without the headers of IP and ICMP

    def assert_pings(self, source, address, size, df=False):
        ping = self.cec[source].ping(address, count=3, interval=0.1, wait=2, size=size, df=df)
        self.assertTrue(ping, f"{source} pings {address} with {size} bytes:\n{ping.output}")

    def test_fragments_in_scenario_ii(self):
        for source, address in (("lpar11/guest1", "10.10.10.10"), ("lpar11/guest3", "10.10.10.10"),
                                ("lanserver", "10.136.11.1"), ("lanserver", "10.137.11.1")):
            with self.subTest(f"{source} to {address}"):
                self.assert_pings(source, address, 20000)

    def test_fragments_in_scenario_iii(self):
        for source, address in (("lpar11/guest1", "10.136.12.1"), ("lpar12/guest1", "10.136.11.1"),
                                ("lpar11/guest1", "172.31.57.10"), ("zos", "10.136.11.1")):
            with self.subTest(f"{source} to {address}"):
                self.assert_pings(source, address, 20000)

    def test_fragments_in_scenario_iv(self):
        self.assert_pings("lpar11/guest1", "172.18.0.100", 20000)

    def test_one_frame_of_56_kib_through_hipersockets(self):
        # A guest remembers for ten minutes that the way was narrow, as it is through the LAN.
        for guest in "lpar11/guest1", "lpar12/guest4":
            self.cec[guest].run("ip", "route", "flush", "cache")
        for size in 40000, self.FULL_FRAME:
            with self.subTest(f"{size} bytes"):
                self.assert_pings("lpar11/guest1", "10.136.12.1", size, df=True)
                self.assert_pings("lpar12/guest4", "10.137.11.1", size, df=True)

    def test_tcp_with_megabytes(self):
        for source, address, server in (("lpar11/guest1", "10.10.10.10", "lanserver"),
                                        ("lanserver", "10.136.11.1", "lpar11/guest1"),
                                        ("lpar11/guest1", "10.136.12.1", "lpar12/guest1"),
                                        ("lpar11/guest1", "172.18.0.100", "intraserver")):
            with self.subTest(f"{source} to {server}"):
                self.assert_reaches(source, address, server=server, size=5_000_000)


if __name__ == "__main__":
    labcase.main()

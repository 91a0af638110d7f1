# SPDX-License-Identifier: GPL-2.0-or-later
"""Several guest networks on one host: each has its own links, or shares them; none reaches another
unless kvm-routed.reach says so."""

import json

import labcase
import packets
from flows import Echoes
from hosts import wait_for

LAN, ZOS, INTRANET = "10.10.10.10", "172.31.57.10", "172.18.0.100"
PASSES, REFUSED = 0, 1

# A guest of each, its address, the guest of LPAR 12 that has a route back, and its own gateway.
GUESTS = {"a": ("lpar11/guest1", "10.136.11.1", "lpar12/guest1", "10.136.12.1", "10.136.11.254"),
          "b": ("lpar11/guest4", "10.137.11.1", "lpar12/guest4", "10.137.12.1", "10.137.11.254")}
SWITCHES = {"a": "br-ex", "b": "br-b"}
ALL_LINKS = {"uplinks": "o5s_10g_1", "hipersockets": "hs56k_0,hs57_0", "masquerade": "o5s_1g_1"}

PROFILE = """\
[connection]
id={name}
uuid=5d7a1e40-0000-4000-8000-00000000020{name}
type=kvm-routed
interface-name={switch}
autoconnect=false

[kvm-routed]
{setting}
[ipv4]
method=manual
address1={gateway}/24
"""


class Groups(labcase.LabCase):
    """LPAR 11 with networks a and b; LPAR 12 with its own, as the far end."""

    maxDiff = None

    def setUp(self):
        self.lpar = self.cec["lpar11"]
        far = self.cec["lpar12"]
        if not far.service_state("guests12"):
            far.load_profile(far.profile("guests12"), "guests12")
            far.up("guests12")

    def load(self, name, reach="", **links):
        setting = dict(links)
        if "hipersockets" in links:
            setting["peers"] = f"{GUESTS[name][3].rsplit('.', 1)[0]}.0/24 172.31.56.2"
        if reach:
            setting["reach"] = reach
        text = "".join(f"{key}={value}\n" for key, value in setting.items())
        self.lpar.load_profile(PROFILE.format(name=name, switch=SWITCHES[name], setting=text,
                                              gateway=GUESTS[name][4]), name)

    def up(self, name):
        self.lpar.nmcli("connection", "up", name)
        self.lpar.wait_for(lambda: self.lpar.link(SWITCHES[name]), 10, f"{SWITCHES[name]} exists")
        port = self.cec[GUESTS[name][0]].port
        self.lpar.run("ip", "link", "set", port, "master", SWITCHES[name], "up")
        self.lpar.wait_state(name, "active")

    def down(self, name):
        self.lpar.nmcli("connection", "down", name)
        self.lpar.wait_for(lambda: not self.lpar.link(SWITCHES[name]), 20, "it is gone")
        self.lpar.wait_for(lambda: not self.lpar.service_state(name), 20, "it is not routed")

    def both_up(self):
        for name in GUESTS:
            self.addCleanup(self.lpar.nmcli, "connection", "delete", name, check=False)
        for name in GUESTS:
            self.up(name)

    def tearDown(self):
        for name in GUESTS:
            self.lpar.nmcli("connection", "delete", name, check=False)
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "no network")

    # -- what a network has

    def assert_lan(self, name):
        guest, address, *_ = GUESTS[name]
        self.assert_reaches(guest, LAN, server="lanserver")
        self.assert_reaches("lanserver", address, server=guest)
        self.assert_explained(PASSES, address, LAN)
        self.assert_explained(PASSES, LAN, address)

    def assert_hipersockets(self, name):
        guest, address, far, far_address, _ = GUESTS[name]
        self.assert_reaches(guest, far_address, server=far)
        self.assert_reaches(far, address, server=guest)
        self.assert_reaches(guest, ZOS, server="zos")
        self.assert_reaches("zos", address, server=guest)
        self.assert_explained(PASSES, address, far_address)
        self.assert_explained(PASSES, address, ZOS)

    def assert_intranet(self, name):
        guest, address, *_ = GUESTS[name]
        reply = self.assert_reaches(guest, INTRANET, server="intraserver")
        self.assertEqual(reply.source, "172.18.0.11")
        self.assert_explained(PASSES, address, INTRANET)

    def assert_everything(self, name):
        self.assert_lan(name)
        self.assert_hipersockets(name)
        self.assert_intranet(name)

    def explain(self, *words):
        done = self.lpar.run("kvm-routedctl", "explain", "--json", *words, check=False)
        return {**json.loads(done.stdout), "status": done.returncode}

    def assert_explained(self, status, *words):
        answer = self.explain(*words)
        self.assertEqual(answer["status"], status, answer)
        return answer

    # -- what it has not

    def counter(self):
        return self.lpar.status()["counters"]["forward-refused"]

    def assert_stopped(self, source, address, target, link=None):
        """Nothing of what a host sends gets to a target, as our LPAR refuses it and says so.
        @link: by which it comes in, if it is not the way back."""
        source, target = self._host(source), self._host(target)
        sender = source.links[0]["addresses"][0].split("/")[0]
        before = self.counter()
        with target.capture("any", f"src host {sender} and dst host {address}") as seen:
            packets.send_echo(source, sender, address, packets.ECHO_REQUEST)
            packets.send_tcp(source, sender, address, packets.SYN)
            packets.send_udp(source, sender, address, 7500, b"anybody there?")
            wait_for(lambda: self.counter() >= before + 3, 10, f"{source.name} to {address} refused")
        self.assertEqual(seen.lines, [], f"{source.name} to {address}: arrived")
        self.assert_explained(REFUSED, *(["--in", link] if link else []), sender, address)

    def assert_apart(self):
        """Neither network reaches the other."""
        (guest_a, a, *_), (guest_b, b, *_) = GUESTS["a"], GUESTS["b"]
        self.assert_stopped(guest_a, b, guest_b)
        self.assert_stopped(guest_b, a, guest_a)

    def assert_together(self):
        (guest_a, a, *_), (guest_b, b, *_) = GUESTS["a"], GUESTS["b"]
        self.assert_reaches(guest_a, b, server=guest_b)
        self.assert_reaches(guest_b, a, server=guest_a)
        self.assert_explained(PASSES, a, b)
        self.assert_explained(PASSES, b, a)

    def assert_answered_for(self, name, and_not_for):
        answered, silent = GUESTS[name][1], GUESTS[and_not_for][1]
        answers = packets.who_has(self.cec["lanserver"], "eth0", [silent, answered], [answered])
        self.assertEqual(len(answers[answered]), 1)
        self.assertEqual(answers[silent], set())

    def add_route(self, host, route):
        self._host(host).run("ip", "route", "replace", *route.split())
        self.addCleanup(self._host(host).run, "ip", "route", "del", *route.split(), check=False)


class SharedLinks(Groups):
    """Both networks name all links."""

    def setUp(self):
        super().setUp()
        for name in GUESTS:
            self.load(name, **ALL_LINKS)

    def test_all_scenarios_for_each(self):
        self.both_up()
        for name in GUESTS:
            with self.subTest(name):
                self.assert_everything(name)
        self.assert_apart()
        for name in GUESTS:
            done = self.lpar.run("kvm-routedctl", "verify", "--json", name, check=False)
            rows = json.loads(done.stdout)["networks"][0]["rows"]
            self.assertTrue(rows)
            self.assertEqual([row for row in rows if row["result"] == "failed"], [])

    def test_one_goes_the_other_stays(self):
        before = self.lpar.settled_fingerprint()
        for first, second in (("a", "b"), ("b", "a")):
            with self.subTest(f"{first} goes first"):
                self.both_up()
                guest, _, _, far_address, _ = GUESTS[second]
                with Echoes(self.cec[guest], LAN) as to_lan, \
                        Echoes(self.cec[guest], far_address) as to_peer, \
                        Echoes(self.cec[guest], INTRANET) as to_intranet:
                    self.lpar.wait_for(lambda: to_lan.sent > 20, 10, "echoes")
                    self.down(first)
                    self.up(first)
                    self.down(first)
                    sent = to_lan.sent
                    self.lpar.wait_for(lambda: to_lan.sent > sent + 20, 10, "more echoes")
                for echoes in (to_lan, to_peer, to_intranet):
                    self.assertEqual(echoes.lost, 0, f"of {echoes.sent}")
                self.assert_everything(second)
                self.down(second)
                self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_nobody_answers_for_the_one_that_is_down(self):
        self.both_up()
        self.assertTrue(self.cec["lanserver"].ping(GUESTS["a"][1]))
        self.down("a")
        self.assert_answered_for("b", and_not_for="a")


class DifferentLinks(Groups):
    """a has LAN and intranet, b has HiperSockets."""

    def setUp(self):
        super().setUp()
        self.load("a", uplinks="o5s_10g_1", masquerade="o5s_1g_1")
        self.load("b", hipersockets="hs56k_0,hs57_0")
        self.both_up()

    def test_each_has_its_own(self):
        self.assert_lan("a")
        self.assert_intranet("a")
        self.assert_hipersockets("b")
        self.assert_apart()

    def test_a_has_not_what_is_of_b(self):
        guest, address, far, _, _ = GUESTS["a"]
        # There is a route: that of b's peer.
        self.assert_stopped(guest, GUESTS["b"][3], GUESTS["b"][2])
        self.assert_stopped(guest, ZOS, "zos")
        self.assert_stopped(far, address, guest, link="hs56k_0")
        self.assert_stopped("zos", address, guest, link="hs57_0")

    def test_b_has_not_what_is_of_a(self):
        guest, address, *_ = GUESTS["b"]
        self.assert_stopped(guest, LAN, "lanserver")
        self.assert_stopped(guest, INTRANET, "intraserver")
        self.add_route("lanserver", f"{address} via 10.131.11.254")
        self.assert_stopped("lanserver", address, guest)
        self.add_route("intraserver", f"{address} via 172.18.0.11")
        self.assert_stopped("intraserver", address, guest)

    def test_nobody_answers_on_the_lan_for_b(self):
        self.assert_answered_for("a", and_not_for="b")


class Reach(Groups):
    """kvm-routed.reach of one names the other."""

    LINKS = {"uplinks": "o5s_10g_1"}

    def test_of_one_is_enough(self):
        for one, other in (("a", "b"), ("b", "a")):
            with self.subTest(f"{one} names {other}"):
                self.load(one, reach=other, **self.LINKS)
                self.load(other, **self.LINKS)
                self.both_up()
                self.assert_together()
                for name in GUESTS:
                    self.assert_lan(name)
                    self.down(name)

    def test_of_both(self):
        self.load("a", reach="b", **self.LINKS)
        self.load("b", reach="a", **self.LINKS)
        self.both_up()
        self.assert_together()

    def test_until_one_is_down(self):
        self.load("a", reach="b", **self.LINKS)
        self.load("b", **self.LINKS)
        self.both_up()
        self.assert_together()
        self.down("b")
        self.load("b", **self.LINKS)
        self.up("b")
        self.assert_together()

    def test_taken_out_of_the_setting(self):
        self.load("a", reach="b", **self.LINKS)
        self.load("b", **self.LINKS)
        self.both_up()
        self.assert_together()
        self.load("a", **self.LINKS)
        self.lpar.nmcli("device", "reapply", SWITCHES["a"])
        self.lpar.wait_for(lambda: self.explain(GUESTS["a"][1], GUESTS["b"][1])["status"] == REFUSED,
                           10, "refused")
        self.assert_apart()

    def test_others_forward_everything(self):
        """As docker has it: ip_forward is 1 for the whole host."""
        for name in GUESTS:
            self.load(name, **self.LINKS)
        self.both_up()
        self.addCleanup(self.lpar.sysctl, "net/ipv4/ip_forward", 0)
        self.lpar.sysctl("net/ipv4/ip_forward", 1)
        self.lpar.wait_for(lambda: "global-forwarding" in {
            finding["code"] for finding in self.lpar.network("a")["findings"]}, 10, "it is known")
        self.assert_apart()


if __name__ == "__main__":
    labcase.main()

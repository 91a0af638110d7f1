# SPDX-License-Identifier: GPL-2.0-or-later
"""kvm-routedctl explain: what it says of a packet is what becomes of it."""

import json
import signal

import cables
import labcase
import packets
import reachability
from bus import ERROR, Bus, BusError

PASSES, REFUSED, USAGE, UNCLEAR = 0, 1, 2, 3
NAME = "guests11"
SWITCH, UPLINK, HIPERSOCKETS, INTRANET = "br-ex", "o5s_10g_1", "hs56k_0", "o5s_1g_1"
GUEST, GUEST_12, LAN, INTRASERVER = "10.136.11.1", "10.136.12.1", "10.10.10.10", "172.18.0.100"


class ExplainCase(labcase.LabCase):

    profiles_up = True

    def setUp(self):
        self.lpar = self.cec["lpar11"]
        self.guest = self.cec["lpar11/guest1"]

    def explain(self, *arguments, lpar=None):
        """The answer as Python data, with the exit status in it."""
        done = (lpar or self.lpar).run("kvm-routedctl", "explain", "--json", *arguments,
                                       check=False)
        self.assertEqual(done.stderr, "", arguments)
        return {**json.loads(done.stdout), "status": done.returncode}

    def assert_explained(self, status, *arguments, says=()):
        answer = self.explain(*arguments)
        self.assertEqual(answer["status"], status, answer)
        for words in says:
            self.assertIn(words, answer["sentence"])
        return answer

    def step(self, answer, name, mark=None):
        """The one step of that name, and mark."""
        found = [step for step in answer["steps"]
                 if step["step"] == name and mark in (None, step["mark"])]
        self.assertEqual(len(found), 1, answer)
        return found[0]

    def ping(self, source, address):
        """Whether packets get through, after one that may have to wait for ARP."""
        self.cec[source].ping(address, count=1)
        return bool(self.cec[source].ping(address, count=2))

    def add_rules(self, text):
        """A table "lab" in some family, until the end of the test."""
        self.lpar.run("nft", "-f", "-", input=text)
        family = text.split()[1]
        self.addCleanup(self.lpar.run, "nft", "delete", "table", family, "lab")


class Rows(ExplainCase):
    """Every row of the topology's table: what all LPARs on the way say together is the row."""

    def lpars_on_the_way(self, row):
        names = [name.split("/")[0] for name in (row.source, row.target)]
        lpars = {name: self.cec.lpars[name] for name in names if name in self.cec.lpars}
        for name, lpar in self.cec.lpars.items():
            own = {address.split("/")[0] for link in lpar.links for address in link["addresses"]}
            if any(own & set(route.split()) for _, route in row.routes):
                lpars[name] = lpar
        return lpars

    def check(self, row):
        source = row.spoof or reachability.first_address(self.cec[row.source])
        target = row.address or reachability.first_address(self.cec[row.target])
        spoof = ["--in", SWITCH] if row.spoof else []
        lpars = self.lpars_on_the_way(row)
        self.assertTrue(lpars)
        if row.spoof:
            lpars = {name: lpar for name, lpar in lpars.items() if row.source.startswith(name)}
        answers = {name: self.explain(*spoof, source, target, lpar=lpar)
                   for name, lpar in lpars.items()}
        statuses = {answer["status"] for answer in answers.values()}
        if row.refused:
            self.assertIn(REFUSED, statuses, answers)
            self.assertLessEqual(statuses, {PASSES, REFUSED}, answers)
            return
        self.assertEqual(statuses, {PASSES}, answers)
        for name, answer in answers.items():
            taken = {step["interface"] for step in answer["steps"]
                     if step["step"] in ("in", "route") and "interface" in step}
            wanted = {link for lpar, link in row.path if lpar == name}
            self.assertEqual(taken - {SWITCH}, wanted, answer)
            seen_as = row.seen_as if wanted & {INTRANET} else None
            self.assertEqual(f"seen there as {seen_as}" in answer["sentence"], bool(seen_as))

    def test_every_row(self):
        rows = list(reachability.rows(self.cec.topology))
        self.assertTrue([row for row in rows if row.refused])
        for row in rows:
            with self.subTest(str(row)):
                self.check(row)

    def test_it_changes_nothing(self):
        before = self.lpar.settled_fingerprint()
        self.explain(GUEST, LAN)
        self.explain(LAN, GUEST_12)
        self.assertEqual(self.lpar.fingerprint(), before)


class Steps(ExplainCase):
    """What the lines say besides the verdict."""

    def test_guest_to_lan(self):
        answer = self.assert_explained(PASSES, GUEST, LAN, says=(
            f"{GUEST} reaches {LAN}: in by {SWITCH}, out by {UPLINK}.",))
        self.assertIn("10.136.11.0/24", self.step(answer, "source")["element"])
        forward = self.step(answer, "forward")
        self.assertEqual((forward["table"], forward["chain"], forward["element"]),
                         ("ip kvm_routed", "forward",
                          f'element {{ "{SWITCH}" . "{UPLINK}" : accept }} of pairs'))
        self.assertIn("10.0.0.0/8", self.step(answer, "route")["text"])
        self.assertIn("57344 in, 1500 out", self.step(answer, "mtu")["text"])
        self.assertIn(f"also answers a guest that asks for {LAN}",
                      self.step(answer, "proxy-arp")["text"])

    def test_who_answers_on_the_lan(self):
        """For its own guests this LPAR, as ARP itself says; for the other's the other."""
        lanserver = self.cec["lanserver"]
        answers = packets.who_has(lanserver, "eth0", [GUEST, GUEST_12])
        self.assertEqual(answers, {GUEST: {self.lpar.mac(UPLINK)},
                                   GUEST_12: {self.cec["lpar12"].mac(UPLINK)}})
        own = self.step(self.explain(LAN, GUEST), "proxy-arp")
        self.assertEqual(own["mark"], "ok")
        self.assertIn(f"guests_{UPLINK}", own["element"])
        other = self.step(self.explain(LAN, GUEST_12), "proxy-arp")
        self.assertEqual((other["mark"], other["chain"]), ("note", f"uplink_{UPLINK}"))
        self.assertIn("does not answer", other["text"])

    def test_neighbour_before_and_after(self):
        self.lpar.run("ip", "neigh", "flush", "dev", UPLINK)
        self.assertIn("not known", self.step(self.explain(GUEST, LAN), "neighbour")["text"])
        self.assertTrue(self.ping("lpar11/guest1", LAN))
        known = self.step(self.explain(GUEST, LAN), "neighbour")
        self.assertEqual(known["mark"], "ok")
        self.assertIn(self.cec["lanserver"].mac("eth0"), known["text"])

    def test_a_guest_that_does_not_run(self):
        self.assertFalse(self.cec["lanserver"].ping("10.136.11.77", count=1, wait=5))
        self.lpar.wait_for(lambda: self.explain(LAN, "10.136.11.77")["status"] == UNCLEAR, 10,
                           "nobody answers")
        self.assert_explained(UNCLEAR, LAN, "10.136.11.77", says=("nobody answered on br-ex",))

    def test_the_host_itself(self):
        for source, target, says in ((GUEST, "10.136.11.254", "to this host itself"),
                                     (GUEST, "172.18.0.11", "to this host itself"),
                                     ("10.136.11.254", GUEST, f"from this host, out by {SWITCH}"),
                                     ("10.131.11.254", LAN, f"from this host, out by {UPLINK}"),
                                     ("10.131.11.254", "172.31.56.1", "both are this host")):
            self.assert_explained(PASSES, source, target, says=(says,))

    def test_without_this_host(self):
        answer = self.assert_explained(PASSES, LAN, "10.10.10.11", says=("do not need this host",))
        self.assertEqual(answer["verdict"], "bypasses")

    def test_no_route(self):
        self.assert_explained(REFUSED, GUEST, "8.8.8.8", says=("no route to 8.8.8.8",))
        self.assert_explained(REFUSED, "8.8.8.8", GUEST, says=("no route to 8.8.8.8", "--in"))

    def test_an_interface_that_no_network_names(self):
        foreign = cables.add_foreign_host(self, self.lpar)
        self.assert_explained(REFUSED, GUEST, "192.0.2.2",
                              says=("foreign0 is no link of the network guests11",))
        self.assert_explained(REFUSED, "192.0.2.2", GUEST, says=("kvm-routed.uplinks",))
        self.assertFalse(foreign.ping(GUEST, count=1))

    def test_reverse_path_filter(self):
        key = f"net/ipv4/conf/{UPLINK}/rp_filter"
        self.addCleanup(self.lpar.sysctl, key, self.lpar.sysctl(key))
        self.lpar.sysctl(key, 1)
        self.assert_explained(REFUSED, "--in", UPLINK, "172.31.57.10", GUEST,
                              says=("reverse path filter", "hs57_0"))
        self.assert_explained(PASSES, "--in", UPLINK, LAN, GUEST)

    def test_forged_as_the_host(self):
        self.assert_explained(REFUSED, "--in", UPLINK, "10.136.11.254", GUEST,
                              says=("address of this host itself",))

    def test_as_text(self):
        done = self.lpar.run("kvm-routedctl", "explain", GUEST, LAN)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], r"^ok    in +by br-ex, the switch of the guests of guests11$")
        self.assertEqual(lines[-2:], ["", f"{GUEST} reaches {LAN}: in by br-ex, out by {UPLINK}."])
        self.assertNotIn("\033", done.stdout)


class OtherTables(ExplainCase):
    """Rules of others, and real packets that meet them."""

    def assert_both(self, gets_through, *options, says=()):
        """Of the guest's ping to the LAN, explain and the packets say the same."""
        answer = self.assert_explained(PASSES if gets_through else REFUSED, *options, GUEST, LAN,
                                       says=says)
        self.assertEqual(self.ping("lpar11/guest1", LAN), gets_through, answer)
        return answer

    def test_drop_in_forward(self):
        self.add_rules("""table inet lab {
            set servers { type ipv4_addr; flags interval; elements = { 10.10.10.0/24 }; }
            chain forward {
                type filter hook forward priority 10; policy accept;
                iifname "br-*" jump guests
            }
            chain guests {
                ip daddr @servers icmp type echo-request counter drop
            }
        }""")
        answer = self.assert_both(False, says=("table inet lab", "chain guests", "echo-request"))
        stop = self.step(answer, "other-tables", "stop")
        self.assertEqual((stop["table"], stop["chain"]), ("inet lab", "guests"))
        self.assertEqual(stop["rule"], "ip daddr @servers icmp type echo-request counter drop")
        self.assert_explained(PASSES, "--protocol", "tcp", "--port", "7000", GUEST, LAN)
        self.cec["lanserver"].serve(7000)
        self.assertIsNotNone(self.guest.tcp(LAN, 7000))

    def test_accept_before_drop(self):
        self.add_rules("""table ip lab {
            chain forward {
                type filter hook forward priority 0; policy accept;
                ip saddr 10.136.11.0/24 accept
                ip daddr 10.136.11.0/24 ct state established accept
                drop
            }
        }""")
        answer = self.assert_both(True)
        self.assertIn("ip lab forward", self.step(answer, "other-tables")["text"])
        self.assert_explained(REFUSED, LAN, GUEST, says=("table ip lab", ": drop"))
        self.assertFalse(self.ping("lanserver", GUEST))

    def test_policies_and_rules_of_iptables(self):
        self.addCleanup(self.lpar.run, "nft", "delete", "table", "ip", "filter")
        self.lpar.run("iptables", "-P", "FORWARD", "DROP")
        self.assert_both(False, says=("table ip filter", "chain FORWARD: policy drop"))
        self.lpar.sh("iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT")
        self.assert_both(False, says=("policy drop",))
        self.assert_explained(PASSES, "--state", "established", GUEST, LAN)
        self.lpar.sh("iptables -A FORWARD -s 10.136.11.0/24 -i br-ex -m comment --comment guests "
                     "-j ACCEPT")
        self.assert_both(True)
        self.lpar.sh("iptables -I FORWARD -d 10.10.10.10 -p icmp -j REJECT")
        self.assert_both(False, says=("table ip filter", "10.10.10.10", "reject"))

    def test_what_cannot_be_told(self):
        self.add_rules("""table ip lab {
            chain forward {
                type filter hook forward priority 0; policy accept;
                ip daddr 10.10.10.10 meta length > 1000 drop
            }
        }""")
        answer = self.assert_explained(UNCLEAR, GUEST, LAN, says=(
            "cannot be told", "table ip lab may drop it", "meta length > 1000 drop"))
        self.assertEqual(answer["verdict"], "unclear")
        self.assertTrue(self.ping("lpar11/guest1", LAN))
        self.assertFalse(self.guest.ping(LAN, size=1100))
        self.assert_explained(PASSES, GUEST, "10.10.10.11")

    def test_other_hooks(self):
        for hook, priority in (("prerouting", "raw"), ("postrouting", "srcnat + 10")):
            with self.subTest(hook):
                self.add_rules(f"""table ip lab {{
                    chain other {{
                        type filter hook {hook} priority {priority}; policy accept;
                        ip saddr 10.136.11.1 ip daddr 10.10.10.10 drop
                    }}
                }}""")
                self.assert_both(False, says=("table ip lab", "chain other"))
                self.doCleanups()
        self.assert_both(True)

    def test_on_a_link_and_in_the_switch(self):
        self.add_rules(f"""table netdev lab {{
            chain in {{
                type filter hook ingress device "{SWITCH}" priority 0; policy accept;
                ip daddr 10.10.10.10 drop
            }}
        }}""")
        self.assert_both(False, says=("table netdev lab",))
        self.doCleanups()
        self.add_rules("""table bridge lab {
            chain in {
                type filter hook forward priority 0; policy accept;
                ip daddr 10.136.11.2 drop
            }
        }""")
        self.assert_explained(REFUSED, GUEST, "10.136.11.2", says=("table bridge lab",))
        self.assertFalse(self.ping("lpar11/guest1", "10.136.11.2"))
        self.assert_both(True)

    def test_to_and_from_the_host(self):
        self.add_rules("""table ip lab {
            chain input {
                type filter hook input priority 0; policy accept;
                iifname br-ex icmp type echo-request drop
            }
            chain output {
                type filter hook output priority 0; policy accept;
                ip daddr 10.136.11.2 drop
            }
        }""")
        self.assert_explained(REFUSED, GUEST, "10.136.11.254", says=("chain input",))
        self.assertFalse(self.ping("lpar11/guest1", "10.136.11.254"))
        self.assert_explained(REFUSED, "10.136.11.254", "10.136.11.2", says=("chain output",))
        self.assertFalse(self.ping("lpar11", "10.136.11.2"))
        self.assert_both(True)

    def test_a_port_forward_of_the_administrator(self):
        question = ("--protocol", "tcp", "--port", "8080", INTRASERVER, "172.18.0.11")
        self.assertNotIn("becomes", str(self.assert_explained(PASSES, *question)["steps"]))
        self.add_rules("""table ip lab {
            chain prerouting {
                type nat hook prerouting priority dstnat; policy accept;
                tcp dport 8080 dnat to 10.136.11.1:7000
            }
        }""")
        # The rules of kvm-routed take notice of it a moment later.
        self.lpar.wait_for(lambda: f"out by {SWITCH}" in self.explain(*question)["sentence"], 10,
                           "a way for the port forward")
        answer = self.assert_explained(PASSES, *question)
        self.assertIn(GUEST, self.step(answer, "nat")["text"])
        self.guest.serve(7000)
        self.assertIsNotNone(self.cec["intraserver"].tcp("172.18.0.11", 8080))
        self.assert_explained(REFUSED, INTRASERVER, GUEST, says=("only replies",))


class States(ExplainCase):
    """While something is missing."""

    def up_again(self, *profiles):
        for profile in profiles:
            self.addCleanup(self.lpar.wait_state, NAME, "active")
            self.addCleanup(self.lpar.nmcli, "connection", "up", profile)

    def test_without_an_uplink(self):
        self.up_again(UPLINK)
        self.lpar.nmcli("device", "down", UPLINK)
        self.lpar.wait_state(NAME, "degraded")
        answer = self.assert_explained(REFUSED, GUEST, LAN, says=("no route to", UPLINK))
        self.assertEqual(answer["verdict"], "unreachable")
        self.assertFalse(self.guest.ping(LAN, count=1))

    def test_a_peer_that_waits(self):
        self.up_again(HIPERSOCKETS)
        self.lpar.nmcli("device", "down", HIPERSOCKETS)
        self.lpar.wait_state(NAME, "degraded")
        answer = self.assert_explained(PASSES, GUEST, GUEST_12, says=(f"out by {UPLINK}",))
        self.assertIn("10.136.12.0/24 waits", self.step(answer, "route", "note")["text"])

    def test_a_network_that_is_down(self):
        def up():
            self.lpar.up(NAME)

        self.addCleanup(up)
        self.lpar.down(NAME)
        self.assert_explained(REFUSED, GUEST, LAN,
                              says=("guest of the network guests11, which is not up",
                                    "nmcli connection up guests11"))
        self.assert_explained(REFUSED, LAN, GUEST, says=("nmcli connection up guests11",))
        self.assert_explained(PASSES, "10.131.11.254", LAN)

    def test_a_network_that_could_not_be_applied(self):
        """It is up, and planned as it should be, but the kernel refused it."""
        path = f"/proc/sys/net/ipv4/conf/{UPLINK}/forwarding"
        self.addCleanup(self.lpar.wait_state, NAME, "active", 70)
        self.lpar.down(NAME)
        self.lpar.sh(f"mount --bind {path} {path}; mount -o remount,bind,ro {path}")
        self.addCleanup(self.lpar.run, "umount", path)
        self.lpar.up(NAME, "failed")
        answer = self.assert_explained(REFUSED, GUEST, LAN, says=("forwarding is off", path))
        self.assertIn("guests11 is failed", self.step(answer, "network", "note")["text"])

    def test_after_the_service_was_killed(self):
        self.lpar.signal_service(signal.SIGKILL)
        self.assert_explained(PASSES, GUEST, LAN)


class BadInput(ExplainCase):
    """One clear line, exit status 2, by the command; an error of its own name on D-Bus."""

    COMMANDS = {
        ("10.136.11", LAN): "10.136.11",
        (GUEST, "fe80::1"): "IPv6",
        (GUEST, "lanserver"): "lanserver",
        (GUEST, f"{LAN}/8"): f"{LAN}/8",
        (GUEST, GUEST): "the same",
        (GUEST, "224.0.0.1"): "224.0.0.1",
        ("127.0.0.1", LAN): "127.0.0.1",
        (GUEST, "0.0.0.0"): "0.0.0.0",
        ("--protocol", "sctp", GUEST, LAN): "icmp, tcp or udp",
        ("--port", "80", GUEST, LAN): "protocol tcp or udp",
        ("--protocol", "tcp", "--port", "0", GUEST, LAN): "1 to 65535",
        ("--protocol", "tcp", "--port", "65536", GUEST, LAN): "1 to 65535",
        ("--protocol", "tcp", "--port", "http", GUEST, LAN): "1 to 65535",
        ("--state", "old", GUEST, LAN): "new or established",
        ("--in", "eth99", GUEST, LAN): "eth99",
        ("--in", "../all", GUEST, LAN): "../all",
        ("--in", "", GUEST, LAN): "interface",
        ("10.136.11.1\x1b[7m", LAN): "is not an IPv4 address",
    }

    def test_commands(self):
        for arguments, says in self.COMMANDS.items():
            with self.subTest(arguments):
                done = self.lpar.run("kvm-routedctl", "explain", *arguments, check=False)
                self.assertEqual((done.returncode, done.stdout), (USAGE, ""), done.stderr)
                line, = done.stderr.splitlines()
                self.assertTrue(line.startswith("Error: ") and line.isprintable(), line)
                self.assertIn(says, line)

    def test_usage(self):
        for arguments in ((), (GUEST,), (GUEST, LAN, LAN), ("--via", "x", GUEST, LAN)):
            done = self.lpar.run("kvm-routedctl", "explain", *arguments, check=False)
            self.assertEqual((done.returncode, done.stdout), (USAGE, ""), arguments)
            self.assertIn("kvm-routedctl explain --help", done.stderr)

    def test_dbus(self):
        text, number = Bus.variant("s", "icmp"), Bus.variant("i", 80)
        with Bus(self.lpar) as bus:
            self.assertEqual(bus.call("Explain", "(ssa{sv})", GUEST, LAN, {"protocol": text})[0],
                             "passes")
            for arguments in (("x", LAN, {}), (GUEST, "", {}), (GUEST, LAN, {"port": number}),
                              (GUEST, LAN, {"nothing": text}), (GUEST, LAN, {"in": text})):
                with self.assertRaises(BusError) as caught:
                    bus.call("Explain", "(ssa{sv})", *arguments)
                self.assertEqual(caught.exception.name, ERROR + "Invalid", arguments)
                self.assertTrue(str(caught.exception).isprintable())

    def test_needs_a_right(self):
        done = self.lpar.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                             "kvm-routedctl", "explain", GUEST, LAN, check=False)
        self.assertEqual((done.returncode, done.stdout), (UNCLEAR, ""))
        self.assertRegex(done.stderr,
                         r"\AError: Explain needs the authorization \S+\.explain, .*sudo")


if __name__ == "__main__":
    labcase.main()

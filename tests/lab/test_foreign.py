# SPDX-License-Identifier: GPL-2.0-or-later
"""Other firewalls on the host: what they drop of the guests' traffic is said, with the command that
opens them; their rules are never touched."""

import itertools
import json
import re

import labcase
import packets
import reachability
from hosts import wait_for
from reachability import first_address

SYSTEMS = "machine"

PROFILE, CODE = "guests11", "forward-blocked"
SWITCH, UPLINK, INTRANET = "br-ex", "o5s_10g_1", "o5s_1g_1"
GUEST, LAN, INTRASERVER = "10.136.11.1", "10.10.10.10", "172.18.0.100"

# What dockerd does to iptables when it starts (its manual, "Packet filtering and firewalls").
DOCKER = """
    iptables -P FORWARD DROP
    iptables -N DOCKER
    iptables -N DOCKER-ISOLATION-STAGE-1
    iptables -N DOCKER-ISOLATION-STAGE-2
    iptables -N DOCKER-USER
    iptables -A FORWARD -j DOCKER-USER
    iptables -A FORWARD -j DOCKER-ISOLATION-STAGE-1
    iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    iptables -A FORWARD -o docker0 -j DOCKER
    iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
    iptables -A FORWARD -i docker0 -o docker0 -j ACCEPT
    iptables -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
    iptables -A DOCKER-ISOLATION-STAGE-1 -j RETURN
    iptables -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
    iptables -A DOCKER-ISOLATION-STAGE-2 -j RETURN
    iptables -A DOCKER-USER -j RETURN
    iptables -t nat -N DOCKER
    iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
    iptables -t nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
    iptables -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
    iptables -t nat -A DOCKER -i docker0 -j RETURN
    """


class ForeignCase(labcase.LabCase):

    profiles_up = True

    def setUp(self):
        self.lpar, self.guest = self.cec["lpar11"], self.cec["lpar11/guest1"]
        self.server = self.cec["lanserver"]

    def add_table(self, text):
        """Rules of the administrator, in a table of their own, until the end of the test."""
        family, name = re.search(r"table (\w+) (\w+)", text).groups()
        self.lpar.run("nft", "-f", "-", input=text)
        self.addCleanup(self.lpar.run, "nft", "delete", "table", family, name, check=False)

    def iptables(self, script):
        """Commands of iptables, whose tables go at the end of the test."""
        for table in ("filter", "nat"):
            self.addCleanup(self.lpar.run, "nft", "delete", "table", "ip", table, check=False)
        self.lpar.sh(script)

    def findings(self):
        return [finding for finding in self.lpar.network(PROFILE)["findings"]
                if finding["code"] == CODE]

    def wait_findings(self, number=1):
        """The findings, once there are so many."""
        def found():
            findings = self.findings()
            assert len(findings) == number, findings
            return True

        self.lpar.wait_for(found, 20, f"{number} findings {CODE}")
        findings = self.findings()
        for finding in findings:
            self.assertEqual((finding["severity"], finding["interface"]), ("warning", SWITCH))
        self.assertEqual(self.lpar.service_state(PROFILE), "active")
        return findings

    def wait_finding(self, *says):
        finding = self.wait_findings()[0]
        for words in says:
            self.assertIn(words, finding["message"])
        return finding

    def wait_hint(self, words):
        """After many changes, of which the first may have been looked at before the last."""
        self.lpar.wait_for(lambda: [finding for finding in self.findings()
                                    if words in finding["hint"]], 20, f"a hint with {words}")

    def pings(self, source, address):
        """Whether packets get through, after one that may have to wait for ARP."""
        self.cec[source].ping(address, count=1)
        return bool(self.cec[source].ping(address, count=2))

    def assert_scenarios(self):
        """All that starts or ends at this LPAR's guests works, and what is refused still is."""
        for row in reachability.rows(self.cec.topology):
            if not any(name.startswith("lpar11") for name in (row.source, row.target)):
                continue
            with self.subTest(str(row)):
                outcome = reachability.attempt(self.cec, row)
                self.assertTrue(outcome.ok, outcome)

    def cure(self, finding):
        """The hint is a command: it is executed as it is printed, and the finding goes."""
        self.lpar.sh(finding["hint"])
        self.wait_findings(0)


class Blocked(ForeignCase):
    """One table that drops, real packets that meet it, the finding, its cure."""

    def test_policy_of_an_nft_table(self):
        self.assertEqual(self.findings(), [])
        self.add_table("""table inet lab {
            chain fw { type filter hook forward priority 10; policy drop; }
        }""")
        finding = self.wait_finding("table inet lab, chain fw, drops packets from guests",
                                    "packets to guests", UPLINK, "hs56k_0", "hs57_0", INTRANET,
                                    "policy drop")
        self.assertFalse(self.pings("lpar11/guest1", LAN))
        self.assertEqual(finding["hint"],
                         "nft 'insert rule inet lab fw iifname \"br-ex\" accept; "
                         "insert rule inet lab fw oifname \"br-ex\" accept'")
        self.cure(finding)
        self.assert_scenarios()

    def test_rule_in_a_chain_that_is_jumped_to(self):
        self.add_table("""table ip lab {
            set servers { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }
            chain guests { ip daddr @servers counter drop; }
            chain fw {
                type filter hook forward priority 0; policy accept;
                iifname "br-*" jump guests
            }
        }""")
        finding = self.wait_finding("table ip lab, chain guests, drops packets from guests",
                                    f"by {UPLINK}, hs56k_0: ip daddr @servers counter drop")
        self.assertNotIn("to guests", finding["message"])
        self.assertFalse(self.pings("lpar11/guest1", LAN))
        self.assertIn("ip lab fw iifname", finding["hint"])
        self.assertNotIn("oifname", finding["hint"])
        self.cure(finding)
        self.assert_reaches(self.guest, LAN, server=self.server)

    def test_stateful_firewall_that_lets_guests_out_only(self):
        self.add_table("""table inet lab {
            chain fw {
                type filter hook forward priority 0; policy drop;
                ct state established,related accept
                iifname br-ex accept
            }
        }""")
        finding = self.wait_finding("drops new connections to guests")
        self.assertNotIn("from guests", finding["message"])
        self.assert_reaches(self.guest, LAN, server=self.server)
        self.assertFalse(self.pings("lanserver", GUEST))
        self.cure(finding)
        self.assert_reaches(self.server, GUEST, server=self.guest)

    def test_policy_of_iptables(self):
        self.iptables("iptables -P FORWARD DROP")
        finding = self.wait_finding("table ip filter, chain FORWARD,", "policy drop")
        self.assertFalse(self.pings("lpar11/guest1", LAN))
        self.assertEqual(finding["hint"], "iptables -I FORWARD -i br-ex -j ACCEPT && "
                                          "iptables -I FORWARD -o br-ex -j ACCEPT")
        self.cure(finding)
        self.assert_scenarios()

    def test_docker(self):
        self.iptables(DOCKER)
        self.wait_hint("DOCKER-USER")
        finding = self.wait_finding("table ip filter, chain FORWARD,", "policy drop")
        self.assertFalse(self.pings("lpar11/guest1", LAN))
        self.assertEqual(finding["hint"], "iptables -I DOCKER-USER -i br-ex -j ACCEPT && "
                                          "iptables -I DOCKER-USER -o br-ex -j ACCEPT")
        self.cure(finding)
        self.assert_scenarios()

    def test_docker_that_shows_bridged_frames_to_its_rules(self):
        key = "net/bridge/bridge-nf-call-iptables"
        self.addCleanup(self.lpar.sysctl, key, self.lpar.sysctl(key))
        self.lpar.sysctl(key, 1)
        self.iptables(DOCKER)
        self.wait_hint("DOCKER-USER")
        finding = self.wait_finding("packets among guests")
        self.assertFalse(self.pings("lpar11/guest1", "10.136.11.2"))
        self.cure(finding)
        self.assertTrue(self.pings("lpar11/guest1", "10.136.11.2"))

    def test_two_tables_each_with_its_cure(self):
        self.iptables("iptables -P FORWARD DROP")
        self.add_table("""table inet lab {
            chain fw { type filter hook forward priority 10; iifname br-ex reject; }
        }""")
        first, second = sorted(self.wait_findings(2), key=lambda finding: finding["message"])
        self.assertIn("table inet lab, chain fw", first["message"])
        self.assertIn("reject", first["message"])
        self.assertIn("table ip filter, chain FORWARD", second["message"])
        self.lpar.sh(first["hint"])
        self.wait_findings(1)
        self.assertFalse(self.pings("lpar11/guest1", LAN))
        self.cure(second)
        self.assertTrue(self.pings("lpar11/guest1", LAN))

    def test_it_goes_with_the_table(self):
        self.add_table("""table inet lab {
            chain fw { type filter hook forward priority 0; policy drop; }
        }""")
        self.wait_findings()
        self.lpar.run("nft", "delete", "table", "inet", "lab")
        self.wait_findings(0)
        self.assertTrue(self.pings("lpar11/guest1", LAN))

    def test_firewalld_is_opened_by_its_zone(self):
        """Its table, as a firewalld that knows nothing of guests would make it."""
        self.add_table("""table inet firewalld {
            chain filter_FORWARD {
                type filter hook forward priority 10; policy accept;
                ct state established,related accept
                reject with icmpx admin-prohibited
            }
        }""")
        finding = self.wait_finding("table inet firewalld, chain filter_FORWARD", "reject")
        self.assertIn("connection.zone kvm-routed", finding["hint"])
        self.assertNotIn("nft", finding["hint"])


class NotBlocked(ForeignCase):
    """What must not be said, or not happen."""

    def test_tables_that_let_guests_through(self):
        self.add_table("""table inet lab {
            chain fw {
                type filter hook forward priority 0; policy drop;
                iifname "br-ex" accept
                oifname "br-ex" accept
            }
            chain other { type filter hook input priority 0; policy accept; drop; }
        }""")
        self.iptables("""iptables -P FORWARD DROP
            iptables -A FORWARD -s 10.136.0.0/15 -j ACCEPT
            iptables -A FORWARD -d 10.136.0.0/15 -m comment --comment "to guests" -j ACCEPT
            iptables -A FORWARD -j LOG""")
        # This one is the witness that the others have been looked at.
        self.add_table("""table ip witness {
            chain fw { type filter hook forward priority 0; oifname "br-ex" drop; }
        }""")
        self.wait_finding("table ip witness")
        self.lpar.run("nft", "delete", "table", "ip", "witness")
        self.wait_findings(0)
        self.assertTrue(self.pings("lpar11/guest1", LAN))

    def test_somebody_who_lets_some_ports_through_has_said_what_he_wants(self):
        self.add_table("""table ip lab {
            chain fw {
                type filter hook forward priority 0; policy drop;
                ct state established accept
                tcp dport { 22, 443 } accept
            }
        }""")
        self.add_table("""table ip witness {
            chain fw { type filter hook forward priority 0; oifname "br-ex" drop; }
        }""")
        self.wait_finding("table ip witness")

    def test_foreign_tables_stay_byte_for_byte(self):
        """Over down, up, change; with what was there before us, and what comes later."""
        def foreign():
            text = self.lpar.run("nft", "-s", "list", "ruleset").stdout
            tables = re.findall(r"^table .*?^}$", text, re.MULTILINE | re.DOTALL)
            legacy = self.lpar.run("iptables-legacy-save").stdout
            return [table for table in tables if " kvm_routed " not in table], \
                [line for line in legacy.splitlines() if not line.startswith(("#", ":"))]

        def is_up():
            self.lpar.up(PROFILE)
            return foreign()

        self.lpar.down(PROFILE)
        self.addCleanup(lambda: self.lpar.link(SWITCH) or self.lpar.up(PROFILE))
        self.addCleanup(self.lpar.sh, "iptables-legacy -P FORWARD ACCEPT; iptables-legacy -F")
        self.iptables(DOCKER)
        self.lpar.sh("iptables-legacy -A FORWARD -i foreign0 -j DROP")
        self.add_table("""table inet lab {
            set hosts { type ipv4_addr; elements = { 10.136.11.1, 10.10.10.10 }; }
            chain fw { type filter hook forward priority 10; ip saddr @hosts accept; }
        }""")
        before = foreign()
        self.assertEqual(len(before[0]), 3)
        self.assertEqual(is_up(), before)
        modify = ("kvm-routedctl", "connection", "modify", PROFILE)
        self.lpar.run(*modify, "-kvm-routed.masquerade", INTRANET)
        self.addCleanup(self.lpar.run, *modify, "+kvm-routed.masquerade", INTRANET)
        self.lpar.nmcli("device", "reapply", SWITCH)
        self.lpar.wait_for(lambda: INTRANET not in str(self.lpar.network(PROFILE)["links"]), 10,
                           "the masquerade link is given up")
        self.assertEqual(foreign(), before)
        self.lpar.down(PROFILE)
        self.assertEqual(foreign(), before)


class Before(ForeignCase):
    """Before a network is up."""

    def test_check_and_up(self):
        self.lpar.down(PROFILE)
        self.addCleanup(lambda: self.lpar.link(SWITCH) or self.lpar.up(PROFILE))
        self.iptables("iptables -P FORWARD DROP")
        before = self.lpar.fingerprint()
        done = self.lpar.run("kvm-routedctl", "check", PROFILE, check=False)
        self.assertIn(CODE, done.stdout)
        self.assertIn("iptables -I FORWARD -i br-ex", done.stdout)
        self.assertIn(CODE, self.lpar.run("kvm-routedctl", "plan", PROFILE).stdout)
        # What others' rules are is for root.
        done = self.lpar.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                             "kvm-routedctl", "check", PROFILE, check=False)
        self.assertNotIn("iptables", done.stdout + done.stderr)
        self.assertIn(done.returncode, (0, 1, 2), done.stderr)
        self.assertEqual(self.lpar.fingerprint(), before)
        self.lpar.up(PROFILE)
        self.wait_finding("table ip filter")


class Legacy(ForeignCase):
    """iptables-legacy, of which the kernel tells no changes: they are seen with the next event of
    something else, and when somebody asks."""

    def legacy(self, script):
        self.addCleanup(self.lpar.sh, "iptables-legacy -P FORWARD ACCEPT; iptables-legacy -F; "
                                      "iptables-legacy -X")
        self.lpar.sh(script)
        self.ask()

    def ask(self):
        self.lpar.run("kvm-routedctl", "verify", PROFILE, check=False)

    def test_policy(self):
        self.legacy("iptables-legacy -P FORWARD DROP")
        finding = self.wait_finding("table iptables-legacy filter, chain FORWARD, drops packets "
                                    "from guests, packets to guests", "policy drop")
        self.assertFalse(self.pings("lpar11/guest1", LAN))
        self.assertEqual(finding["hint"], "iptables-legacy -I FORWARD -i br-ex -j ACCEPT && "
                                          "iptables-legacy -I FORWARD -o br-ex -j ACCEPT")
        self.lpar.sh(finding["hint"])
        self.ask()
        self.wait_findings(0)
        self.assert_scenarios()

    def test_docker(self):
        self.addCleanup(self.lpar.sh, "iptables-legacy -t nat -F; iptables-legacy -t nat -X")
        self.legacy(DOCKER.replace("iptables", "iptables-legacy"))
        finding = self.wait_finding("table iptables-legacy filter, chain FORWARD", "policy drop")
        self.assertFalse(self.pings("lpar11/guest1", LAN))
        self.assertTrue(finding["hint"].startswith("iptables-legacy -I DOCKER-USER -i br-ex"))
        self.lpar.sh(finding["hint"])
        self.ask()
        self.wait_findings(0)
        self.assertTrue(self.pings("lpar11/guest1", LAN))
        self.assertTrue(self.pings("lanserver", GUEST))

    def test_rules_of_every_kind(self):
        """Each, alone in FORWARD, says of guest to LAN what the packets say."""
        for rule, passes in (
                ("-i br-ex -j DROP", False),
                ("-i br-+ -d 10.0.0.0/8 -j REJECT", False),
                ("-s 10.136.11.1 -o o5s_10g_1 -p icmp -j DROP", False),
                ("! -s 10.0.0.0/8 -j DROP", True),
                ("! -i br-ex -o o5s_10g_1 -j DROP", True),
                ("-p tcp --dport 7000:7001 -j DROP", True),
                ("-i br-ex -m conntrack --ctstate NEW -j DROP", False),
                ("-i br-ex -m state --state RELATED -j DROP", True),
                ("-i br-ex -m conntrack ! --ctstate ESTABLISHED,RELATED -j DROP", False),
                ("-i br-ex -m comment --comment guests -g sub", False),
                ("-i br-ex", True)):
            with self.subTest(rule):
                self.legacy(f"iptables-legacy -F; iptables-legacy -N sub || true; "
                            f"iptables-legacy -A sub -d 10.10.10.0/24 -j DROP; "
                            f"iptables-legacy -A FORWARD {rule}")
                answer = json.loads(self.lpar.run(
                    "kvm-routedctl", "explain", "--json", GUEST, LAN, check=False).stdout)
                self.assertEqual(answer["verdict"], "passes" if passes else "refused", answer)
                self.assertEqual(self.pings("lpar11/guest1", LAN), passes)

    def test_what_cannot_be_told(self):
        self.legacy("iptables-legacy -A FORWARD -i br-ex -m mac --mac-source 02:00:00:00:00:99 "
                    "-j DROP")
        finding = self.wait_finding("cannot be told", "iptables-legacy", "-m mac")
        self.assertEqual(finding["hint"], "look at iptables-legacy -t filter -S FORWARD")
        self.assertTrue(self.pings("lpar11/guest1", LAN))

    def test_some_ports(self):
        self.legacy("iptables-legacy -A FORWARD -p tcp --dport 25 -j DROP")
        self.add_table("""table ip witness {
            chain fw { type filter hook forward priority 0; oifname "br-ex" drop; }
        }""")
        self.wait_finding("table ip witness")


class PortForward(ForeignCase):
    """conntrack=auto: the administrator's own DNAT rule towards a guest, in nft or iptables."""

    HOST, PORT = "10.131.11.254", 8080
    NFT = (f"""nft -f - <<.
            table ip admin {{
                chain pre {{
                    type nat hook prerouting priority dstnat; policy accept;
                    ip daddr {HOST} tcp dport {PORT} dnat to {GUEST}:7000
                }}
            }}
.
            """, "nft delete table ip admin")
    RULE = f"PREROUTING -d {HOST} -p tcp --dport {PORT} -j DNAT --to-destination {GUEST}:7000"
    IPTABLES = (f"iptables -t nat -A {RULE}", f"iptables -t nat -D {RULE}")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # What was tracked once stays in the table for a while: a port is used once.
        cls.ports = itertools.count(30000)

    def tracked(self):
        """Whether a new flow of guest and LAN shows in the host's table."""
        port = next(self.ports)
        with packets.Mailbox(self.server, port) as mailbox:
            packets.send_udp(self.guest, first_address(self.guest), LAN, port, b"flow")
            wait_for(lambda: mailbox.holds(b"flow"), 2, "the datagram", interval=0.01)
        return f" dport={port} " in self.lpar.run("cat", "/proc/net/nf_conntrack").stdout

    def assert_works(self):
        reply = wait_for(lambda: self.server.tcp(self.HOST, self.PORT), 10, "the port forward")
        self.assertEqual(reply.source, LAN)
        self.assertEqual(self.server.tcp(self.HOST, self.PORT, size=100_000).received, 100_000)
        self.assertTrue(self.tracked())
        # The guest's own flows go on, and the rule opens nothing else.
        self.assert_reaches(self.guest, LAN, server=self.server)
        self.assertIsNone(self.server.tcp(self.HOST, 7001))

    def assert_gone(self):
        self.assertIsNone(self.server.tcp(self.HOST, self.PORT, timeout=1.5))
        wait_for(lambda: not self.tracked(), 10, "routed flows are not tracked")

    def check(self, rules, first):
        add, remove = rules
        self.addCleanup(lambda: self.lpar.link(SWITCH) or self.lpar.up(PROFILE))
        self.addCleanup(self.lpar.run, "nft", "delete", "table", "ip", "admin", check=False)
        self.guest.serve(7000)
        if first:
            self.lpar.down(PROFILE)
            self.iptables(add)
            self.lpar.up(PROFILE)
        else:
            self.assert_gone()
            self.iptables(add)
        self.assert_works()
        self.lpar.sh(remove)
        self.assert_gone()

    def test_nft_before_us(self):
        self.check(self.NFT, True)

    def test_nft_after_us(self):
        self.check(self.NFT, False)

    def test_iptables_before_us(self):
        self.check(self.IPTABLES, True)

    def test_iptables_after_us(self):
        self.check(self.IPTABLES, False)


if __name__ == "__main__":
    labcase.main()

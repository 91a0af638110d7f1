# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever others undo is there again, and flows that it does not concern lose nothing."""

import contextlib
import re

import labcase
from drifts import DRIFTS, HARMLESS, INTRANET, LAN, PEER, SWITCH, UPLINK
from flows import Echoes, Stream
from kernelwatch import KernelWatch
from lpar import in_fixed_order

NAME = "guests11"
# Packets of a flow, one each 5 ms, while NetworkManager has switched forwarding off and we have not
# switched it on again.
NM_LOSES = 20
SERVERS = {LAN: "lanserver", PEER: "lpar12/guest1", INTRANET: "intraserver"}


class DriftCase(labcase.LabCase):
    """With the networks of both LPARs up."""

    profiles_up = True

    def setUp(self):
        self.maxDiff = None
        self.lpar = self.cec["lpar11"]
        self.guest = self.cec["lpar11/guest1"]
        self.take_up()
        self.addCleanup(self.lpar.run, "nft", "delete", "table", "inet", "filter", check=False)
        for address in SERVERS:  # neighbours are known, connections can be tracked
            self.assertTrue(self.guest.ping(address), address)
        # The tests after this one shall not see a fight in what happened in all of them together.
        self.addCleanup(self.take_up)

    def take_up(self):
        """All as new: nothing is given up, nor on its way to that."""
        self.lpar.nmcli("device", "reapply", SWITCH)
        self.lpar.wait_state(NAME, "active")

    def host_state(self):
        """What must be as before, without what packets count."""
        state = self.lpar.fingerprint()
        ours = {family: in_fixed_order(self.lpar.run("nft", "-s", "list", "table", family,
                                                     "kvm_routed", check=False).stdout)
                for family in ("arp", "ip", "ip6")}
        routes = sorted(line for line in state["ip route"].splitlines() if "kvm-routed" in line)
        self.assertTrue(routes)
        for family, rules in ours.items():
            self.assertTrue(rules, f"no table of family {family}")
        return {**ours, "routes": routes, "sysctl": state["sysctl net.ipv4"],
                "queue": self.lpar.link(SWITCH)["txqlen"]}

    def _let_run(self, echoes):
        for each in echoes.values():
            enough = each.sent + 20
            self.lpar.wait_for(lambda: each.sent >= enough, 10, "20 more echoes")

    @contextlib.contextmanager
    def nothing_lost(self, addresses, most=0):
        """Flows from a guest that go on during the block, as if nothing was; each may lose `most`
        packets."""
        with contextlib.ExitStack() as stack:
            echoes = {address: stack.enter_context(Echoes(self.guest, address))
                      for address in addresses}
            streams = {address: stack.enter_context(
                Stream(self.guest, address, self.cec[SERVERS[address]]))
                       for address in addresses}
            self._let_run(echoes)
            yield
            self._let_run(echoes)
        for address in addresses:
            self.assertLessEqual(echoes[address].lost, most, f"echoes to {address} of "
                                                             f"{echoes[address].sent}")
            self.assertIsNone(streams[address].error, address)
            self.assertLessEqual(streams[address].lost, most, f"segments to {address}")


def _identifier(name):
    return "test_" + re.sub(r"\W+", "_", name.lower()).strip("_")


class Healing(DriftCase):
    """A test for each of DRIFTS."""

    def _heals(self, drift):
        before = self.host_state()
        log = self.lpar.logs["dbus"]
        size = log.stat().st_size
        with KernelWatch(self.lpar, delays=[UPLINK, SWITCH] if drift.delay else []) as watch:
            with self.nothing_lost(drift.spares):
                drift.do(self.cec, self.lpar)
                watch.healed(drift.since)
        self.lpar.wait_state(NAME, "active")
        self.assert_same_soon(before)
        # Of what is done once nothing is given up, not even for a while.
        self.assertNotIn(b"warning fight", log.read_bytes()[size:])
        for address in SERVERS:
            self.assertTrue(self.lpar.wait_for(lambda: self.guest.ping(address, count=1), 10,
                                               f"guest1 reaches {address}"))

    def assert_same_soon(self, before):
        def same():
            self.assertEqual(self.host_state(), before)
            return True

        self.lpar.wait_for(same, 10, "the host is as before")


class Comparison(DriftCase):
    """What host_state() takes for the same."""

    def test_a_counter_that_was_made_last(self):
        before = self.host_state()["arp"]
        counter = "\tcounter arp_refused {\n\t}\n"
        others = before.replace(counter + "\n", "")
        moved = others.removesuffix("}\n") + "\n" + counter + "}\n"
        self.assertNotEqual(moved, before)
        self.assertEqual(in_fixed_order(moved), before)
        self.assertNotEqual(in_fixed_order(others), before)


class Harmless(DriftCase):
    """A test for each of HARMLESS."""

    def _changes_nothing(self, drift):
        if drift.prepare:
            drift.prepare(self.cec, self.lpar)
            self.addCleanup(self.lpar.run, "nft", "delete", "table", "inet", "firewalld")
            self.lpar.settled_fingerprint(1)
        before = self.host_state()
        nm_writes = drift.by_nm and self.lpar.nm_writes_forwarding()
        with KernelWatch(self.lpar) as watch:
            with self.nothing_lost(drift.spares, NM_LOSES if nm_writes else 0):
                drift.do(self.cec, self.lpar)
                self.lpar.wait_state(NAME, "active")
                self.lpar.wait_for(lambda: self.host_state() == before, 10, "the host is as before")
        self.assertEqual(self.host_state(), before)
        self.assertEqual([event for event in watch.happened("route")], [])
        ours = [event for event in watch.happened("value") if event.what[1] == UPLINK]
        if nm_writes:
            ours = [event for event in ours if event.what[2] != "forwarding"]
        self.assertEqual(ours, [])


for case, method, drifts in ((Healing, "_heals", DRIFTS),
                             (Harmless, "_changes_nothing", HARMLESS)):
    for one in drifts:
        setattr(case, _identifier(one.name),
                lambda self, drift=one, method=method: getattr(self, method)(drift))


if __name__ == "__main__":
    labcase.main()

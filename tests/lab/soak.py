#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Random operations on a host with several networks, by administrators, by others, and by accidents;
after each, what must be true of the host is looked up in the kernel.

As root: tests/lab/soak.py [--seed N] [--operations N] [--seconds N] [--verbose]. The seed is
printed: the same seed is the same sequence of operations.
"""

import argparse
import random
import signal
import sys
import time

import product
from bus import Bus, BusError
from cec import Cec
from drifts import DRIFTS, HARMLESS, HIPERSOCKETS, MASQUERADE, UPLINK
from hosts import LabError

LINKS = (UPLINK, HIPERSOCKETS, MASQUERADE)
SETTLE = 30  # seconds until the host must be as it shall be
QUIET = 0.4  # seconds: what is undone more often than a few times a second is given up

# As many networks as share links with each other in all ways.
NETWORKS = {
    "guests11": dict(
        uuid="5d7a1e40-0000-4000-8000-000000000011", switch="br-ex",
        addresses=("10.136.11.254/24", "10.137.11.254/24"),
        uplinks=(UPLINK,), hipersockets=(HIPERSOCKETS,), masquerade=(MASQUERADE,),
        peers=("10.136.12.0/24", "10.137.12.0/24")),
    "more11": dict(
        uuid="5d7a1e40-0000-4000-8000-000000000111", switch="br-more",
        addresses=("10.139.11.254/24", "10.139.12.254/24"),
        uplinks=(UPLINK,), hipersockets=(), masquerade=(MASQUERADE,), peers=()),
    "zos11": dict(
        uuid="5d7a1e40-0000-4000-8000-000000001111", switch="br-zos",
        addresses=("10.140.11.254/24",),
        uplinks=(), hipersockets=(HIPERSOCKETS,), masquerade=(),
        peers=("10.141.12.0/24", "10.141.13.0/24", "10.141.14.0/24")),
}
GATEWAY = "172.31.56.2"
QUEUES = (1000, 2500, 4000)

# Takes all at once, so that it is of one moment as far as that can be had. Interfaces may go
# meanwhile.
READ = r"""
cd /proc/sys/net/ipv4
for key in forwarding proxy_arp; do grep -H . conf/*/$key || :; done
grep -H . neigh/*/proxy_delay || :
for link in /sys/class/net/br-*; do
    length=$(cat "$link/tx_queue_len") && echo "queue/${link##*/}/tx_queue_len:$length" || :
done
ip -4 -N route show proto 136 | sed 's/^/route /'
for family in arp ip ip6; do
    nft -s list table $family kvm_routed 2>/dev/null | sed "s/^/$family /"
done
true
"""


class SoakError(AssertionError):
    """Something that must be true is not; the text says after what."""


class Profile:
    """A profile as it is stored or applied: the choice of what it has."""

    def __init__(self, name, dice):
        full = NETWORKS[name]
        self.name, self.uuid, self.switch = name, full["uuid"], full["switch"]
        some = lambda items: tuple(item for item in items if dice.random() < 0.7)
        self.addresses = full["addresses"][:dice.randint(1, len(full["addresses"]))]
        self.uplinks, self.masquerade = some(full["uplinks"]), some(full["masquerade"])
        self.hipersockets = full["hipersockets"]
        self.peers = some(full["peers"])
        self.queue = dice.choice(QUEUES)

    def links(self):
        return {*self.uplinks, *self.hipersockets, *self.masquerade}

    def text(self):
        lines = ["[connection]", f"id={self.name}", f"uuid={self.uuid}", "type=kvm-routed",
                 f"interface-name={self.switch}", "autoconnect=false", "[kvm-routed]",
                 f"tx-queue-length={self.queue}"]
        lines += [f"{role}={','.join(getattr(self, role))}"
                  for role in ("uplinks", "hipersockets", "masquerade") if getattr(self, role)]
        if self.peers:
            lines.append("peers=" + ", ".join(f"{peer} {GATEWAY}" for peer in self.peers))
        lines += ["[ipv4]", "method=manual"]
        lines += [f"address{number}={address}"
                  for number, address in enumerate(self.addresses, 1)]
        return "\n".join(lines) + "\n"

    def __repr__(self):
        return (f"{self.name}({', '.join((*self.uplinks, *self.hipersockets, *self.masquerade))}"
                f"; {len(self.addresses)} addresses, {len(self.peers)} peers)")


class Soak:
    """On LPAR 11 of a CEC; what it did stands in `history`."""

    def __init__(self, cec, seed, verbose=False):
        self.cec, self.lpar = cec, cec["lpar11"]
        self.dice = random.Random(seed)
        self.seed, self.verbose = seed, verbose
        self.history = []
        self.stored, self.applied = {}, {}
        self.missing = set()  # links that were disconnected
        self.extra = set()  # addresses on lo
        self.bus = Bus(self.lpar)
        self.before = self._read()
        self.untouched = self._fingerprint()

    def close(self):
        self.bus.close()

    # -- what must be true

    def _read(self):
        """The host: {"values": {path: number}, "routes": …, "arp": text, "ip": …, "ip6": …}."""
        found = {"values": {}, "routes": set(), "arp": "", "ip": "", "ip6": ""}
        for line in self.lpar.sh(READ).stdout.splitlines():
            word, _, rest = line.partition(" ")
            if word == "route":
                words = rest.split()
                found["routes"].add((words[0], words[words.index("dev") + 1]))
            elif word in ("arp", "ip", "ip6"):
                found[word] += rest + "\n"
            else:
                path, value = line.rsplit(":", 1)
                found["values"][path] = int(value)
        return found

    def _expected(self):
        """The same, less the tables, as it shall be now; only what is ours or was there before."""
        values = {path: value for path, value in self.before["values"].items()
                  if path.split("/")[1] in LINKS}
        routes = set()
        for profile in self.applied.values():
            proxies = {profile.switch, *profile.uplinks}
            for name in {*proxies, *profile.links()}:
                values[f"conf/{name}/forwarding"] = 1
            for name in proxies:
                values[f"conf/{name}/proxy_arp"] = 1
                values[f"neigh/{name}/proxy_delay"] = 0
            values[f"queue/{profile.switch}/tx_queue_len"] = profile.queue
            if HIPERSOCKETS not in self.missing:
                routes |= {(peer, HIPERSOCKETS) for peer in profile.peers}
        return values, routes

    def _states(self):
        return {profile.name: "degraded" if profile.links() & self.missing else "active"
                for profile in self.applied.values()}

    def _check(self):
        """Raises SoakError if it is not as it shall be (yet)."""
        try:
            shown = {network["Id"]: network for network in self.bus.networks().values()}
        except BusError as error:  # it was just killed; the bus starts it again
            raise SoakError(f"the service: {error}") from None
        states = {name: network["State"] for name, network in shown.items()}
        if states != self._states():
            reasons = {name: network["StateReason"] for name, network in shown.items()}
            raise SoakError(f"states {states}, not {self._states()}: {reasons}")
        codes = {finding["code"] for network in shown.values() for finding in network["Findings"]}
        if codes - {"link-missing"}:
            raise SoakError(f"findings {codes}")

        host = self._read()
        values, routes = self._expected()
        wrong = {path: (host["values"].get(path), value) for path, value in values.items()
                 if host["values"].get(path) != value}
        if wrong:
            raise SoakError(f"values (is, shall be): {wrong}")
        if host["routes"] != routes:
            raise SoakError(f"routes {host['routes']}, not {routes}")
        self._check_safe(host)

    def _check_safe(self, host):
        """Nothing is answered for without its filter, nor forwarded without the chain."""
        for path, value in host["values"].items():
            kind, name, key = path.split("/")
            if kind != "conf" or not value or self.before["values"].get(path):
                continue
            if key == "proxy_arp" and name in LINKS and f'"{name}" :' not in host["arp"]:
                raise SoakError(f"{name} proxies without an entry in the filter")
            if "hook forward" not in host["ip"]:
                raise SoakError(f"{path} is {value} without the forward chain")
        if not self.applied and (host["arp"] or host["ip"] or host["ip6"]):
            raise SoakError("tables kvm_routed are left, and no network is up")

    def _fingerprint(self):
        """The host without what NetworkManager chooses anew, such as metrics."""
        state = self.lpar.settled_fingerprint()
        words = state["ip route"].splitlines()
        state["ip route"] = sorted(" ".join(line.split(" metric ")[0].split()) for line in words)
        return state

    def settle(self, timeout=SETTLE):
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._check()
                return
            except SoakError as error:
                if time.monotonic() >= deadline:
                    raise SoakError(self._told(error)) from None
            time.sleep(0.05)

    def _told(self, error):
        last = "\n".join(f"    {number}: {text}"
                         for number, text in enumerate(self.history, 1))[-3000:]
        return (f"seed {self.seed}, after operation {len(self.history)}: {error}\n"
                f"operations:\n{last}")

    # -- operations: each returns what it did

    def add(self):
        name = self.dice.choice([name for name in NETWORKS if name not in self.stored])
        profile = Profile(name, self.dice)
        self.lpar.load_profile(profile.text(), name)
        self.stored[name] = profile
        return profile

    def change(self):
        name = self.dice.choice(list(self.stored))
        profile = Profile(name, self.dice)
        self.lpar.load_profile(profile.text(), name)
        self.stored[name] = profile
        if name not in self.applied or self.dice.random() < 0.3:
            return f"{profile}, stored only"
        self.lpar.nmcli("device", "reapply", profile.switch)
        self.applied[name] = profile
        return f"{profile}, reapplied"

    def up(self):
        """Also of a network that is up: its bridge is made anew."""
        name = self.dice.choice(list(self.stored))
        self.lpar.nmcli("--wait", "0", "connection", "up", name)
        self.applied.pop(name, None)
        self.applied[name] = self.stored[name]
        return name

    def down(self):
        name = self.dice.choice(list(self.applied))
        self.lpar.nmcli("connection", "down", name)
        del self.applied[name]
        return name

    def delete(self):
        name = self.dice.choice(list(self.stored))
        self.lpar.nmcli("connection", "delete", name)
        self.applied.pop(name, None)
        del self.stored[name]
        return name

    def disconnect(self):
        name = self.dice.choice([name for name in LINKS if name not in self.missing])
        self.lpar.nmcli("device", "disconnect", name)
        self.missing.add(name)
        return name

    def connect(self):
        name = self.dice.choice(sorted(self.missing))
        self.lpar.nmcli("connection", "up", name)
        self.missing.discard(name)
        return name

    def address(self):
        """A VIPA of the host comes or goes."""
        address = f"192.0.2.{self.dice.randint(1, 9)}/32"
        do = "del" if address in self.extra else "add"
        self.lpar.run("ip", "address", do, address, "dev", "lo")
        self.extra ^= {address}
        return f"{do} {address}"

    def drift(self):
        drift = self.dice.choice([drift for drift in DRIFTS + HARMLESS if self._possible(drift)])
        drift.do(self.cec, self.lpar)
        if "NetworkManager stopped" in drift.name:
            self._network_manager_is_new()
        self.lpar.run("nft", "delete", "table", "inet", "firewalld", check=False)
        time.sleep(QUIET)
        return drift.name

    def _possible(self, drift):
        """Whether there is what it undoes, for a command that would fail."""
        names = {profile.switch for profile in self.applied.values()}
        if self.missing and drift.since + drift.spares and any(
                word in drift.name for word in ("ip link", "nmcli", "NetworkManager")):
            return False  # they would be connected by the way
        if "arp kvm_routed" in drift.name:
            return any(profile.uplinks for profile in self.applied.values())
        if "kvm_routed" in drift.name:
            return bool(self.applied)
        if "of the guests" in drift.name or "NetworkManager stopped" in drift.name:
            return "br-ex" in names
        if "route del" in drift.name:
            return "guests11" in self.applied and HIPERSOCKETS not in self.missing and \
                "10.137.12.0/24" in self.applied["guests11"].peers
        return True

    def kill_service(self):
        number = self.dice.choice((signal.SIGTERM, signal.SIGKILL))
        self.lpar.signal_service(number)
        return number.name

    def drift_while_away(self):
        """Undone while the service does not run: its next life puts it back."""
        self.lpar.signal_service(signal.SIGKILL)
        what = self.dice.choice(("nft flush ruleset", "ip route flush proto 136",
                                 f"sysctl -q -w net.ipv4.conf.{UPLINK}.forwarding=0"))
        self.lpar.run(*what.split())
        return what

    def restart_network_manager(self):
        number = self.dice.choice((signal.SIGTERM, signal.SIGKILL))
        if number == signal.SIGTERM:
            self.lpar.restart_nm()
        else:
            self._connected()
            self.lpar.kill_nm()
            self.lpar.start_nm()
            self.lpar.connected()
        self._network_manager_is_new()
        return number.name

    def _connected(self):
        """NetworkManager has written down what it activated: a bridge without ports is activated two
        seconds after it works. Else a NetworkManager that is killed knows nothing of it."""
        def all_connected():
            states = self.lpar.devices()
            return all(states.get(profile.switch) == "connected"
                       for profile in self.applied.values())

        self.lpar.wait_for(all_connected, 20, "all switches connected", interval=0.1)

    def _network_manager_is_new(self):
        """It connects what has a profile, and takes the stored profiles for the applied ones."""
        self.missing.clear()
        self.applied = {name: self.stored[name] for name in self.applied}

    def foreign_table(self):
        self.lpar.run("nft", "add", "table", "inet", "foreign")
        self.lpar.run("nft", "delete", "table", "inet", "foreign")
        return "came and went"

    OPERATIONS = {"add": 6, "change": 10, "up": 6, "down": 4, "delete": 2, "disconnect": 2,
                  "connect": 4, "address": 5, "drift": 20, "kill_service": 3,
                  "drift_while_away": 2, "restart_network_manager": 1, "foreign_table": 2}

    def _can(self, name):
        return {"add": len(self.stored) < len(NETWORKS), "change": self.stored, "up": self.stored,
                "down": self.applied, "delete": self.stored, "connect": self.missing,
                "disconnect": len(self.missing) < len(LINKS)}.get(name, True)

    # -- the whole

    def step(self):
        names = [name for name in self.OPERATIONS if self._can(name)]
        name, = self.dice.choices(names, [self.OPERATIONS[name] for name in names])
        begin = time.monotonic()
        self.history.append(name)
        try:
            self.history[-1] = f"{name}: {getattr(self, name)()}"
        except LabError as error:
            raise SoakError(self._told(f"{name}: {error}")) from None
        done = time.monotonic()
        self.settle()
        if self.verbose:
            print(f"{len(self.history):5} {self.history[-1]}  [{done - begin:.1f} s, settled "
                  f"{time.monotonic() - done:.1f} s]", flush=True)

    def finish(self):
        """All down: the host is as it was before the first operation."""
        for name in sorted(self.missing):
            self.lpar.nmcli("connection", "up", name)
        self.missing.clear()
        for address in sorted(self.extra):
            self.lpar.run("ip", "address", "del", address, "dev", "lo")
        self.extra.clear()
        self.lpar.run("nft", "delete", "table", "inet", "filter", check=False)
        for name in list(self.stored):
            self.lpar.nmcli("connection", "delete", name)
        self.stored.clear()
        self.applied.clear()
        self.history.append("all deleted")
        self.settle()
        after = self._fingerprint()
        for what, text in self.untouched.items():
            if after[what] != text:
                lines = lambda state: state if isinstance(state, list) else state.splitlines()
                more = [line for line in lines(after[what]) if line not in lines(text)]
                less = [line for line in lines(text) if line not in lines(after[what])]
                raise SoakError(self._told(f"{what} is not as before: now {more}, was {less}"))

    def run(self, operations=None, seconds=None):
        """So many operations, or for so long, and the end. Returns: how many it were"""
        deadline = time.monotonic() + seconds if seconds else None
        while (operations is None or len(self.history) < operations) and \
                (deadline is None or time.monotonic() < deadline):
            self.step()
        number = len(self.history)
        self.finish()
        return number


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None, help="default: a random one")
    parser.add_argument("--operations", type=int, default=2000, help="default: 2000")
    parser.add_argument("--seconds", type=float, default=None, help="end after that time at most")
    parser.add_argument("--verbose", action="store_true", help="a line for each operation")
    options = parser.parse_args()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    begin = time.monotonic()
    with Cec(product=product.installed()) as cec:
        soak = Soak(cec, seed, options.verbose)
        try:
            number = soak.run(options.operations, options.seconds)
        except SoakError as error:
            print(f"FAILED: {error}\n{cec.diagnosis()}", flush=True)
            return 1
        finally:
            soak.close()
    print(f"seed {seed}: {number} operations in {time.monotonic() - begin:.0f} s, all as it shall "
          "be", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

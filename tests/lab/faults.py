# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults on purpose: a build of the service that stops or fails where a test says.

Such a build has the option fault_points; see plugin/kernel/kvmr-fault.h for the files by which it
is driven.
"""

import collections
import contextlib
import json
import os
import pathlib
import re
import signal
import time

import product

DIRECTORY = "/run/nm-kvm-routed.faults"
RUNTIME = "/run/nm-kvm-routed"
OPTIONS = ("-Dfault_points=true", "-Dtests=false")

# All that is looked at where the service stands still, in one program: it is read often.
READ_KERNEL = """
    nft -j list ruleset
    echo
    echo ==
    for value in conf/*/forwarding conf/*/proxy_arp neigh/*/proxy_delay; do
        # An interface may vanish meanwhile.
        grep -sH . /proc/sys/net/ipv4/$value || true
    done
    echo ==
    ip -4 route show table main proto 136
"""

READ_REST = """
    ip -4 route show table all
    ip -4 rule show
    ip -4 neigh show proxy
    ip link show
    grep -rs . /proc/sys/net/ipv4 || true  # some cannot be read
"""


def product_with_faults():
    """That build, installed below BUILD/faults-root, unless KVMR_FAULTS_PRODUCT names one."""
    if os.environ.get("KVMR_FAULTS_PRODUCT"):
        return pathlib.Path(os.environ["KVMR_FAULTS_PRODUCT"])
    with product.locked("faults"):
        product.build(product.BUILD / "faults", *OPTIONS)
        return product.install(product.BUILD / "faults", product.BUILD / "faults-root")


def _plain(value):
    """What nft tells in JSON without what differs between equal rule sets: handles, counts, and
    the order of elements."""
    if isinstance(value, dict):
        value = {key: _plain(item) for key, item in value.items()
                 if key not in ("handle", "index", "packets", "bytes")}
        if "elem" in value and isinstance(value["elem"], list):
            value["elem"] = sorted(value["elem"], key=json.dumps)
        return value
    return [_plain(item) for item in value] if isinstance(value, list) else value


class Kernel:
    """What the service changes. Read from the kernel, not from any record of the service."""

    def __init__(self, text):
        rules, values, routes = text.split("\n==\n")
        self.objects = [item for item in _plain(json.loads(rules)["nftables"])
                        if "metainfo" not in item]
        self.routes = routes
        self.values = {}
        for path, value in re.findall(r"^(\S+):(\d+)$", values, re.MULTILINE):
            *_, interface, key = path.split("/")
            self.values[interface, key] = int(value)

    def text(self):
        """The same for equal states, with each difference on a line of its own. Only rules of a chain
        have an order: a table that is made anew is listed last."""
        objects = sorted(self.objects, key=lambda item: (
            (False, item["rule"]["family"], item["rule"]["table"], item["rule"]["chain"])
            if "rule" in item else (True, json.dumps(item))))
        values = (f"{interface} {key} {value}"
                  for (interface, key), value in sorted(self.values.items()))
        return "\n".join([*map(json.dumps, objects), *values, self.routes])

    def _has_chain(self, family, hook):
        return any(chain["family"] == family and chain["table"] == "kvm_routed"
                   and chain.get("hook") == hook
                   for chain in (item["chain"] for item in self.objects if "chain" in item))

    def _looks_up(self, family, chain, name):
        """Whether a rule of that chain hands packets to that map."""
        return any(rule["family"] == family and rule["table"] == "kvm_routed"
                   and rule["chain"] == chain and f'"@{name}"' in json.dumps(rule["expr"])
                   for rule in (item["rule"] for item in self.objects if "rule" in item))

    def _elements(self, family, name):
        """The interfaces that a map of ours has."""
        return {key for item in self.objects for entry in [item.get("map")] if entry
                and (entry["family"], entry["table"], entry["name"]) == (family, "kvm_routed", name)
                for key, *_ in entry.get("elem", [])}

    def filtered(self):
        """Interfaces whose ARP replies are filtered by us."""
        if not self._has_chain("arp", "output") or not self._looks_up("arp", "output", "uplinks"):
            return set()
        return self._elements("arp", "uplinks")

    def chained(self):
        """Interfaces whose traffic ends in our refusal, unless a rule of ours lets it pass."""
        if not self._has_chain("ip", "forward") or not self._looks_up("ip", "forward", "other_in"):
            return set()
        return self._elements("ip", "other_in")

    def switched_on(self, key, before):
        """Interfaces on which a value is on that was off."""
        return {interface for (interface, name), value in self.values.items()
                if name == key and value and not before.values.get((interface, key), 0)
                and interface not in ("all", "default")}

    def guarded(self):
        """Guest interfaces: what comes from them is refused unless its source is a guest's."""
        if not self._has_chain("ip", "prerouting") or \
                not self._looks_up("ip", "prerouting", "arriving"):
            return set()
        return self._elements("ip", "arriving")

    def dangers(self, before):
        """What must never be: a set of words, empty if all is well. On a guest interface the host
        answers for all that guests reach through it; on any other only a filter may let it."""
        proxies = self.switched_on("proxy_arp", before) - self.filtered() - self.guarded()
        forwards = self.switched_on("forwarding", before) - self.chained()
        return ({f"{name} proxies without its filter" for name in proxies}
                | {f"{name} forwards without its chain" for name in forwards})


class Faults:
    """Drives the service of an LPAR with such a build."""

    def __init__(self, lpar):
        self.lpar = lpar
        self._resumed = 0

    def _path(self, name):
        return pathlib.Path(f"/proc/{self.lpar.holder}/root{DIRECTORY}") / name

    def _read(self, name):
        """The whole lines: of one that goes over two pages, the kernel shows the first part before
        the other is written."""
        with contextlib.suppress(FileNotFoundError):
            written = self._path(name).read_text(encoding="ascii")
            return written[:written.rfind("\n") + 1].splitlines()
        return []

    def begin(self, *plan):
        """From now on: forget what was met, and do as the lines of the plan say."""
        self._resumed = 0
        self._path("").mkdir(exist_ok=True)
        for name in ("met", "fired"):
            self._path(name).unlink(missing_ok=True)
        fresh = self._path("plan.new")
        fresh.write_text("".join(f"{line}\n" for line in plan), encoding="ascii")
        fresh.rename(self._path("plan"))

    def met(self, kind):
        """How often each name of a kind ("point", "operation") was met since begin()."""
        lines = (line.split(" ", 1) for line in self._read("met"))
        return collections.Counter(name for found, name in lines if found == kind)

    def operations(self):
        """How often each operation was met until the host was as wanted for the first time."""
        lines = self._read("met")
        last = max(index for index, line in enumerate(lines) if line == "point reconcile.told")
        return collections.Counter(line.split(" ", 1)[1] for line in lines[:last]
                                   if line.startswith("operation "))

    def refused_work(self):
        """Whether a change was refused, and not just a look at a host without networks."""
        begun = False
        for line in self._read("met"):
            if line in ("point apply.begin", "point apply.idle"):
                begun = line.endswith("begin")
            elif line == "point reconcile.refused" and begun:
                return True
        return False

    def fired(self):
        """What was done as the plan said: a list of (name, action, process id)."""
        lines = map(str.split, self._read("fired"))
        return [(name, action, int(pid)) for name, action, pid in lines]

    def stopped(self):
        """The process that stands still at a point, or None."""
        stops = [pid for _, action, pid in self.fired() if action == "stop"]
        if len(stops) > self._resumed and self._state(stops[-1]) == "T":
            return stops[-1]
        return None

    def _state(self, pid):
        with contextlib.suppress(OSError):
            stat = pathlib.Path(f"/proc/{self.lpar.holder}/root/proc/{pid}/stat").read_text()
            return stat.rsplit(")", 1)[1].split()[0]
        return None

    def idle(self):
        """Whether nothing new was met for a moment."""
        before = len(self._read("met"))
        time.sleep(0.1)
        return len(self._read("met")) == before

    def signal(self, pid, number):
        self.lpar.run("kill", f"-{int(number)}", str(pid))

    def ended(self):
        """Whether every process to which something was done is gone."""
        pids = {pid for _, _, pid in self.fired()}
        return bool(pids) and not any(self.lives(pid) for pid in pids)

    def lives(self, pid):
        return self._state(pid) not in (None, "Z", "X")

    def resume(self, pid):
        """Let it go on from its point."""
        self._resumed += 1
        self.signal(pid, signal.SIGCONT)

    def kernel(self):
        return Kernel(self.lpar.sh(READ_KERNEL).stdout)

    def host(self):
        """Everything that may differ after a network came and went, as text."""
        # Interfaces that come again have other indexes.
        return self.kernel().text() + re.sub(r"(?m)^\d+: ", "", self.lpar.sh(READ_REST).stdout)

    def journal(self):
        """The service's files with content, by name."""
        path = pathlib.Path(f"/proc/{self.lpar.holder}/root{RUNTIME}")
        with contextlib.suppress(FileNotFoundError):
            return {file.name: file.read_text() for file in path.iterdir()
                    if file.is_file() and file.stat().st_size}
        return {}

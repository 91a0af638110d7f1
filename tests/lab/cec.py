# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual CEC: LPARs, their guests, and the networks and systems around them, in namespaces.

    with Cec(product=destdir) as cec:
        lpar = cec["lpar11"]
        lpar.load_profile(lpar.profile("guests11"), "guests11")
        lpar.up("guests11")
        assert cec["lpar11/guest1"].ping("10.10.10.10")

The topology is data. Its keys:

    segments   layer-2 networks: a bridge in a namespace of its own. mtu
    lpars      id, switch (the interface guests are attached to), links, guests, profiles (lists of
               keyfile lines), sysctl
    hosts      everything else: links, sysctl
    links      name, mtu, addresses, and either segment, or wire: two links with the same wire are
               the two ends of one. mac, if not one made of the names; arp=false for a layer-3
               (NOARP) link; routes, as for `ip route add`; external=true: not a profile of the
               LPAR's NetworkManager
    guests     port (the name of the LPAR's end of the guest's NIC), links (one)

and reachability: see reachability.py.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

from hosts import ENVIRONMENT, Host, LabError
from lpar import Guest, Lpar
from wicked import WickedLpar

TOPOLOGY = pathlib.Path(__file__).with_name("topology.json")
RUN_PREFIX = "kvmr-cec."
STATE = "cec.json"


class Segment(Host):
    """A layer-2 network: one bridge, called `segment`, that knows nothing of IP."""

    SETUP = Host.SETUP + """
        ip link add segment type bridge stp_state 0 mcast_snooping 0
        ip link set segment mtu "$2" up
    """

    def setup_arguments(self):
        return [self.name, str(self.config["mtu"])]

    def configure(self, links):
        self.ip_batch([f"link set {link['name']} master segment up" for link in links])


class Cec:
    """Built when entered, gone without a trace when left; `keep` leaves it running."""

    def __init__(self, product=None, topology=None, keep=None, without_nm=()):
        """`without_nm` are names of LPARs that have no NetworkManager at all."""
        path = topology or os.environ.get("KVMR_TOPOLOGY") or TOPOLOGY
        with open(path, encoding="utf-8") as file:
            self.topology = json.load(file)
        self.keep = bool(os.environ.get("KVMR_KEEP")) if keep is None else keep
        self.product = product
        self.without_nm = without_nm
        self.directory = self.segments = self.lpars = self.others = None
        self._signals = {}

    # -- access

    def hosts(self):
        """Everything in the CEC, LPARs before their guests."""
        guests = [guest for lpar in self.lpars.values() for guest in lpar.guests.values()]
        return [*self.segments.values(), *self.lpars.values(), *guests, *self.others.values()]

    def __getitem__(self, name):
        """cec["lpar11"], cec["lpar11/guest1"], cec["lanserver"]."""
        for host in self.hosts():
            if host.name == name and not isinstance(host, Segment):
                return host
        raise KeyError(name)

    def diagnosis(self):
        return "".join(lpar.diagnosis() for lpar in (self.lpars or {}).values())

    # -- what the topology's profiles do

    def up(self):
        """Load and bring up every profile of the topology, in all LPARs."""
        profiles = [(lpar, name) for lpar in self.lpars.values()
                    for name in lpar.config["profiles"]]
        for lpar, name in profiles:
            lpar.load_profile(lpar.profile(name), name)
            lpar.begin_up(name)
        for lpar, name in profiles:
            lpar.wait_up(name)

    def reset(self):
        """All LPARs back to how they were built."""
        for lpar in self.lpars.values():
            lpar.reset()

    # -- life

    def __enter__(self):
        self._catch_signals()
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _catch_signals(self):
        """Let SIGTERM and SIGHUP do what ^C does: nothing else gets through unittest, too."""
        if threading.current_thread() is not threading.main_thread():
            return

        def leave(number, _frame):
            raise KeyboardInterrupt(signal.Signals(number).name)

        for number in (signal.SIGTERM, signal.SIGHUP):
            self._signals[number] = signal.signal(number, leave)

    def _build(self):
        if os.geteuid() != 0:
            raise LabError("the virtual CEC needs root: its hosts are namespaces of the kernel")
        remove_stale_directories()
        prefix = f"{RUN_PREFIX}{os.getpid()}."
        # Not 0700: programs in the LPARs that are not root look up files of their overlays here.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
        self.directory.chmod(0o755)
        if self.product:
            # A copy: a later build must not change what runs, and overlayfs takes no odd names.
            self.product = shutil.copytree(self.product, self.directory / "product", symlinks=True)
        self._make_hosts()
        for host in self.hosts():
            host.start()
        for host in self.hosts():
            host.ready()
        self._write_state()
        self._plug(self.hosts())
        for lpar in self.lpars.values():
            lpar.start_daemons()
        for lpar in self.lpars.values():
            lpar.connected()

    def _make_hosts(self):
        data = self.topology
        self.segments = {name: Segment(name, config, self.keep)
                         for name, config in data["segments"].items()}
        self.lpars = {name: self._lpar_class(name)(name, config, self.directory / name,
                                                   self.product, self.keep)
                      for name, config in data["lpars"].items()}
        self.others = {name: Host(name, config, self.keep)
                       for name, config in data["hosts"].items()}

    def _lpar_class(self, name):
        return WickedLpar if name in self.without_nm else Lpar

    def _plug(self, hosts):
        """Make all cables that end at one of these hosts, and configure both ends."""
        self._make_cables(ends for ends in self._cables() if any(host in hosts for host, _ in ends))

    def replug(self, host, name):
        """A new card, with a new cable, in place of a host's link that is gone."""
        self._make_cables(ends for ends in self._cables()
                          if any(end is host and link["name"] == name for end, link in ends))

    def _make_cables(self, cables):
        batch, made = [], {}
        for ends in cables:
            (host, link), (peer, port) = ends
            batch.append(f"link add {cable_end(host, link)} type veth "
                         f"peer {cable_end(peer, port)}")
            for end, name in ends:
                made.setdefault(end, []).append(name)
        result = subprocess.run(["ip", "-batch", "-"], input="\n".join(batch) + "\n", text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                                check=False, env=ENVIRONMENT)
        if result.returncode != 0:
            raise LabError(f"cannot make the cables: {result.stdout}")
        for host in self.hosts():
            host.configure(made.get(host, []))

    def _cables(self):
        """All cables as pairs of ends, each a (host, link)."""
        wires = {}
        for host in self.hosts():
            for link in host.links:
                if isinstance(host, Guest):
                    port = {"name": host.port, "mtu": link["mtu"]}
                    yield (host, link), (host.lpar, port)
                elif "segment" in link:
                    port = {"name": f"{host.name[:12]}-{host.links.index(link)}",
                            "mtu": link["mtu"]}
                    yield (host, link), (self.segments[link["segment"]], port)
                else:
                    wires.setdefault(link["wire"], []).append((host, link))
        for wire, ends in wires.items():
            if len(ends) != 2:
                raise LabError(f"topology: wire {wire} has {len(ends)} ends, not 2")
            yield tuple(ends)

    def reboot(self, lpar):
        """A new start of an LPAR, in a kernel's network that knows nothing of before; the files of
        its NetworkManager stay. Its guests are new, too, and not yet attached."""
        hosts = [lpar, *lpar.guests.values()]
        for host in hosts:
            host.begin_stop()
        for host in hosts:
            host.stop()
        for host in hosts:
            host.start()
        for host in hosts:
            host.ready()
        self._write_state()
        # The kernel removes the far ends of the old cables a moment later.
        lpar.wait_for(lambda: not self._ends_elsewhere(hosts), 10, "the old cables are gone")
        self._plug(hosts)
        lpar.start_daemons()
        lpar.connected()

    def _ends_elsewhere(self, hosts):
        """The ends, in other hosts, of the cables of these hosts."""
        return [link["name"] for ends in self._cables() for host, link in ends
                if host not in hosts and any(end in hosts for end, _ in ends)
                and host.link(link["name"])]

    def close(self):
        """End and remove everything; with `keep`, nothing but the in-process servers."""
        for number in self._signals:
            signal.signal(number, signal.SIG_IGN)
        if self.directory:
            if self.keep:
                print(f"The virtual CEC stays: see {self.directory / STATE}; "
                      "`sudo tests/demo --remove` removes it.", file=sys.stderr)
            else:
                hosts = self.hosts() if self.others is not None else []
                for host in hosts:
                    host.begin_stop()
                for host in hosts:
                    host.stop()
                shutil.rmtree(self.directory, ignore_errors=True)
            self.directory = None
        for number, handler in self._signals.items():
            signal.signal(number, handler)
        self._signals.clear()

    def _write_state(self):
        """Who is who, for a later `tests/demo --remove` and for people."""
        state = {host.name: host.holder for host in self.hosts()}
        (self.directory / STATE).write_text(json.dumps(state, indent=2) + "\n")


def cable_end(host, link):
    return (f"name {link['name']} netns {host.holder} mtu {link['mtu']} "
            f"address {link.get('mac') or burned_in_mac(host, link)}")


def burned_in_mac(host, link):
    """An adapter's own MAC: the same after a reboot, so that nobody need learn a new one."""
    digest = hashlib.sha256(f"{host.name} {link['name']}".encode()).hexdigest()
    return "02:" + ":".join(digest[i:i + 2] for i in range(0, 10, 2))


# -- what earlier runs left

def _is_holder(pid, name):
    """Whether a process is still the holder of that host: PID 1 of a namespace with its name."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as cmdline, \
             open(f"/proc/{pid}/status", encoding="ascii") as status:
            nested = next(line.split() for line in status if line.startswith("NSpid:"))
            return cmdline.read() == b"sleep\0infinity\0" and nested[-1] == "1" and bool(name)
    except (OSError, StopIteration):
        return False


def kept():
    """The CECs that stayed: {directory: {host name: holder's process id}}."""
    found = {}
    for directory in pathlib.Path(tempfile.gettempdir()).glob(RUN_PREFIX + "*"):
        try:
            state = json.loads((directory / STATE).read_text())
        except (OSError, ValueError):
            continue
        found[directory] = {name: pid for name, pid in state.items() if _is_holder(pid, name)}
    return found


def _owner_lives(directory):
    owner = directory.name[len(RUN_PREFIX):].split(".")[0]
    return os.path.exists(f"/proc/{owner}")


def remove_kept():
    """Remove the CECs that stayed; their names."""
    removed = []
    for directory, hosts in kept().items():
        if _owner_lives(directory):
            continue
        for pid in hosts.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(directory, ignore_errors=True)
        removed.append(directory)
    return removed


def remove_stale_directories():
    """Remove what runs that were killed the hard way left in /tmp (their processes died then)."""
    alive = kept()
    for directory in pathlib.Path(tempfile.gettempdir()).glob(RUN_PREFIX + "*"):
        if not alive.get(directory) and not _owner_lives(directory):
            shutil.rmtree(directory, ignore_errors=True)

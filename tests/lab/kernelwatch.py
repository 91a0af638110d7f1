# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel tells of an LPAR's network, as it happens, with the times; no polling.

    with KernelWatch(lpar) as watch:
        lpar.run("nft", "flush", "ruleset")
        seconds = watch.healed()        # from the loss until all of ours was there again

Only what is kvm-routed's is looked at: tables kvm_routed, routes of its protocol, forwarding and
proxy_arp of the interfaces that had it when the watch began. Of proxy_delay the kernel does not
tell: its files are watched.
"""

import collections
import ctypes
import json
import os
import select
import socket
import struct
import threading
import time

from hosts import LabError, _setns

PROTOCOL = 136
TABLE = "kvm_routed"

NETLINK_NETFILTER = 12
SOL_NETLINK, ADD_MEMBERSHIP, SO_RCVBUFFORCE = 270, 1, 33
ROUTE_GROUPS = (1, 5, 7, 24)  # link, IPv4 address, route, netconf
NFTABLES_GROUP = 7

NEWLINK, DELLINK, NEWADDR, DELADDR, NEWROUTE, DELROUTE, NEWNETCONF = 16, 17, 20, 21, 24, 25, 80
NFT = 10 << 8
NEWTABLE, DELTABLE, NEWRULE, DELRULE, NEWGEN = (NFT | number for number in (0, 2, 6, 8, 15))
IN_MODIFY, IN_NONBLOCK = 0x2, 0o4000
IFF_UP, IFF_LOWER_UP = 0x1, 0x10000
NETCONF_KEYS = {2: "forwarding", 5: "proxy_arp"}
FAMILIES = {2: "ip", 3: "arp", 10: "ip6"}

# What happened, in the order of the kernel: ("value", interface, key, value), ("route", "new" or
# "del", destination, interface), ("up", interface), ("address", interface), ("rules", who, {family:
# rules of our table}).
Event = collections.namedtuple("Event", "time what")


def _attributes(data):
    found, offset = {}, 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            break
        found[kind & 0x3fff] = data[offset + 4:offset + length]
        offset += (length + 3) & ~3
    return found


def _messages(data):
    offset = 0
    while offset + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, offset)
        if length < 16:
            break
        yield kind, data[offset + 16:offset + length]
        offset += (length + 3) & ~3


def _text(data):
    return data.rstrip(b"\0").decode()


def _open(lpar, protocol, groups):
    opened = lpar.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    opened.bind((0, 0))
    for group in groups:
        opened.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
    opened.setblocking(False)
    return opened


def _is_same(file, other):
    try:
        return os.path.sameopenfile(file, other)
    except OSError:  # of an interface that is gone
        return False


class KernelWatch:
    """A context manager: `events` grows, and the times of loss and of healing are known."""

    def __init__(self, lpar, delays=()):
        self._lpar = lpar
        self._delays = {name: None for name in delays}
        self.events = []
        self._changed = threading.Condition()
        self._names, self._addresses, self._values = {}, {}, {}
        self._routes, self._rules = set(), {}
        self._pending = {}
        self._wanted = None
        self._losses, self._heals = [], []
        self._whole = True

    # -- life

    def __enter__(self):
        self._route = _open(self._lpar, socket.NETLINK_ROUTE, ROUTE_GROUPS)
        self._netfilter = _open(self._lpar, NETLINK_NETFILTER, (NFTABLES_GROUP,))
        self._wake, self._waker = socket.socketpair()
        self._read_state()
        self._threads = [threading.Thread(target=target, daemon=True)
                         for target in (self._follow, self._follow_delays)]
        self._ended = False
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended = True
        self._waker.send(b".")
        for thread in self._threads:
            thread.join(10)
        for opened in (self._route, self._netfilter, self._wake, self._waker):
            opened.close()

    def _read_state(self):
        # What changes in between is told again by the sockets, which are open already.
        for link in self._lpar.ip("link", "show"):
            self._names[link["ifindex"]] = link["ifname"]
        for link in self._lpar.ip("-4", "address", "show"):
            self._addresses[link["ifindex"]] = {socket.inet_aton(address["local"])
                                                for address in link["addr_info"]}
        values = self._lpar.sh("cd /proc/sys/net/ipv4/conf; "
                               "grep -H . */forwarding */proxy_arp").stdout
        index = {name: number for number, name in self._names.items()}
        for line in values.splitlines():
            path, value = line.rsplit(":", 1)
            name, key = path.rsplit("/", 1)
            if name in index:
                self._values[index[name], key] = int(value)
        for route in self._lpar.ip("-4", "-N", "route", "show", "proto", str(PROTOCOL)):
            self._routes.add((route["dst"], route["dev"]))
        listed = json.loads(self._lpar.run("nft", "-j", "list", "ruleset").stdout)
        for item in listed["nftables"]:
            table = item.get("table", {})
            rule = item.get("rule", {})
            if table.get("name") == TABLE:
                self._rules.setdefault(table["family"], 0)
            if rule.get("table") == TABLE:
                self._rules[rule["family"]] = self._rules.get(rule["family"], 0) + 1
        self._pending = dict(self._rules)
        self._wanted = self._state()

    # -- what it knows

    def _state(self):
        values = {(self._names[index], key): value
                  for (index, key), value in self._values.items()
                  if index in self._names and value}
        return values, frozenset(self._routes), dict(self._rules)

    def _is_whole(self):
        values, routes, rules = self._state()
        wanted_values, wanted_routes, wanted_rules = self._wanted
        # Others may have interfaces that forward, too.
        return (all(values.get(name) == value for name, value in wanted_values.items())
                and routes >= wanted_routes and rules == wanted_rules
                and not any(self._delays.values()))

    def _judge(self, now):
        whole = self._is_whole()
        if whole != self._whole:
            (self._heals if whole else self._losses).append(now)
        self._whole = whole
        self._changed.notify_all()

    # -- following

    def _follow(self):
        while not self._ended:
            readable, _, _ = select.select([self._route, self._netfilter, self._wake], [], [])
            for opened in readable:
                if opened is self._wake:
                    continue
                try:
                    data = opened.recv(1 << 20)
                except OSError:
                    continue
                now = time.monotonic()
                with self._changed:
                    for kind, payload in _messages(data):
                        self._take(kind, payload, now)
                    self._judge(now)

    def _follow_delays(self):
        """In the LPAR's network: /proc/sys/net is that of who reads it."""
        if not self._delays:
            return
        with open(f"/proc/{self._lpar.holder}/ns/net", "rb") as there:
            _setns(there)  # of this thread only
        libc = ctypes.CDLL(None)
        files = {}  # name -> the watched file, kept open: an interface of that name may come anew
        notify = libc.inotify_init1(IN_NONBLOCK)
        while not self._ended:
            for name in self._delays:
                path = self._delay_path(name)
                try:
                    file = os.open(path, os.O_PATH)
                except OSError:
                    continue
                if name in files and _is_same(file, files[name]):
                    os.close(file)
                    continue
                if name in files:
                    os.close(files[name])
                files[name] = file
                libc.inotify_add_watch(notify, path.encode(), IN_MODIFY)
                self._read_delay(name)
            if select.select([notify], [], [], 0.02)[0]:
                os.read(notify, 4096)
                now = time.monotonic()
                with self._changed:
                    self._losses.append(now)
                    self._whole = False
                while not all(self._read_delay(name) == 0 for name in files) and not self._ended:
                    pass
        for file in (*files.values(), notify):
            os.close(file)

    def _delay_path(self, name):
        # As the LPAR mounted it: a file of another mount is another file for inotify.
        return f"/proc/{self._lpar.holder}/root/proc/sys/net/ipv4/neigh/{name}/proxy_delay"

    def _read_delay(self, name):
        try:
            with open(self._delay_path(name), encoding="ascii") as file:
                value = int(file.read())
        except OSError:
            value = None
        with self._changed:
            self._delays[name] = value
            self._judge(time.monotonic())
        return value

    def _note(self, now, *what):
        self.events.append(Event(now, what))

    def _take(self, kind, data, now):
        if kind in (NEWLINK, DELLINK):
            self._take_link(kind, data, now)
        elif kind in (NEWADDR, DELADDR):
            self._take_address(kind, data, now)
        elif kind in (NEWROUTE, DELROUTE):
            self._take_route(kind, data, now)
        elif kind == NEWNETCONF:
            self._take_values(data, now)
        elif kind >> 8 == 10:
            self._take_rules(kind, data, now)

    def _take_link(self, kind, data, now):
        family, index, flags = struct.unpack_from("=BxxxiI", data)
        if family:
            return
        if kind == DELLINK:
            name = self._names.pop(index, None)
            self._values = {key: value for key, value in self._values.items() if key[0] != index}
            self._note(now, "gone", name)
            return
        self._names[index] = _text(_attributes(data[16:])[3])
        up = flags & IFF_UP and flags & IFF_LOWER_UP
        if not flags & IFF_UP:  # with it go its routes, of which the kernel does not tell
            self._drop_routes(index)
        self._note(now, "up" if up else "down", self._names[index])

    def _take_address(self, kind, data, now):
        index, = struct.unpack_from("=I", data, 4)
        address = _attributes(data[8:]).get(2)
        addresses = self._addresses.setdefault(index, set())
        if kind == NEWADDR:
            addresses.add(address)
            self._note(now, "address", self._names.get(index))
            return
        addresses.discard(address)
        if not addresses:  # with the last one the kernel silently drops the routes, too
            self._drop_routes(index)

    def _drop_routes(self, index):
        self._routes = {route for route in self._routes if route[1] != self._names.get(index)}

    def _take_route(self, kind, data, now):
        family, plen, _, _, _, protocol = struct.unpack_from("=6B", data)
        attributes = _attributes(data[12:])
        if family != socket.AF_INET or protocol != PROTOCOL or 1 not in attributes:
            return
        index = struct.unpack("=I", attributes[4])[0] if 4 in attributes else 0
        address = socket.inet_ntoa(attributes[1])
        route = (f"{address}/{plen}" if plen < 32 else address, self._names.get(index))
        if kind == NEWROUTE:
            self._routes.add(route)
        else:
            self._routes.discard(route)
        self._note(now, "route", "new" if kind == NEWROUTE else "del", *route)

    def _take_values(self, data, now):
        attributes = _attributes(data[4:])
        if data[0] != socket.AF_INET or 1 not in attributes:
            return
        index = struct.unpack("=i", attributes[1])[0]
        for number, key in NETCONF_KEYS.items():
            if index > 0 and number in attributes:
                value = struct.unpack("=i", attributes[number])[0]
                self._values[index, key] = value
                self._note(now, "value", self._names.get(index), key, value)

    def _take_rules(self, kind, data, now):
        family = FAMILIES.get(data[0])
        attributes = _attributes(data[4:])
        if kind == NEWGEN:
            # Before that nobody is filtered by them: a transaction is one step.
            self._rules = {family: count for family, count in self._pending.items()}
            who = _text(attributes[3]) if 3 in attributes else ""
            self._note(now, "rules", who, dict(self._rules))
        elif kind in (NEWTABLE, DELTABLE, NEWRULE, DELRULE) and _text(attributes[1]) == TABLE:
            if kind == NEWTABLE:
                self._pending.setdefault(family, 0)
            elif kind == DELTABLE:
                self._pending.pop(family, None)
            elif family in self._pending:
                self._pending[family] += 1 if kind == NEWRULE else -1

    # -- answers

    def wait(self, predicate, timeout, what):
        """Until predicate() is true, which is asked again after each event."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not predicate():
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left) and not predicate():
                    raise LabError(f"{self._lpar.name}: waited {timeout:g} s in vain for: {what}\n"
                                   f"wanted: {self._wanted}\nis: {self._state()} "
                                   f"{self._delays}\n" + self._lpar.diagnosis())

    def healed(self, since=(), timeout=20):
        """Wait until something was lost, and all is there again; the seconds between.

        Where it could not be put back at once, `since` names events, such as ("up", "o5s_10g_1"):
        the last of them before the healing is what counts as its beginning."""
        self.wait(lambda: self._losses and self._whole, timeout, "a loss, and its healing")
        with self._changed:
            begin, end = self._losses[0], self._heals[-1]
            begins = [event.time for event in self.events
                      if event.what[:2] in since and event.time <= end]
            return end - max([begin, *begins])

    def last_healing(self):
        """When all was there again, by the monotonic clock."""
        with self._changed:
            return self._heals[-1]

    def is_whole(self):
        with self._changed:
            return self._whole

    def happened(self, *what):
        """The events that begin with these words, as (time, what)."""
        with self._changed:
            return [event for event in self.events if event.what[:len(what)] == what]

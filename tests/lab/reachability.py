# SPDX-License-Identifier: GPL-2.0-or-later
"""Who reaches whom: the rows `reachability` of a topology, tried with real packets.

Keys of a row: scenario (of the talk), about, from, to (hosts); and, where needed:

    both      also try the other direction
    address   the address to try, if not the first one of the host `to`
    path      links (LPAR:LINK) that all packets must take, and no other link of these LPARs
    seen_as   the source address that the server must see; else the client's own
    refused   nothing must get through
    routes    routes (HOST ROUTE) that exist meanwhile, so that a refusal is not for want of a route
    spoof     a source address, not the host's own, to send with; nothing of it may get through
"""

import contextlib

from hosts import LabError

PORT = 7000
# More than the ARP packets that may be on a link in the same moment.
PINGS = 10


class Row:
    """One direction of a row of the topology."""

    def __init__(self, data, swap=False):
        self.scenario = data["scenario"]
        self.about = data["about"]
        self.source, self.target = data["from"], data["to"]
        if swap:
            self.source, self.target = self.target, self.source
        self.address = data.get("address")
        self.path = [tuple(link.split(":")) for link in data.get("path", [])]
        self.seen_as = data.get("seen_as")
        self.refused = data.get("refused", False)
        self.routes = [tuple(route.split(" ", 1)) for route in data.get("routes", [])]
        self.spoof = data.get("spoof")

    def __str__(self):
        arrow = "must not reach" if self.refused else "reaches"
        return f"scenario {self.scenario}, {self.about}: {self.source} {arrow} {self.target}"


class Outcome:
    """What became of a row: `ok`, and how (`ping`, `tcp`, `remark`: words for people)."""

    def __init__(self, row, ok, ping, tcp, remark):
        self.row, self.ok, self.ping, self.tcp, self.remark = row, ok, ping, tcp, remark

    def __str__(self):
        return f"{self.row}: ping {self.ping}, TCP {self.tcp}; {self.remark}"


def rows(topology):
    """All directions of all rows of a topology, in its order."""
    for data in topology["reachability"]:
        yield Row(data)
        if data.get("both"):
            yield Row(data, swap=True)


def first_address(host):
    return host.links[0]["addresses"][0].split("/")[0]


def attempt(cec, row):
    """Try a row with real packets: its Outcome."""
    source, target = cec[row.source], cec[row.target]
    address = row.address or first_address(target)
    with contextlib.ExitStack() as stack:
        for host, route in row.routes:
            cec[host].run("ip", "route", "replace", *route.split())
            stack.callback(cec[host].run, "ip", "route", "del", *route.split(), check=False)
        if row.spoof:
            return _attempt_spoofed(row, source, target, address)
        target.serve(PORT)
        if row.refused:
            return _attempt_refused(row, source, address)
        return _attempt_reached(cec, row, source, address)


def _attempt_reached(cec, row, source, address):
    # The first packet may have to wait for ARP; it is not what a row is about.
    source.ping(address, count=1)
    before = _traffic(cec, row.path)
    ping = source.ping(address, count=PINGS, interval=0.02)
    path_ok, remark = _took_path(row.path, before, _traffic(cec, row.path))
    reply = source.tcp(address, PORT, size=100_000)
    seen_as = row.seen_as or first_address(source)
    seen_ok = reply is not None and reply.source == seen_as
    if reply and (row.seen_as or not seen_ok):
        remark = ", ".join(filter(None, (remark, f"seen as {reply.source}")))
        remark += "" if seen_ok else f" instead of {seen_as}"
    tcp_ok = reply is not None and reply.received == 100_000
    return Outcome(row, bool(ping) and path_ok and seen_ok and tcp_ok,
                   f"{ping.received}/{ping.sent}", "yes" if tcp_ok else "no", remark)


def _attempt_refused(row, source, address):
    ping = source.ping(address, count=2)
    reply = source.tcp(address, PORT, timeout=1.5)
    return Outcome(row, ping.received == 0 and reply is None, f"{ping.received}/{ping.sent}",
                   "yes" if reply else "no", "even with a route there" if row.routes else "")


def _attempt_spoofed(row, source, target, address):
    """No reply would find its way: what counts is what arrives at the target."""
    nic = source.links[0]["name"]
    source.run("ip", "address", "add", f"{row.spoof}/32", "dev", nic)
    try:
        with target.capture("any", f"src host {row.spoof} and ip") as seen:
            ping = source.ping(address, count=2, source=row.spoof)
            source.tcp(address, PORT, timeout=1, source=row.spoof)
    finally:
        source.run("ip", "address", "del", f"{row.spoof}/32", "dev", nic)
    arrived = len(seen.lines)
    if ping.sent == 0:
        raise LabError(f"{source.name} cannot send from {row.spoof}: {ping.output}")
    pings = len(seen.matching("ICMP echo request"))
    return Outcome(row, arrived == 0, f"{pings}/{ping.sent}", "no" if pings == arrived else "yes",
                   f"sent as {row.spoof}")


def _traffic(cec, path):
    """Packets so far on every link of the LPARs that the path touches."""
    lpars = {lpar for lpar, _ in path}
    return {(lpar, link["name"]): cec[lpar].counters(link["name"])
            for lpar in lpars for link in cec[lpar].links}


def _took_path(path, before, after):
    """Whether the pings took the path, and only that: (verdict, words)."""
    if not path:
        return True, ""
    grown = {link: min(after[link][way] - before[link][way] for way in ("rx", "tx"))
             for link in before}
    astray = [f"{lpar}:{name}" for (lpar, name), packets in grown.items()
              if packets >= PINGS and (lpar, name) not in path]
    unused = [f"{lpar}:{name}" for lpar, name in path if grown[lpar, name] < PINGS]
    if astray:
        return False, "took " + ", ".join(astray)
    if unused:
        return False, "did not take " + ", ".join(unused)
    return True, "through " + ", ".join(dict.fromkeys(name for _, name in path))

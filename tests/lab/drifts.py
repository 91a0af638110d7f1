# SPDX-License-Identifier: GPL-2.0-or-later
"""What others do to a host that routes, each as it is really done: data for the tests of healing,
for the soak, and for tests/bench/heal.py."""

import collections

UPLINK, HIPERSOCKETS, MASQUERADE, SWITCH = "o5s_10g_1", "hs56k_0", "o5s_1g_1", "br-ex"

# An address for each way that a guest of LPAR 11 has out of the host.
LAN, PEER, INTRANET = "10.10.10.10", "10.136.12.1", "172.18.0.100"

# What `systemctl restart nftables` has on Debian, and what firewalld's reload is like.
NFTABLES_CONF = """\
flush ruleset
table inet filter {
    chain input { type filter hook input priority filter; }
    chain forward { type filter hook forward priority filter; }
    chain output { type filter hook output priority filter; }
}
"""
FIREWALLD = """\
add table inet firewalld
delete table inet firewalld
table inet firewalld {
    chain filter_FORWARD {
        type filter hook forward priority filter + 10; policy accept;
        ct state established,related accept
    }
}
"""

# Files of the machine would set the machine's own values.
SYSCTL_CONF = """\
net.ipv4.conf.default.forwarding = 0
net.ipv4.conf.o5s_10g_1.forwarding = 0
net.ipv4.conf.hs56k_0.forwarding = 0
net.ipv4.conf.o5s_10g_1.proxy_arp = 0
net.ipv4.neigh.o5s_10g_1.proxy_delay = 80
"""

# do: called with the CEC and the LPAR. since: see KernelWatch.healed(). spares: addresses whose
# flows it does not concern. delay: whether proxy_delay is among what it undoes. prepare: called in
# the same way long before.
Drift = collections.namedtuple("Drift", "name do since spares delay prepare by_nm",
                               defaults=((), (LAN, PEER, INTRANET), False, None, False))


def run(*argv):
    return lambda cec, lpar: lpar.run(*argv)


def sysctl(key, value):
    return lambda cec, lpar: lpar.sysctl(key, value)


def restart_nftables(cec, lpar):
    """Debian's unit: ExecStop, then ExecStart."""
    lpar.run("nft", "flush", "ruleset")
    lpar.run("nft", "-f", "-", input=NFTABLES_CONF)


def load_firewalld(cec, lpar):
    """What firewalld does to its table, in one transaction; as a neighbour that tracks."""
    lpar.run("nft", "-f", "-", input=FIREWALLD)


def sysctl_system(cec, lpar):
    lpar.sh("mountpoint -q /usr/lib/sysctl.d || mount -t tmpfs tmpfs /usr/lib/sysctl.d; "
            "rm -rf /etc/sysctl.conf /etc/sysctl.d; mkdir /etc/sysctl.d")
    lpar.write_file("/etc/sysctl.d/99-hardening.conf", SYSCTL_CONF)
    lpar.run("sysctl", "--system")


def nm_stops_sharing(cec, lpar):
    """NetworkManager 1.54 and later, ipv4.forwarding=auto, when a shared connection stops: each of
    its devices gets the value of "default" (nm-device.c, _dev_ipforwarding4_set())."""
    names = " ".join(link["name"] for link in lpar.managed_links())
    lpar.sh(f"cd /proc/sys/net/ipv4/conf; value=$(cat default/forwarding); for i in {names}; do "
            '[ "$(cat $i/forwarding)" = $value ] || echo $value > $i/forwarding; done')


def ip_forward_on_and_off(cec, lpar):
    """Docker starts, and somebody's script stops it: the second write resets each interface."""
    lpar.sysctl("net/ipv4/ip_forward", 1)
    lpar.sysctl("net/ipv4/ip_forward", 0)


def down_and_up(name):
    def do(cec, lpar):
        lpar.run("ip", "link", "set", name, "down")
        lpar.run("ip", "link", "set", name, "up")
    return do


def renamed(name):
    def do(cec, lpar):
        lpar.run("ip", "link", "set", name, "down")
        lpar.run("ip", "link", "set", name, "name", "other0")
        lpar.run("ip", "link", "set", "other0", "name", name)
        lpar.run("ip", "link", "set", name, "up")
        lpar.nmcli("connection", "up", name)
    return do


def recreated(name):
    """A new card under the name of the old one; NetworkManager brings its profile up."""
    def do(cec, lpar):
        lpar.run("ip", "link", "del", name)
        cec.replug(lpar, name)
        lpar.wait_for(lambda: lpar.devices().get(name) == "connected", 20, f"{name} connected")
    return do


def restart_nm(cec, lpar):
    lpar.stop_nm()
    lpar.start_nm()
    lpar.connected()
    lpar.wait_for(lambda: lpar.devices().get(SWITCH) == "connected", 20, f"{SWITCH} connected")


def ready(name):
    """What a link may have to wait for until it can be used again."""
    return (("up", name), ("address", name))


CONF = "net/ipv4/conf"
OTHERS = {UPLINK: (PEER, INTRANET), HIPERSOCKETS: (LAN, INTRANET), MASQUERADE: (LAN, PEER)}

# All of these undo something of ours.
DRIFTS = [
    # Without the NAT chain some packets to the intranet keep the guest's address.
    Drift("nft flush ruleset", run("nft", "flush", "ruleset"), spares=(LAN, PEER)),
    Drift("systemctl restart nftables", restart_nftables, spares=(LAN, PEER)),
    Drift("nft delete table arp kvm_routed", run("nft", "delete", "table", "arp", "kvm_routed")),
    Drift("nft delete table ip kvm_routed", run("nft", "delete", "table", "ip", "kvm_routed"),
          spares=(LAN, PEER)),
    Drift("nft flush chain ip kvm_routed forward",
          run("nft", "flush", "chain", "ip", "kvm_routed", "forward")),
    Drift("sysctl forwarding=0 of the uplink", sysctl(f"{CONF}/{UPLINK}/forwarding", 0),
          spares=OTHERS[UPLINK]),
    Drift("sysctl proxy_arp=0 of the uplink", sysctl(f"{CONF}/{UPLINK}/proxy_arp", 0)),
    Drift("sysctl forwarding=0 of HiperSockets", sysctl(f"{CONF}/{HIPERSOCKETS}/forwarding", 0),
          spares=OTHERS[HIPERSOCKETS]),
    Drift("sysctl forwarding=0 of the guests", sysctl(f"{CONF}/{SWITCH}/forwarding", 0),
          spares=()),
    Drift("sysctl proxy_delay=80 of the uplink",
          sysctl(f"net/ipv4/neigh/{UPLINK}/proxy_delay", 80), delay=True),
    Drift("sysctl --system", sysctl_system, spares=(INTRANET,), delay=True),
    Drift("sysctl ip_forward=1, then 0", ip_forward_on_and_off, spares=()),
    Drift("NetworkManager 1.54 stops sharing", nm_stops_sharing, spares=()),
    Drift("ip route del, of a peer", run("ip", "route", "del", "10.137.12.0/24", "proto", "136")),
    Drift("ip route flush, of all peers", run("ip", "route", "flush", "proto", "136"),
          spares=OTHERS[HIPERSOCKETS]),
    Drift("ip link set down, up: HiperSockets", down_and_up(HIPERSOCKETS), ready(HIPERSOCKETS),
          OTHERS[HIPERSOCKETS]),
    Drift("nmcli connection up: HiperSockets", run("/usr/bin/nmcli", "connection", "up",
                                                   HIPERSOCKETS),
          ready(HIPERSOCKETS), OTHERS[HIPERSOCKETS]),
    Drift("ip link set name, and back: masquerade", renamed(MASQUERADE), ready(MASQUERADE),
          OTHERS[MASQUERADE]),
    Drift("ip link del, and new: the uplink", recreated(UPLINK), ready(UPLINK), OTHERS[UPLINK],
          True),
    Drift("ip link del, and new: HiperSockets", recreated(HIPERSOCKETS), ready(HIPERSOCKETS),
          OTHERS[HIPERSOCKETS]),
]

# These leave ours alone: nothing is to be healed, and nothing may be lost.
HARMLESS = [
    # The real firewall-cmd --reload is in test_firewalld.
    Drift("a table of firewalld's kind loaded again", load_firewalld, prepare=load_firewalld),
    Drift("ip link set down, up: the uplink", down_and_up(UPLINK), spares=OTHERS[UPLINK]),
    Drift("nmcli connection up: the uplink", run("/usr/bin/nmcli", "connection", "up", UPLINK),
          spares=OTHERS[UPLINK], by_nm=True),
    Drift("NetworkManager stopped and started", restart_nm, by_nm=True),
]

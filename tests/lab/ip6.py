# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 in the CEC, for the time of a test: on LPAR 11, its first two guests, the LAN, the intranet.

The host forwards it, as docker has it: net.ipv6.conf.all.forwarding is 1.
"""

HOST, HOST_ON_LAN = "fd00:136::254", "fd00:10::11"
GUEST1, GUEST2 = "fd00:136::1", "fd00:136::2"
LANSERVER, INTRASERVER = "fd00:10::10", "fd00:172::100"

ADDRESSES = (("lpar11", "br-ex", HOST), ("lpar11", "o5s_10g_1", HOST_ON_LAN),
             ("lpar11", "o5s_1g_1", "fd00:172::11"),
             ("lpar11/guest1", "vic_10g_2", GUEST1), ("lpar11/guest2", "vic_10g_2", GUEST2),
             ("lanserver", "eth0", LANSERVER), ("intraserver", "eth0", INTRASERVER))
ROUTES = (("lpar11/guest1", "default via fd00:136::254"),
          ("lpar11/guest2", "default via fd00:136::254"),
          ("lanserver", "default via fd00:10::11"), ("intraserver", "default via fd00:172::11"))
FORWARDING = "net/ipv6/conf/all/forwarding"


def _set(test, host, key, value):
    before = host.sysctl(key)
    host.sysctl(key, value)
    test.addCleanup(host.sysctl, key, before)


def enable(test, forwarding=1):
    """Addresses, routes and forwarding until the end of the test; disabling IPv6 removes them."""
    cec = test.cec
    for name, device, address in ADDRESSES:
        for link in "all", device:
            _set(test, cec[name], f"net/ipv6/conf/{link}/disable_ipv6", 0)
        cec[name].run("ip", "address", "replace", f"{address}/64", "dev", device, "nodad")
    _set(test, cec["lpar11"], FORWARDING, forwarding)
    for name, route in ROUTES:
        cec[name].run("ip", "-6", "route", "replace", *route.split())
    for address in GUEST1, GUEST2, LANSERVER, INTRASERVER:
        cec["lpar11"].wait_for(lambda: cec["lpar11"].ping(address, count=1), 10,
                               f"the host itself reaches {address}")

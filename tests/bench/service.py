#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service costs: its own work for an event, memory, wake-ups when idle, start-up.

Runs in the virtual CEC, as root: tests/bench/service.py. Medians, with the spread in brackets; no
test depends on them.
"""

import pathlib
import re
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))

import product  # noqa: E402
from cec import Cec  # noqa: E402

ROUNDS = 15
IDLE_SECONDS = 20
NAME = "org.freedesktop.NetworkManager.KvmRouted"
PATH = "/org/freedesktop/NetworkManager/KvmRouted"


def show(what, values, unit):
    median = statistics.median(values)
    spread = f"[{min(values):.1f}..{max(values):.1f}]" if len(values) > 1 else ""
    print(f"{what:<58}{median:8.1f} {unit} {spread}", flush=True)


def status(lpar, pid, key):
    """Sums of a field of /proc/PID/status over the service's threads."""
    text = lpar.sh(f"cat /proc/{pid}/task/*/status").stdout
    return [int(value) for value in re.findall(rf"^{key}:\s+(\d+)", text, re.MULTILINE)]


def ask(lpar):
    """Seconds that a first question to the service takes."""
    start = time.monotonic()
    lpar.run("gdbus", "call", "--system", "--dest", NAME, "--object-path", PATH, "--method",
             "org.freedesktop.DBus.Properties.Get", NAME, "Version")
    return time.monotonic() - start


def reconciled(log, since):
    """What the service's debug messages say of its work since an offset: microseconds."""
    found = re.findall(r"reconciled \d+ networks, (\w+): applied after (\d+) us",
                       log.read_text()[since:])
    return {state: [int(us) / 1000 for was, us in found if was == state]
            for state in ("changed", "unchanged")}


def main():
    with Cec(product=product.installed()) as cec:
        lpar = cec["lpar11"]
        lpar.load_profile(lpar.profile("guests11").replace(
            "[connection]\n", "[connection]\nautoconnect=false\n", 1), "guests11")
        lpar.up("guests11")

        started = []
        for _ in range(ROUNDS):
            lpar.signal_service(9)
            cold = ask(lpar)
            started.append((cold - ask(lpar)) * 1000)
        show("start-up, bus activation to answer, one network running", started, "ms")

        time.sleep(2)
        pid = lpar.service_pid()
        show("RssAnon", [status(lpar, pid, "RssAnon")[0] / 1024], "MiB")
        before = sum(status(lpar, pid, "voluntary_ctxt_switches"))
        time.sleep(IDLE_SECONDS)
        after = sum(status(lpar, pid, "voluntary_ctxt_switches"))
        show(f"wake-ups in {IDLE_SECONDS} s idle", [after - before], "")

        # By hand, for its debug messages.
        log = lpar.directory / "service.log"
        lpar.signal_service(15)
        with open(log, "wb") as file:
            service = lpar.popen("env", "G_MESSAGES_DEBUG=all", "/usr/libexec/nm-kvm-routed",
                                 stdout=file, stderr=file)
        lpar.wait_for(lambda: "reconciled" in log.read_text(), 10, "the service runs")

        since = len(log.read_text())
        for _ in range(ROUNDS):
            lpar.run("ip", "address", "add", "10.131.11.77/32", "dev", "lo")
            time.sleep(0.2)
            lpar.run("ip", "address", "del", "10.131.11.77/32", "dev", "lo")
            time.sleep(0.2)
        work = reconciled(log, since)
        show("own work, an address comes or goes (nft elements)", work["changed"], "ms")
        show("own work, nothing to do", work["unchanged"], "ms")

        since = len(log.read_text())
        for _ in range(ROUNDS):
            lpar.run("ip", "link", "set", "o5s_10g_1", "down")
            time.sleep(0.2)
            lpar.nmcli("connection", "up", "o5s_10g_1")
            time.sleep(0.2)
        show("own work, an uplink comes or goes", reconciled(log, since)["changed"], "ms")

        applied = []
        for _ in range(ROUNDS):
            lpar.nmcli("connection", "down", "guests11")
            lpar.wait_for(lambda: not lpar.link("br-ex"), 10, "no br-ex")
            since = len(log.read_text())
            lpar.up("guests11")
            applied.append(max(reconciled(log, since)["changed"]))
        show("own work, a network comes up (everything applied)", applied, "ms")
        service.stop()


if __name__ == "__main__":
    main()

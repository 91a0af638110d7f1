#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the nmcli front costs those who do not use kvm-routed.

Each invocation is run through the real nmcli and the front in turn, in an LPAR with a kvm-routed
network; the medians, their difference in milliseconds, and the ratio. Run as root, on a quiet
machine: `tests/bench/nmcli.py [ROUNDS]`.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))

import product  # noqa: E402
from cec import Cec  # noqa: E402

REAL, FRONT = "/usr/bin/nmcli", "/usr/sbin/nmcli"
INVOCATIONS = (
    ["--version"],
    ["-t", "-f", "DEVICE,STATE", "device"],
    ["connection"],
    ["connection", "show", "o5s_10g_1"],
    ["-g", "ipv4.addresses", "connection", "show", "o5s_10g_1"],
    ["connection", "modify", "o5s_10g_1", "ipv4.method", "nonsense"],
    ["--offline", "connection", "add", "type", "ethernet", "ifname", "eth9"],
    ["connection", "add", "type", "nonsense"],
)


def measure(lpar, program, words):
    """Milliseconds from start to end."""
    argv = lpar.enter() + [program, *words]
    begin = time.perf_counter()
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=False)
    return (time.perf_counter() - begin) * 1000


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    if os.geteuid() != 0:
        sys.exit("tests/bench/nmcli.py needs root for its network namespaces")
    with Cec(product=product.installed("bench", "--buildtype=release", "-Dtests=false")) as cec:
        lpar = cec["lpar11"]
        lpar.load_profile(lpar.profile("guests11"), "guests11")
        lpar.up("guests11")
        print(f"{'real':>8} {'front':>8} {'more':>7} {'ratio':>6}  (ms, medians of {rounds})")
        for words in INVOCATIONS:
            times = {REAL: [], FRONT: []}
            for _ in range(rounds):
                for program, taken in times.items():
                    taken.append(measure(lpar, program, words))
            real, front = (statistics.median(taken) for taken in times.values())
            print(f"{real:8.2f} {front:8.2f} {front - real:7.2f} {front / real:6.3f}  "
                  f"nmcli {' '.join(words)}", flush=True)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""What ../run.py wants of a virtual IBM Z: unit tests that need its kernel or start programs built
for it, and the main job of the lab. Each result is a line of JSON on the standard output, for
../run.py.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import run  # noqa: E402  (a neighbour of this directory, not in Python's path)

# These share one CEC. test_verify is the first, for it tells which neighbours earlier tests had.
# What needs no br_netfilter comes before it: Linux 6.1's hides frames from some bridge chains.
FILES = ("test_verify", "test_explain", "test_arp", "test_dbus", "test_forwarding")
WITH_OPENVSWITCH = ("test_ovs_kernel",)
# As an argument: those for LPARs with the programs of a newer Debian, which a process of its own
# runs.
NEWEST = "newest"
CHOSEN_ON_NEWEST = ("test_ovs_kernel.OneProfile.test_all",
                    "test_ovs_kernel.OneProfile.test_refusals")
WITH_BRIDGE_NETFILTER = ("test_reachability",)
# Where no pattern says more: the main job, what reads back and explains it, and numbers on D-Bus.
CHOSEN = ("test_verify.Verify.test_all_is_well", "test_verify.Verify.test_changes_nothing",
          "test_explain.Rows.", "test_arp.Scope.", "test_dbus.Interface.test_counters",
          "test_dbus.Interface.test_properties", "test_dbus.Interface.test_types",
          "test_forwarding.ConnectionTracking.",
          "test_ovs_kernel.KernelDatapath.test_appears_vanishes_and_comes_back",
          "test_ovs_kernel.KernelDatapath.test_the_kernel_forwards", "test_reachability.")
WORKERS = 2  # unit tests at a time


def unit_test(test):
    """Run a unit test as `meson test` does; what became of it."""
    begin = time.monotonic()
    try:
        done = subprocess.run(test["cmd"], env={**os.environ, **test["env"]}, cwd="/tmp",
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace",
                              timeout=test["timeout"], check=False)
        good, stdout, stderr = done.returncode == 0, done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        good, stdout = False, (error.stdout or b"").decode(errors="replace")
        stderr = f"not done after {error.timeout} s"
    return run.unit_record(run.Z + test["name"], time.monotonic() - begin, good, stdout, stderr)


def tell_missing(names, chosen, tell):
    for pattern in chosen:
        if not any(pattern in name for name in names):
            tell({"name": f"lab {run.Z}{pattern}", "status": "failed", "seconds": 0,
                  "log": f"no test has this in its name: see CHOSEN in {__file__}"})


def main_tests(job, results, tell):
    patterns = job["patterns"] or CHOSEN
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for record in pool.map(unit_test, job["unit"]):
            tell(record)
    names = run.run_worker(FILES, patterns, results, run.Z)
    subprocess.run(["modprobe", "openvswitch"], check=True)
    names += run.run_worker(WITH_OPENVSWITCH, patterns, results, run.Z)
    subprocess.run(["modprobe", "br_netfilter"], check=True)
    names += run.run_worker(WITH_BRIDGE_NETFILTER, patterns, results, run.Z)
    tell_missing(names, [] if job["patterns"] else CHOSEN, tell)


def newest_tests(job, results, tell):
    subprocess.run(["modprobe", "openvswitch"], check=True)
    patterns = job["patterns"] or CHOSEN_ON_NEWEST
    machine = f"{run.Z}{pathlib.Path(os.environ['KVMR_SYSTEM']).name}."
    names = run.run_worker(WITH_OPENVSWITCH, patterns, results, machine)
    tell_missing(names, [] if job["patterns"] else CHOSEN_ON_NEWEST, tell)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    on_newest = sys.argv[2:] == [NEWEST]
    if not on_newest:
        subprocess.run([sys.executable, "-B", __file__, sys.argv[1], NEWEST], check=True,
                       env={**os.environ, "KVMR_SYSTEM": job["newest"]})
    with run.results_on_stdout() as results:
        def tell(record):
            print(json.dumps(record), file=results, flush=True)

        (newest_tests if on_newest else main_tests)(job, results, tell)


if __name__ == "__main__":
    main()

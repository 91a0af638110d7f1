#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How long what others undo stays undone: from the kernel's event of the loss to that of its end.

Runs in the virtual CEC, as root: tests/bench/heal.py [--rounds N] [WORDS of a drift's name]. Where
a link has to come back first, the time begins with its last event that had to be waited for. The
events are timed when they are read, which on a busy machine may be later for the first one than for
the last; so the last column has the worst time from before the command that undoes it, which is
too long by that command. No test depends on these times.
"""

import argparse
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))

import product  # noqa: E402
from cec import Cec  # noqa: E402
from drifts import DRIFTS, SWITCH, UPLINK  # noqa: E402
from kernelwatch import KernelWatch  # noqa: E402

NAME = "guests11"
GOAL_MS = 100


def measure(cec, lpar, drift):
    """Milliseconds of one round; and with the command, where nothing else has to be waited for."""
    # What was undone before is forgotten: so many rounds would be a fight.
    lpar.nmcli("device", "reapply", SWITCH)
    lpar.wait_state(NAME, "active")
    lpar.settled_fingerprint(0.2)
    with KernelWatch(lpar, delays=[UPLINK] if drift.delay else []) as watch:
        begin = time.monotonic()
        drift.do(cec, lpar)
        healed = watch.healed(drift.since) * 1000
        return healed, None if drift.since else (watch.last_healing() - begin) * 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("words", nargs="*", help="only drifts whose name has all of these")
    options = parser.parse_args()
    print(f"{'undone by':<48}{'median':>9}{'worst':>9}{'all':>9}  ms, {options.rounds} rounds, "
          f"goal {GOAL_MS}", flush=True)
    with Cec(product=product.installed()) as cec:
        lpar = cec["lpar11"]
        lpar.load_profile(lpar.profile(NAME), NAME)
        lpar.up(NAME)
        for drift in DRIFTS:
            if not all(word in drift.name for word in options.words):
                continue
            times, whole = zip(*(measure(cec, lpar, drift) for _ in range(options.rounds)))
            longest = "" if drift.since else f"{max(whole):9.1f}"
            print(f"{drift.name:<48}{statistics.median(times):9.1f}{max(times):9.1f}{longest}",
                  flush=True)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-2.0-or-later
"""Half a minute of the soak, from a seed of its own each time: soak.py repeats it, and more.

KVMR_SOAK_SEED and KVMR_SOAK_SECONDS set both.
"""

import os
import random

import labcase
from soak import Soak


class Test(labcase.LabCase):
    def test_soak(self):
        seed = int(os.environ.get("KVMR_SOAK_SEED") or random.randrange(1 << 32))
        seconds = float(os.environ.get("KVMR_SOAK_SECONDS") or 30)
        print(f"seed {seed}: tests/lab/soak.py --seed {seed} repeats it", flush=True)
        soak = Soak(self.cec, seed)
        self.addCleanup(soak.close)
        try:
            self.assertGreater(soak.run(seconds=seconds), 0)
        except Exception as error:  # of tests/run nothing is seen but what a failure says
            raise AssertionError(f"seed {seed}: tests/lab/soak.py --seed {seed}") from error


if __name__ == "__main__":
    labcase.main()

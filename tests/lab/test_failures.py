# SPDX-License-Identifier: GPL-2.0-or-later
"""A failure anywhere: rolled back as a whole, said, and healed."""

import collections
import os

import labcase
from faultcase import NAME, SWITCH, FaultCase

# What errors an operation can really have.
ERRORS = {
    "netlink.request": ("EPERM", "ENOBUFS"),
    "netlink.send": ("EINTR", "ENOBUFS", "EPERM"),
    "netlink.receive": ("EINTR", "ENOBUFS"),
    "nft.run": ("EPERM", "ENOBUFS", "EINTR"),
    "sysctl": ("EPERM", "EINTR"),
    "file": ("ENOSPC", "EPERM", "EINTR"),
    "dbus": ("EPERM", "EIO"),
}
# The lines of a plan have numbers.
NUMBERS = {"EPERM": 1, "EINTR": 4, "EIO": 5, "ENOSPC": 28, "ENOBUFS": 105}


def errors_of(operation):
    return ERRORS.get(operation) or ERRORS[operation.split(".")[0]]


class Failure(FaultCase):
    """Each operation fails, once, at each time that it is done in turn."""

    def whole_states(self, operation):
        """What the host has before and after each change that the operation consists of."""
        self.begin(operation, "apply.begin 1+ stop", "apply.taken 1+ stop")
        states = set()
        while pid := self.stop_or_end(operation):
            states.add(self.faults.kernel().text())
            self.faults.resume(pid)
        self.faults.begin()
        self.assert_restored()
        return states

    def inject(self, operation, name, n, error, states):
        """What came of a failure: "not met", "passed over", "said", or "rolled back"."""
        size = self.log_size()
        self.begin(operation, f"{name} {n} {NUMBERS[error]}", "undo.done 1+ stop")
        undone = False
        while pid := self.stop_or_end(operation):
            undone = True
            self.assert_safe(f"{name} {n} {error}")
            self.assertIn(self.faults.kernel().text(), states, "rolled back as a whole")
            self.faults.resume(pid)
        met, fired = self.faults.met("point"), self.faults.fired()
        said = self.log_since(size)
        if not any(action != "stop" for _, action, _ in fired):
            return "not met"
        if met["reconcile.refused"] or met["reconcile.unread"]:
            self.assertIn("tried again within", said)
        if self.faults.refused_work() and operation != "down":
            # What was routed before still is.
            state = "(failed|degraded)" if operation == "up" else "degraded"
            self.assertRegex(said, rf"{NAME} \({SWITCH}\): {state}: ")
            self.assertIn(os.strerror(NUMBERS[error]), said)
        if undone:
            return "rolled back"
        return "said" if "tried again within" in said else "passed over"

    def fail_everywhere(self, operation):
        _, operations, wanted = self.explore(operation)
        states = self.whole_states(operation)
        total = collections.Counter()
        for name, times in sorted(operations.items()):
            outcomes = collections.Counter()
            for n in range(1, times + 1):
                errors = errors_of(name)
                # The first time with each error, the others with one after the other.
                for error in errors if n == 1 else (errors[n % len(errors)],):
                    with self.case(operation=operation, fails=name, n=n, error=error):
                        outcome = "not survived"
                        outcomes[outcome] += 1
                        seen = self.inject(operation, name, n, error, states)
                        self.assert_reached(operation, wanted)
                        self.assert_restored()
                        outcomes[outcome] -= 1
                        outcomes[seen] += 1
            self.assertGreater(outcomes.total(), outcomes["not met"], f"{name} is never met")
            self.tell(operation, name, outcomes)
            total += outcomes
        self.tell(operation, "all", total)

    @staticmethod
    def tell(operation, name, outcomes):
        words = ", ".join(f"{number} {word}" for word, number in sorted(outcomes.items()) if number)
        injected = outcomes.total() - outcomes["not met"]
        print(f"    {operation:8}{name:26}{injected:4} injected: {words}", flush=True)

    def test_up(self):
        self.fail_everywhere("up")

    def test_change(self):
        self.fail_everywhere("change")

    def test_down(self):
        self.fail_everywhere("down")

    def test_restart(self):
        self.fail_everywhere("restart")


class Barred(FaultCase):
    """From some time on an operation fails for good, on the way back too: nothing unsafe is left,
    and it heals when the kernel lets it."""

    OPERATIONS = ("sysctl.write", "nft.run", "netlink.request", "file.create", "file.rename")
    # Most requests only ask.
    STEPS = {"netlink.request": 3}

    def bar(self, operation, name, n, error):
        self.begin(operation, f"{name} {n}+ {NUMBERS[error]}", "reconcile.refused 1+ stop",
                   "reconcile.unread 1+ stop")
        for again in (True, False):  # at once, and at a later try
            # Barred from its first request on, it cannot even start.
            pid = self.stop_or_end(operation, self.faults.ended)
            self.assert_safe(f"{name} {n}+ {error}")
            if not pid:
                break
            if not again:
                self.faults.begin()
            self.faults.resume(pid)
        self.faults.begin()
        # An event that makes it look at once.
        self.lpar.sh("nft add table inet nudge; nft delete table inet nudge")

    def bar_everywhere(self, operation):
        _, operations, wanted = self.explore(operation)
        for name in self.OPERATIONS:
            times = range(1, operations[name] + 1, self.STEPS.get(name, 1))
            survived = 0
            for n in times:
                error = errors_of(name)[0]
                with self.case(operation=operation, barred=name, n=n, error=error):
                    self.bar(operation, name, n, error)
                    self.wait_done(operation)
                    self.assert_reached(operation, wanted)
                    self.assert_restored()
                    survived += 1
            print(f"    {operation:8}{name:22}{len(times):4} barred,{survived:4} survived",
                  flush=True)

    def test_up(self):
        self.bar_everywhere("up")

    def test_change(self):
        self.bar_everywhere("change")

    def test_down(self):
        self.bar_everywhere("down")

    def test_restart(self):
        self.bar_everywhere("restart")


class Gone(FaultCase):
    """NetworkManager, or the bus, dies while the service is at work."""

    POINTS = ("apply.begin", "apply.rules", "apply.taken")

    def at_points(self, kill):
        for operation in ("up", "change", "down"):
            for point in self.POINTS:
                with self.case(operation=operation, point=point):
                    self.begin(operation, f"{point} 1 stop")
                    pid = self.stop_or_end(operation)
                    self.assertTrue(pid, "this point is not reached any more")
                    kill(pid)
                    self.assert_safe("alone")
                    self.lpar.connected()
                    self.faults.begin()
                    # The profile that was to be, whatever NetworkManager made of it.
                    self.lpar.up(NAME)
                    self.assertEqual(self.lpar.service_state(NAME), "active")
                    self.assert_restored()
                    print(f"    {operation:8}{point:14} survived", flush=True)

    def without_nm(self, pid):
        self.lpar.kill_nm()
        self.faults.resume(pid)
        self.lpar.wait_for(self.faults.idle, 10, "the service is done")
        self.assert_safe("without NetworkManager")
        self.lpar.start_nm()

    def test_networkmanager(self):
        self.at_points(self.without_nm)

    def without_bus(self, pid):
        self.lpar.kill_nm()
        self.lpar.kill_bus()
        self.faults.resume(pid)
        self.lpar.wait_for(lambda: not self.faults.lives(pid), 10, "the service ends")
        self.assert_safe("without a bus")
        self.lpar.start_daemons()

    def test_bus(self):
        self.at_points(self.without_bus)


if __name__ == "__main__":
    labcase.main()

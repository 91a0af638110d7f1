# SPDX-License-Identifier: GPL-2.0-or-later
"""The base class of the lab tests: one CEC for all classes of a test file."""

import atexit
import sys
import unittest

import product
from cec import Cec
from hosts import LabError

_shared = {}


def _shared_cec(with_product, without_nm=()):
    """The CEC of this process, built on first use, removed when the process ends."""
    key = with_product, without_nm
    if key not in _shared:
        cec = Cec(product=product.installed() if with_product else None, without_nm=without_nm)
        # Not a clean-up of the module: unittest does none after ^C.
        atexit.register(cec.close)
        _shared[key] = cec.__enter__()
    return _shared[key]


def end_services():
    """End the services of all CECs, as their sanitizers speak last when they end; the logs of the
    LPARs, which have all that was said."""
    lpars = [lpar for cec in _shared.values() for lpar in cec.lpars.values()]
    for lpar in lpars:
        pid = lpar.product and lpar.service_pid()
        if pid:
            lpar.signal_service()
            lpar.wait_for(lambda lpar=lpar, pid=pid: not lpar.is_running(pid), 60, "no service")
    return [path for lpar in lpars for path in lpar.logs.values()]


class LabCase(unittest.TestCase):
    """`self.cec` is the virtual CEC. A class that needs it up sets `profiles_up = True`, one that
    needs LPARs without a NetworkManager names them in `without_nm`. One that needs programs or
    services that only the machine has, in a file that runs elsewhere too, sets `machine_only`."""

    with_product = True
    without_nm = ()
    machine_only = False
    profiles_up = False

    @classmethod
    def setUpClass(cls):
        cls.cec = _shared_cec(cls.with_product, cls.without_nm)
        cls.addClassCleanup(cls.cec.reset)
        if cls.profiles_up:
            cls.cec.up()

    def assert_reaches(self, source, address, port=7000, server=None, size=1000):
        """Ping and TCP get from a host to an address; returns the TcpReply. With a server (a host
        or its name), that host is made to listen first."""
        source, server = self._host(source), self._host(server)
        if server:
            server.serve(port)
        ping = source.ping(address)
        self.assertTrue(ping, f"{source.name} pings {address}:\n{ping.output}")
        reply = source.tcp(address, port, size)
        self.assertIsNotNone(reply, f"{source.name} cannot connect to {address} port {port}")
        self.assertEqual(reply.received, size)
        return reply

    def assert_refused(self, source, address, port=7000, server=None):
        """Neither ping nor TCP get from a host to an address."""
        source, server = self._host(source), self._host(server)
        if server:
            server.serve(port)
        ping = source.ping(address, count=2)
        self.assertEqual(ping.received, 0, f"{source.name} pings {address}:\n{ping.output}")
        self.assertIsNone(source.tcp(address, port, timeout=1.5),
                          f"{source.name} connects to {address} port {port}")

    def _host(self, host):
        return self.cec[host] if isinstance(host, str) else host


def diagnosis(test, error):
    """The end of the LPARs' logs, for a failure that does not show them already."""
    cec = getattr(test, "cec", None)
    return cec.diagnosis() if cec and not isinstance(error, LabError) else ""


class Result(unittest.TextTestResult):
    """A failure shows what the LPARs logged."""

    def addError(self, test, err):
        super().addError(test, err)
        print(diagnosis(test, err[1]), file=sys.stderr)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        print(diagnosis(test, err[1]), file=sys.stderr)


def main():
    """For a test file that is run by itself."""
    unittest.main(verbosity=2, testRunner=unittest.TextTestRunner(verbosity=2, resultclass=Result))

# SPDX-License-Identifier: GPL-2.0-or-later
"""All tests of the project: formatting, compilers, analyzers, unit tests, the virtual CEC, and both
on a virtual IBM Z.

The last line is `N passed, N failed, N skipped`. The exit status is 0 only if tests ran, and all of
them passed.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import analysis
import product
from matrix import debian
from product import BUILD, TOP, ProductError
from s390x import tree

LAB = TOP / "tests/lab"
WORKERS = 3  # lab tests mostly wait
# Begun first, for they take longest: else the others wait for them at the end.
LONGEST = ("test_failures.py", "test_faults.py", "test_libvirt.py", "test_firewalld.py")
FILE_TIMEOUT = 1800  # seconds for a lab test file
Z_TIMEOUT = 2700  # seconds for all on a virtual IBM Z, beside which the lab runs
LOG_LINES = 300  # of a failed test
FIRST_LINES, LAST_LINES = 20, 10  # of its log, once more at the end of everything
SOURCES = ("plugin", "dispatcher", "tests")
STRICT = ("-Dwarning_level=3", "-Dwerror=true")
Z = "s390x."  # before the names of tests on a virtual IBM Z
Z_SUITES = ("kernel", "program")  # unit tests for which emulating a program is not enough
Z_PATIENCE = 6  # how many times as long as here anything may take there


class Report:
    """Prints a line per test as it ends, and counts."""

    WORDS = {"passed": "ok", "failed": "FAILED", "skipped": "SKIPPED"}

    def __init__(self):
        self.counts = dict.fromkeys(self.WORDS, 0)
        self.bad = []
        self.ended = False  # the run, before its end: nothing new is to begin
        self._lock = threading.Lock()  # what several threads tell stays together

    def add(self, name, status, seconds, log="", cases=None):
        """One test, or a program with the counts of its test cases; its log if it failed."""
        number = f"  (test cases: {sum(cases.values())})" if cases else ""
        with self._lock:
            for key, count in (cases or {status: 1}).items():
                self.counts[key] += count
            print(f"{self.WORDS[status]:8}{seconds:7.2f} s  {name}{number}", flush=True)
            if status != "passed":
                self.bad.append((f"{self.WORDS[status]:8} {name}", log))
                self._show(log.rstrip().splitlines()[-LOG_LINES:])

    @staticmethod
    def _show(lines):
        print("".join(f"    | {line}\n" for line in lines), end="", flush=True)

    def step(self, name, function, *arguments):
        """Run a step that is a test by itself; whether it passed."""
        if self.ended:
            return False
        begin = time.monotonic()
        try:
            function(*arguments)
        except ProductError as error:
            self.add(name, "failed", time.monotonic() - begin, str(error))
            return False
        self.add(name, "passed", time.monotonic() - begin)
        return True

    def finish(self):
        # Again, where all can be seen together: two thousand lines may lie between them.
        for title, log in self.bad:
            print(title)
            lines = log.strip().splitlines()
            if len(lines) > FIRST_LINES + LAST_LINES:
                lines[FIRST_LINES:-LAST_LINES] = ["…"]
            self._show(lines)
        print("{passed} passed, {failed} failed, {skipped} skipped".format(**self.counts),
              flush=True)
        good = self.counts["passed"] and not self.counts["failed"] and not self.counts["skipped"]
        return 0 if good else 1


# -- source and build

def c_files(*suffixes):
    return sorted(str(path.relative_to(TOP)) for folder in SOURCES
                  for suffix in suffixes for path in (TOP / folder).rglob(f"*{suffix}"))


def check_format():
    files = c_files(".c", ".h")
    if files:
        product.run(["clang-format", "--dry-run", "-Werror", "--style=file", *files])


def build_strict(compiler):
    product.build(BUILD / compiler, *STRICT, compiler=compiler)


def check_cppcheck():
    """By cppcheck's own knowledge of GLib: with GLib's headers it takes twenty times as long, and
    takes its assertions for doubts. NULL is a pointer in GLib's C, also after the last argument."""
    product.run(["cppcheck", "--quiet", "--std=c11", "--enable=warning,performance,portability",
                 "--library=gtk", "--library=posix", "--inline-suppr", "--error-exitcode=1",
                 f"-j{os.cpu_count()}", "-I.", "-Iplugin", "-D_GNU_SOURCE",
                 '-DGETTEXT_PACKAGE="x"', "--suppress=varFuncNullUB", *c_files(".c")])


def check_clang_tidy():
    """Every source file of the clang build, several at a time; all complaints at once."""
    database = json.loads((BUILD / "clang/compile_commands.json").read_text())
    paths = {os.path.realpath(os.path.join(entry["directory"], entry["file"]))
             for entry in database}
    files = sorted(path for path in paths if not path.startswith(f"{BUILD}/"))

    def check(path):
        try:
            product.run(["clang-tidy", "-p", BUILD / "clang", "--quiet", path])
        except ProductError as error:
            return str(error)
        return ""

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = [text for text in pool.map(check, files) if text]
    if complaints:
        raise ProductError("\n".join(complaints))


def check_source(report, quick):
    """The steps before any test of the product can run; whether there is a product to test."""
    if not quick:
        report.step("clang-format", check_format)
        report.step("cppcheck", check_cppcheck)
        if report.step("build with clang, warnings are errors", build_strict, "clang"):
            report.step("clang-tidy", check_clang_tidy)
        report.step("gcc's analyzer", analysis.check_gcc_analyzer)
    return report.step("build with gcc, warnings are errors", build_strict, "gcc")


# -- unit tests

def tap_cases(output):
    """Counts of the test cases in TAP output."""
    cases = dict.fromkeys(Report.WORDS, 0)
    for bad, rest in re.findall(r"^\s*(not )?ok \d+(.*)$", output, re.MULTILINE):
        skipped = re.search(r"#\s*(skip|todo)", rest, re.IGNORECASE)
        cases["skipped" if skipped else "failed" if bad else "passed"] += 1
    return cases


def unit_record(name, seconds, good, stdout, stderr):
    """What became of a unit test, for Report.add(); good: whether it ended as it should."""
    cases = tap_cases(stdout)
    if not good and not cases["failed"] and not cases["skipped"]:
        cases["failed"] += 1  # it ended before it could say which case
    status = "failed" if cases["failed"] else "skipped" if cases["skipped"] else "passed"
    return {"name": f"unit {name}", "status": status, "seconds": seconds,
            "log": stdout + stderr, "cases": cases if any(cases.values()) else None}


def unit_tests(report, build, names=(), machine=""):
    """The unit tests of a build, or some, by `meson test`, counted by their cases."""
    log = build / "meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    begin = time.monotonic()
    try:
        product.run(["meson", "test", "--no-rebuild", "-C", build, *names])
        failure = ""
    except ProductError as error:
        failure = str(error)
    if not log.exists():
        report.add(f"unit {machine}tests", "failed", time.monotonic() - begin,
                   failure or "meson ran no unit test")
        return
    for line in log.read_text().splitlines():
        test = json.loads(line)
        # Meson says PROJECT:SUITE / NAME.
        name = machine + test["name"].split(" / ")[-1]
        report.add(**unit_record(name, test["duration"],
                                 test["result"] in ("OK", "EXPECTEDFAIL"),
                                 test.get("stdout") or "", test.get("stderr") or ""))


def fuzz(report):
    """Each target for a while, one after the other: it takes what processors the lab leaves."""
    if not report.step("build the fuzz targets", analysis.build_fuzzers):
        return
    for target in analysis.TARGETS:
        if report.ended:
            return
        begin = time.monotonic()
        try:
            name = f"fuzz {target}: {analysis.fuzz(target)} inputs"
            report.add(name, "passed", time.monotonic() - begin)
        except ProductError as error:
            report.add(f"fuzz {target}", "failed", time.monotonic() - begin, str(error))


# -- lab tests

def products(options):
    """The installed builds by kind, see build_kind(), and what the lab must know of each."""
    if options.coverage:
        covered = product.install(BUILD / "coverage", BUILD / "coverage-root")
        # What looks at a build itself has nothing to count here.
        return {"sanitized": {"KVMR_PRODUCT": str(covered), "KVMR_UNCONFINED": "1"}}
    plain = {"KVMR_PRODUCT": str(product.install(BUILD / "gcc", BUILD / "gcc-root"))}
    if options.quick:
        return {"plain": plain, "sanitized": plain}
    analysis.build_sanitized()
    sanitized = product.install(BUILD / "sanitized", BUILD / "sanitized-root")
    return {"plain": plain,
            "sanitized": {"KVMR_PRODUCT": str(sanitized), "KVMR_SANITIZED": "1"}}


def build_kind(path):
    """Which build a test file is for: the one with sanitizers, unless it says otherwise in a line
    `BUILD_KIND = "plain"`, as those do that look at the build itself."""
    return "plain" if re.search(r'^BUILD_KIND = "plain"$', path.read_text(), re.M) else "sanitized"


def systems(path):
    """Where a test file runs. A line `SYSTEMS = "machine"` says that it is for programs that only
    the machine has, `SYSTEMS = "newest"` that it wants what only the newest NetworkManager has (Open
    vSwitch, ipv4.forwarding), `SYSTEMS = "z"` that it wants the kernel of the virtual IBM Z,
    and `SYSTEMS = "all"` that NetworkManager's version matters so much that it runs on another one
    even without --matrix."""
    said = re.search(r'^SYSTEMS = "(\w+)"$', path.read_text(), re.M)
    return said[1] if said else "matrix"


def is_named(release, options):
    return any(text.split(".")[0] == release for text in options.patterns)


def runs_on(path, release, options):
    """Whether a test file is to run on that release; "": on the machine."""
    where = systems(path)
    if where == "z":
        return False
    if not release:
        return where != "newest"
    if where == "machine" or (where == "newest" and release != debian.FIRST):
        return False
    return options.matrix or where in ("all", "newest") or is_named(release, options)


def lab_environments(report, installed, options):
    """Where the lab tests run: (release, variables by kind of build)."""
    if options.here or not options.elsewhere:
        yield "", installed
    if options.coverage:
        return
    for release in debian.RELEASES:
        always = not options.patterns and not options.quick and release == debian.FIRST
        all_of_them = options.matrix and not options.patterns
        if not (always or all_of_them or is_named(release, options)):
            continue
        if report.step(f"make Debian {release}", debian.make, release):
            variables = {**installed["plain"], "KVMR_SYSTEM": str(debian.DIRECTORY / release)}
            yield release, {"plain": variables, "sanitized": variables}


def lab_tests(report, installed, options):
    before = sum(report.counts.values())
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        jobs = []
        for release, variables in lab_environments(report, installed, options):
            for path in sorted(LAB.glob("test_*.py"),
                               key=lambda path: (path.name not in LONGEST, path)):
                kind = build_kind(path)
                if kind not in variables or not runs_on(path, release, options):
                    continue
                environment = {**os.environ, **variables[kind]}
                if options.keep:
                    environment["KVMR_KEEP"] = "1"
                jobs.append(pool.submit(_lab_file, report, path.name, release, options.patterns,
                                        environment))
        try:
            for job in jobs:
                job.result()
        except BaseException:
            for job in jobs:
                job.cancel()
            Worker.end_all()
            raise
    if sum(report.counts.values()) == before:
        report.add("lab", "failed", 0, f"no lab test matches {' '.join(options.patterns)}")


class Worker:
    """A process that runs tests and tells us of each by a line of JSON on its standard output."""

    _running = set()

    def __init__(self, argv, environment):
        reader, writer = os.pipe()
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *argv],
            cwd=LAB, env=environment, stdin=subprocess.DEVNULL, stdout=writer,
            stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True)
        os.close(writer)
        self.results = os.fdopen(reader)
        self._running.add(self)

    def end(self):
        self.results.close()
        _, output = self.process.communicate(timeout=60)
        self._running.discard(self)
        return self.process.returncode, output

    @classmethod
    def end_all(cls):
        for worker in list(cls._running):
            worker.process.terminate()  # it removes its CEC
        for worker in list(cls._running):
            worker.process.wait(30)


def _lab_file(report, name, release, patterns, environment):
    machine = release and f"{release}."
    argv = [sys.executable, "-B", __file__, "--worker", name, "--machine", machine, "--", *patterns]
    follow(report, Worker(argv, environment), f"lab {machine}{name}")


def follow(report, worker, what, timeout=FILE_TIMEOUT):
    """Report what a worker tells, to its end."""
    begin = time.monotonic()
    # A worker's own output is small: a pipe holds it until the end.
    with concurrent.futures.ThreadPoolExecutor(1) as alarm:
        late = alarm.submit(worker.process.wait, timeout)
        late.add_done_callback(lambda wait: wait.exception() and worker.process.terminate())
        try:
            for line in worker.results:
                report.add(**json.loads(line))
        except BaseException:
            worker.process.terminate()  # else the alarm waits for it
            raise
    status, output = worker.end()
    if status != 0 or late.exception():
        how = f"not done after {timeout} s" if late.exception() else f"exit status {status}"
        report.add(what, "failed", time.monotonic() - begin, f"{how}\n{output}")


@contextlib.contextmanager
def results_on_stdout():
    """The standard output for results only; what else is written there, goes to standard error."""
    with os.fdopen(os.dup(1), "w") as results:
        os.dup2(2, 1)
        yield results


def run_worker(names, patterns, results, machine=""):
    """Run the tests of these files whose names contain one of the patterns; returns the names."""
    import importlib
    import unittest

    import labcase

    class Result(unittest.TestResult):
        """Passes on each test's result when it has ended."""

        def startTest(self, test):
            super().startTest(test)
            self.begin, self.status, self.texts = time.monotonic(), "passed", []

        def stopTest(self, test):
            super().stopTest(test)
            self.tell(test.id(), time.monotonic() - self.begin)
            self.begin = None

        def tell(self, identifier, seconds):
            record = {"name": f"lab {machine}{identifier}", "status": self.status,
                      "seconds": seconds, "log": "\n".join(self.texts)}
            print(json.dumps(record), file=results, flush=True)

        def note(self, test, status, text):
            if getattr(self, "begin", None) is None:  # setUpClass, tearDownModule, …
                self.status, self.texts = status, [text]
                self.tell(test.id(), 0)
                return
            self.status = "failed" if "failed" in (self.status, status) else status
            self.texts.append(text)

        def addError(self, test, err):
            # unittest's own text of an exception, without unittest's own frames.
            text = self._exc_info_to_string(err, test)
            self.note(test, "failed", text + labcase.diagnosis(test, err[1]))

        addFailure = addError

        def addSubTest(self, test, subtest, err):
            if err:
                self.addError(test, err)

        def addSkip(self, test, reason):
            self.note(test, "skipped", reason)

        def addUnexpectedSuccess(self, test):
            self.note(test, "failed", "succeeded, unexpectedly")

    elsewhere = bool(os.environ.get("KVMR_SYSTEM"))

    def chosen(suite):
        for item in suite:
            if isinstance(item, unittest.TestSuite):
                yield from chosen(item)
            elif elsewhere and getattr(item, "machine_only", False):
                continue
            elif not patterns or any(pattern in machine + item.id() for pattern in patterns):
                yield item

    modules = [importlib.import_module(name.removesuffix(".py")) for name in names]
    suite = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromModule, modules))
    tests, result = list(chosen(suite)), Result()
    unittest.TestSuite(tests).run(result)
    complaints = analysis.sanitizer_complaints(labcase.end_services())
    if complaints:
        result.status, result.texts = "failed", complaints
        result.tell(f"{modules[0].__name__}.sanitizers", 0)
    return [machine + test.id() for test in tests]


# -- a big-endian machine

def z_tests(report, patterns=()):
    """The product built for s390x: all unit tests, and the lab's main job on a virtual IBM Z."""
    if not (report.step("unpack Debian for s390x", tree.make)
            and report.step("build for s390x, warnings are errors", product.build,
                            tree.PRODUCT_BUILD, *STRICT, "--cross-file", tree.CROSS,
                            # systemd.pc in there names the directory as it is outside.
                            "-Dsystemdsystemunitdir=/usr/lib/systemd/system")):
        return
    before = sum(report.counts.values())
    known = json.loads((tree.PRODUCT_BUILD / "meson-info/intro-tests.json").read_text())
    tests = [test for test in known
             if not patterns or any(text in Z + test["name"] for text in patterns)]
    inside = [test for test in tests if test["suite"][0].split(":")[-1] in Z_SUITES]
    outside = [test["name"] for test in tests if test not in inside]
    if outside:
        unit_tests(report, tree.PRODUCT_BUILD, outside, Z)
    product.install(tree.PRODUCT_BUILD, tree.PRODUCT)
    tree.JOB.write_text(json.dumps({"unit": inside, "patterns": patterns,
                                    "newest": str(tree.NEWEST)}))
    if report.ended:
        return
    argv = [LAB / "s390x/run", "--timeout", str(Z_TIMEOUT - 60), "--", "env",
            f"KVMR_PATIENCE={Z_PATIENCE}", f"KVMR_PRODUCT={tree.PRODUCT}",
            "/usr/bin/python3", "-B", "in_vm/z_tests.py", tree.JOB]
    follow(report, Worker(list(map(str, argv)), None), "lab s390x", Z_TIMEOUT)
    if sum(report.counts.values()) == before:
        report.add("lab s390x", "failed", 0, f"no test matches {' '.join(patterns)}")


# -- the whole

def arguments():
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="one compiler, no analyzers, sanitizers, fuzzers, no virtual IBM Z: "
                             "build, unit tests, lab tests")
    parser.add_argument("--coverage", action="store_true",
                        help="as --quick, with a build that counts, then a table of what of "
                             "plugin/ and dispatcher/ was run")
    parser.add_argument("--keep", action="store_true",
                        help="leave the virtual CECs of the lab tests standing")
    parser.add_argument("--matrix", action="store_true",
                        help="all lab tests also with the NetworkManager of newer Debians: "
                             + ", ".join(debian.RELEASES))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--machine", default="", help=argparse.SUPPRESS)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN",
                        help="only lab tests whose name (file.Class.test) contains one of these; "
                             "s390x: those on a virtual IBM Z, even with --quick; "
                             "s390x.file.Class.test or s390x.NAME: such a lab or unit test; "
                             f"{debian.FIRST}.file.Class.test: one with that Debian's programs")
    options = parser.parse_args()
    options.quick = options.quick or options.coverage
    options.on_z = [text for text in options.patterns if text.startswith(Z[:-1])]
    options.elsewhere = [text for text in options.patterns
                         if text in options.on_z or text.split(".")[0] in debian.RELEASES]
    options.here = [text for text in options.patterns if text not in options.elsewhere]
    options.on_debian = [text for text in options.elsewhere if text not in options.on_z]
    return options


def test_in_lab(report, options, *beside):
    """The lab tests, and beside them, as they often wait, these functions."""
    installed = products(options)
    with concurrent.futures.ThreadPoolExecutor(max(len(beside), 1)) as pool:
        jobs = [pool.submit(function, report) for function in beside]
        try:
            if options.here or options.on_debian or not options.on_z:
                lab_tests(report, installed, options)
            for job in jobs:
                job.result()
        except BaseException:
            report.ended = True
            for job in jobs:
                job.cancel()
            Worker.end_all()
            raise


def test_product(report, options):
    """Everything after the build."""
    unit_tests(report, BUILD / "gcc")
    if not options.quick and not options.patterns:
        report.step("unit tests under valgrind", analysis.check_valgrind)
        test_in_lab(report, options, z_tests, fuzz)
        return
    test_in_lab(report, options)
    if options.on_z:
        z_tests(report, [] if Z[:-1] in options.on_z else options.on_z)


def test_covered(report, options):
    analysis.build_covered()
    unit_tests(report, BUILD / "coverage")
    test_in_lab(report, options)
    print(analysis.coverage())


def main():
    options = arguments()
    if options.worker:
        try:
            with results_on_stdout() as results:
                run_worker([options.worker], options.patterns, results, options.machine)
        except KeyboardInterrupt:
            return 130
        return 0
    if os.geteuid() != 0:
        print("tests/run needs root for its network namespaces: sudo tests/run", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    # A shell starts what runs in the background deaf to it, and tests send it to programs.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report = Report()
    try:
        product.ensure_packages("build", "lab", "firewalls", "browser", "vm",
                                *([] if options.quick else ["check"]),
                                *(["coverage"] if options.coverage else []))
        with product.locked("run"):
            if options.coverage:
                test_covered(report, options)
            elif check_source(report, options.quick):
                test_product(report, options)
    except ProductError as error:
        report.add("preparation", "failed", 0, str(error))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())

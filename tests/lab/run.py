# SPDX-License-Identifier: GPL-2.0-or-later
"""All tests of the project: formatting, compilers, analyzers, unit tests, and the virtual CEC.

The last line is `N passed, N failed, N skipped`. The exit status is 0 only if tests ran, and all of
them passed.
"""

import argparse
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import time

import product
from product import BUILD, TOP, ProductError

LAB = TOP / "tests/lab"
WORKERS = 2
FILE_TIMEOUT = 1800  # seconds for a lab test file
LOG_LINES = 300  # of a failed test
SOURCES = ("plugin", "dispatcher", "tests")


class Report:
    """Prints a line per test as it ends, and counts."""

    WORDS = {"passed": "ok", "failed": "FAILED", "skipped": "SKIPPED"}

    def __init__(self):
        self.counts = dict.fromkeys(self.WORDS, 0)

    def add(self, name, status, seconds, log="", cases=None):
        """One test, or a program with the counts of its test cases; its log if it failed."""
        for key, count in (cases or {status: 1}).items():
            self.counts[key] += count
        number = f"  (test cases: {sum(cases.values())})" if cases else ""
        print(f"{self.WORDS[status]:8}{seconds:7.2f} s  {name}{number}", flush=True)
        if status != "passed" and log:
            lines = log.rstrip().splitlines()
            if len(lines) > LOG_LINES:
                lines = ["…", *lines[-LOG_LINES:]]
            print("".join(f"    | {line}\n" for line in lines), end="", flush=True)

    def step(self, name, function, *arguments):
        """Run a step that is a test by itself; whether it passed."""
        begin = time.monotonic()
        try:
            function(*arguments)
        except ProductError as error:
            self.add(name, "failed", time.monotonic() - begin, str(error))
            return False
        self.add(name, "passed", time.monotonic() - begin)
        return True

    def finish(self):
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
    product.build(BUILD / compiler, "-Dwarning_level=3", "-Dwerror=true", compiler=compiler)


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
    return report.step("build with gcc, warnings are errors", build_strict, "gcc")


# -- unit tests

def tap_cases(output):
    """Counts of the test cases in TAP output."""
    cases = dict.fromkeys(Report.WORDS, 0)
    for bad, rest in re.findall(r"^\s*(not )?ok \d+(.*)$", output, re.MULTILINE):
        skipped = re.search(r"#\s*(skip|todo)", rest, re.IGNORECASE)
        cases["skipped" if skipped else "failed" if bad else "passed"] += 1
    return cases


def unit_tests(report):
    """The unit tests by `meson test`, counted by their cases."""
    log = BUILD / "gcc/meson-logs/testlog.json"
    log.unlink(missing_ok=True)
    begin = time.monotonic()
    try:
        product.run(["meson", "test", "--no-rebuild", "-C", BUILD / "gcc"])
        failure = ""
    except ProductError as error:
        failure = str(error)
    if not log.exists():
        report.add("unit tests", "failed", time.monotonic() - begin,
                   failure or "meson ran no unit test")
        return
    for line in log.read_text().splitlines():
        test = json.loads(line)
        output = (test.get("stdout") or "") + (test.get("stderr") or "")
        cases = tap_cases(test.get("stdout") or "")
        good = test["result"] in ("OK", "EXPECTEDFAIL")
        if not good and not cases["failed"] and not cases["skipped"]:
            cases["failed"] += 1  # it ended before it could say which case
        status = "failed" if cases["failed"] else "skipped" if cases["skipped"] else "passed"
        report.add(f"unit {test['name']}", status, test["duration"], output,
                   cases if any(cases.values()) else None)


# -- lab tests

def lab_tests(report, patterns, installed, keep):
    environment = {**os.environ, "KVMR_PRODUCT": str(installed)}
    if keep:
        environment["KVMR_KEEP"] = "1"
    files = sorted(path.name for path in LAB.glob("test_*.py"))
    before = sum(report.counts.values())
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        jobs = [pool.submit(_lab_file, report, name, patterns, environment) for name in files]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            for job in jobs:
                job.cancel()
            Worker.end_all()
            raise
    if sum(report.counts.values()) == before:
        report.add("lab", "failed", 0, f"no lab test matches {' '.join(patterns)}")


class Worker:
    """A process that runs the tests of one file and tells us of each by a line of JSON."""

    _running = set()

    def __init__(self, name, patterns, environment):
        reader, writer = os.pipe()
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-B", __file__,
             "--worker", name, "--results", str(writer), *patterns],
            cwd=LAB, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", pass_fds=[writer],
            start_new_session=True)
        os.close(writer)
        self.results = os.fdopen(reader)
        self._running.add(self)

    def end(self):
        self.results.close()
        output, _ = self.process.communicate(timeout=60)
        self._running.discard(self)
        return self.process.returncode, output

    @classmethod
    def end_all(cls):
        for worker in list(cls._running):
            worker.process.terminate()  # it removes its CEC
        for worker in list(cls._running):
            worker.process.wait(30)


def _lab_file(report, name, patterns, environment):
    begin = time.monotonic()
    worker = Worker(name, patterns, environment)
    # A worker's own output is small: a pipe holds it until the end.
    with concurrent.futures.ThreadPoolExecutor(1) as alarm:
        late = alarm.submit(worker.process.wait, FILE_TIMEOUT)
        late.add_done_callback(lambda wait: wait.exception() and worker.process.terminate())
        for line in worker.results:
            result = json.loads(line)
            report.add(result["name"], result["status"], result["seconds"], result["log"])
    status, output = worker.end()
    if status != 0 or late.exception():
        how = f"not done after {FILE_TIMEOUT} s" if late.exception() else f"exit status {status}"
        report.add(f"lab {name}", "failed", time.monotonic() - begin, f"{how}\n{output}")


def run_worker(name, patterns, results):
    """Run the tests of one file whose names contain one of the patterns."""
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
            record = {"name": f"lab {identifier}", "status": self.status, "seconds": seconds,
                      "log": "\n".join(self.texts)}
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

    def chosen(suite):
        for item in suite:
            if isinstance(item, unittest.TestSuite):
                yield from chosen(item)
            elif not patterns or any(pattern in item.id() for pattern in patterns):
                yield item

    module = importlib.import_module(name.removesuffix(".py"))
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    unittest.TestSuite(chosen(suite)).run(Result())


# -- the whole

def arguments():
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true",
                        help="one compiler, no analyzers: build, unit tests, lab tests")
    parser.add_argument("--keep", action="store_true",
                        help="leave the virtual CECs of the lab tests standing")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--results", type=int, help=argparse.SUPPRESS)
    parser.add_argument("patterns", nargs="*", metavar="PATTERN",
                        help="only lab tests whose name (file.Class.test) contains one of these")
    return parser.parse_args()


def main():
    options = arguments()
    if options.worker:
        try:
            with os.fdopen(options.results, "w") as results:
                run_worker(options.worker, options.patterns, results)
        except KeyboardInterrupt:
            return 130
        return 0
    if os.geteuid() != 0:
        print("tests/run needs root for its network namespaces: sudo tests/run", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    report = Report()
    try:
        product.ensure_packages("build", "lab", "firewalls", "browser", "vm",
                                *([] if options.quick else ["check"]))
        with product.locked("run"):
            if check_source(report, options.quick):
                unit_tests(report)
                installed = product.install(BUILD / "gcc", BUILD / "gcc-root")
                lab_tests(report, options.patterns, installed, options.keep)
    except ProductError as error:
        report.add("preparation", "failed", 0, str(error))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())

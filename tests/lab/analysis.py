# SPDX-License-Identifier: GPL-2.0-or-later
"""What looks for faults that no test names: gcc's analyzer, the sanitizers, valgrind, fuzzing."""

import pathlib
import re

import product
from hosts import COMPLAINT
from product import BUILD, TOP, ProductError

FUZZ = TOP / "tests/fuzz"
TARGETS = tuple(sorted(path.name for path in (FUZZ / "corpus").iterdir()))
SECONDS = 60  # of fuzzing, for each target
EXIT_STATUS = 99  # of a program in which valgrind found something

# GLib's g_auto… variables look uninitialized to gcc 12's analyzer; valgrind and clang's analyzer
# look for those that are.
ANALYZER = "-fanalyzer -Wno-analyzer-use-of-uninitialized-value"

VALGRIND = ["valgrind", "--quiet", f"--error-exitcode={EXIT_STATUS}", "--leak-check=full",
            "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite",
            f"--suppressions={TOP}/tests/lab/valgrind.supp",
            "--suppressions=/usr/share/glib-2.0/valgrind/glib.supp"]


def check_gcc_analyzer():
    """Of the product; the tests are for clang's analyzer, which clang-tidy runs."""
    product.build(BUILD / "analyzer", "-Dwarning_level=3", "-Dwerror=true", "-Dtests=false",
                  f"-Dc_args={ANALYZER}")


def build_sanitized():
    """With AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer; each complaint ends the
    process."""
    product.build(BUILD / "sanitized", "-Dwarning_level=3", "-Db_sanitize=address,undefined",
                  "-Dc_args=-fno-sanitize-recover=all")


def build_covered():
    """That counts what is run, into files of the build directory."""
    product.build(BUILD / "coverage", "-Db_coverage=true", "-Doptimization=0")
    for path in (BUILD / "coverage").rglob("*.gcda"):
        path.unlink()


def coverage():
    """What of the product was run since build_covered(), as a table: by folder, and all in all."""
    return product.run(["gcovr", "--root", TOP, "--filter", "plugin/", "--filter", "dispatcher/",
                        "--exclude-unreachable-branches", "--exclude-throw-branches",
                        "--gcov-ignore-parse-errors", "--print-summary", BUILD / "coverage"])


def check_valgrind():
    """All unit tests under valgrind: no access that is wrong, nothing lost. It runs one thread at a
    time: a few rounds of what threads do are enough."""
    wrap = " ".join(VALGRIND)
    try:
        product.run(["meson", "test", "--no-rebuild", "-C", BUILD / "gcc", "--logbase", "valgrind",
                     "--timeout-multiplier", "10", f"--wrap={wrap}"],
                    environment={"G_SLICE": "always-malloc", "KVMR_READINGS": "4"})
    except ProductError as error:
        log = BUILD / "gcc/meson-logs/valgrind-valgrind.txt"
        raise ProductError(f"{error}\n{complaints(log)}") from None


def complaints(log):
    """Of a valgrind log, the lines that valgrind wrote."""
    text = log.read_text(errors="replace") if log.exists() else f"no {log}"
    lines = [line for line in text.splitlines() if re.match(r"==\d+==|\d+/\d+ ", line)]
    return "\n".join(lines)


def build_fuzzers():
    product.build(BUILD / "fuzz", "-Dfuzz=true", "-Db_sanitize=address,undefined",
                  "-Db_lundef=false", "-Dc_args=-fno-sanitize-recover=all", compiler="clang")


def fuzz(target, seconds=SECONDS):
    """Fuzz a target from its corpus; the number of inputs. What it finds is told with the input
    that does it, which the build directory keeps."""
    work = BUILD / "fuzz-work" / target
    work.mkdir(parents=True, exist_ok=True)
    output = product.run(
        ["nice", "-n", "19", BUILD / f"fuzz/tests/fuzz/fuzz-{target}",
         f"-dict={FUZZ}/kvm-routed.dict", f"-max_total_time={seconds}", "-timeout=30",
         "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1",
         f"-artifact_prefix={work}/found-", work, FUZZ / "corpus" / target],
        environment={"G_SLICE": "always-malloc", "G_DEBUG": "fatal-criticals"})
    return executions(output)


def executions(output):
    found = re.search(r"^stat::number_of_executed_units:\s*(\d+)$", output, re.MULTILINE)
    if not found or int(found.group(1)) == 0:
        raise ProductError(f"the fuzzer did not say how many inputs it tried:\n{output}")
    return int(found.group(1))


def sanitizer_complaints(paths):
    """The first complaint of each log, with what follows it."""
    found = []
    for path in map(pathlib.Path, paths):
        text = path.read_text(errors="replace") if path.exists() else ""
        complaint = COMPLAINT.search(text)
        if complaint:
            begin = text.rfind("\n", 0, complaint.start()) + 1
            found.append(f"{path}:\n{text[begin:begin + 6000]}")
    return found

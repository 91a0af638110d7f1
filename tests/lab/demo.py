# SPDX-License-Identifier: GPL-2.0-or-later
"""The product at work: two LPARs with their guests, a production LAN, an intranet, HiperSockets and
a z/OS, all in network namespaces of this machine; each LPAR has a NetworkManager of its own.

Builds the product, brings a kvm-routed profile up in every LPAR, and shows with real packets who
reaches whom. Then everything is taken down again. Nothing of this machine's network is touched.
"""

import argparse
import contextlib
import os
import sys
import time

import cec as virtual
import product
import reachability
from cec import Cec
from hosts import LabError
from product import ProductError


class Paper:
    """What the demo prints; colours only for a terminal."""

    def __init__(self):
        self.colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def colour(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.colours else text

    def good(self, text):
        return self.colour("32", text)

    def bad(self, text):
        return self.colour("31;1", text)

    def title(self, text):
        print(f"\n{self.colour('1', text)}\n", flush=True)

    @contextlib.contextmanager
    def step(self, text):
        """A line for a step: its text at once, its time when done."""
        print(f"  {text:<58}", end="", flush=True)
        begin = time.monotonic()
        try:
            yield
        except BaseException:
            print(self.bad("failed"), flush=True)
            raise
        print(f"{time.monotonic() - begin:6.1f} s", flush=True)

    @staticmethod
    def indented(text):
        print("\n".join(f"  {line}".rstrip() for line in text.splitlines()), flush=True)


class Table:
    """The rows of reachability, printed as they are tried."""

    COLUMNS = (("scenario", 9), ("what", 23), ("from", 14), ("to", 14), ("ping", 5), ("TCP", 4))

    def __init__(self, paper):
        self._paper = paper
        self.wrong = []

    def head(self):
        print("  " + " ".join(f"{name:<{width}}" for name, width in self.COLUMNS) + " result")
        print("  " + " ".join("-" * width for _, width in self.COLUMNS) + " " + "-" * 34,
              flush=True)

    def add(self, outcome):
        row = outcome.row
        cells = (row.scenario, row.about, row.source, row.target, outcome.ping, outcome.tcp)
        line = " ".join(f"{cell:<{width}}" for cell, (_, width) in zip(cells, self.COLUMNS))
        word = "refused" if row.refused else "reached"
        if not outcome.ok:
            self.wrong.append(outcome)
            word = "NOT " + word
        paint = self._paper.good if outcome.ok else self._paper.bad
        remark = f", {outcome.remark}" if outcome.remark else ""
        print(f"  {line} {paint(word)}{remark}", flush=True)


def prepare(paper):
    """Packages and build; where the product is installed."""
    paper.title("Preparation")
    with paper.step("Debian packages"):
        product.ensure_packages("build", "lab")
    given = os.environ.get("KVMR_PRODUCT")
    with paper.step(f"the product in {given}" if given else f"build in {product.BUILD}/demo"):
        return product.installed("demo", "--buildtype=release", "-Dtests=false")


def bring_up(paper, cec):
    for lpar in cec.lpars.values():
        paper.title(f"On {lpar.name}")
        for name in lpar.config["profiles"]:
            paper.indented("# " + lpar.add_profile(lpar.profile(name)))
            with paper.step(f"# nmcli connection up {name}"):
                lpar.run("nmcli", "connection", "up", name, timeout=90)
            lpar.attach_guests()


def show_table(paper, cec):
    """Try every row; those that are not as expected."""
    paper.title("Who reaches whom, by real packets")
    table = Table(paper)
    table.head()
    for row in reachability.rows(cec.topology):
        table.add(reachability.attempt(cec, row))
    return table.wrong


def show_product(paper, cec):
    """What the product says of itself, in the first LPAR."""
    lpar = next(iter(cec.lpars.values()))
    name = next(iter(lpar.config["profiles"]))
    guest, partner = (reachability.first_address(host) for host in
                      (next(iter(lpar.guests.values())), next(iter(cec.others.values()))))
    for command in (["kvm-routedctl", "status"], ["kvm-routedctl", "verify", name],
                    ["kvm-routedctl", "explain", guest, partner],
                    ["kvm-routedctl", "plan", name]):
        paper.title(f"{lpar.name}# {' '.join(command)}")
        paper.indented(lpar.run(*command).stdout)


def show_entrances(paper, cec):
    """How to explore a CEC that stays."""
    paper.title("It stays. Enter a host with")
    for host in cec.hosts():
        if host.name not in cec.segments:
            print(f"  sudo nsenter -t {host.holder} -a bash    # {host.name}")
    print("\n  Who is in an LPAR may change everything there: its NetworkManager has no polkit. It has no "
          "systemd either:\n  D-Bus starts the service, and these files are the journal:")
    for lpar in cec.lpars.values():
        print(f"  {' '.join(map(str, lpar.logs.values()))}")
    paper.title("Remove it with")
    print("  sudo tests/demo --remove")


def demonstrate(options):
    paper = Paper()
    destination = prepare(paper)
    with contextlib.ExitStack() as stack:
        cec = Cec(product=destination, topology=options.topology, keep=options.keep)
        with paper.step("the virtual CEC"):
            stack.enter_context(cec)
        bring_up(paper, cec)
        wrong = show_table(paper, cec)
        show_product(paper, cec)
        if options.keep:
            show_entrances(paper, cec)
        else:
            print()
            with paper.step("take all down"):
                stack.close()
    print()
    if wrong:
        print(paper.bad(f"{len(wrong)} rows are not as they should be."))
        return 1
    print(paper.good("All rows are as they should be."))
    return 0


def remove():
    removed = virtual.remove_kept()
    print("\n".join(f"removed {directory}" for directory in removed) or "there is none")
    return 0


def arguments():
    parser = argparse.ArgumentParser(prog="tests/demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true",
                        help="leave the virtual CEC standing, to explore it")
    parser.add_argument("--remove", action="store_true", help="remove what --keep left")
    parser.add_argument("--topology", metavar="FILE", help="another topology")
    return parser.parse_args()


def main():
    options = arguments()
    if os.geteuid() != 0:
        print("tests/demo needs root for its network namespaces: sudo tests/demo", file=sys.stderr)
        return 1
    if options.remove:
        return remove()
    try:
        return demonstrate(options)
    except (LabError, ProductError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; everything is taken down", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

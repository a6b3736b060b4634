"""Compares what ptxas reported of each kernel with the committed table: no kernel may take more registers, shared memory
or spilled bytes than it says. `budget.py REPORTS TABLE` checks; with --write the table is made anew.

A row is a kernel template (the most of all its instances) and, for each architecture, registers / static shared bytes /
spilled bytes."""

import argparse
import collections
import pathlib
import re
import subprocess
import sys

ENTRY = re.compile(r"Compiling entry function '(?P<name>.*?)' for '(?P<arch>sm_\d+)'.*?(?P<spill>\d+) bytes spill stores"
                   r".*?Used (?P<registers>\d+) registers(?P<rest>[^\n]*)", re.DOTALL)


def measured(folder):
    table = collections.defaultdict(dict)
    for path in sorted(folder.glob("*.ptxas")):
        text = subprocess.run(["c++filt"], input=path.read_text(), capture_output=True, text=True, check=True).stdout
        for entry in ENTRY.finditer(text):
            kernel = re.search(r"(\w+)[<(]", re.sub(r"counterfoil::cuda::|\(anonymous namespace\)::", "", entry["name"]))[1]
            shared = re.search(r"(\d+) bytes smem", entry["rest"])
            found = (int(entry["registers"]), int(shared[1]) if shared else 0, int(entry["spill"]))
            most = table[kernel].get(entry["arch"], (0, 0, 0))
            table[kernel][entry["arch"]] = tuple(map(max, most, found))
    return table


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("reports", type=pathlib.Path)
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    found = measured(arguments.reports)
    if not found:
        sys.exit(f"{arguments.reports}: no reports of ptxas")
    if arguments.write:
        rows = ["kernel " + " ".join(sorted(next(iter(found.values()))))]
        for kernel, by_arch in sorted(found.items()):
            rows.append(" ".join([kernel] + ["/".join(map(str, by_arch[arch])) for arch in sorted(by_arch)]))
        arguments.table.write_text("\n".join(rows) + "\n")
        return
    header, *rows = (line.split() for line in arguments.table.read_text().splitlines())
    allowed = {row[0]: dict(zip(header[1:], (tuple(map(int, cell.split("/"))) for cell in row[1:]))) for row in rows}
    complaints = [f"{kernel}: in the table, but not built" for kernel in sorted(allowed.keys() - found.keys())]
    for kernel, by_arch in sorted(found.items()):
        for arch, usage in sorted(by_arch.items()):
            limit = allowed.get(kernel, {}).get(arch)
            if limit is None:
                complaints.append(f"{kernel} {arch}: {usage}, not in the table")
            elif any(one > most for one, most in zip(usage, limit)):
                complaints.append(f"{kernel} {arch}: registers/shared/spilled {usage}, the table has {limit}")
    sys.exit("\n".join(complaints) or None)


if __name__ == "__main__":
    main()

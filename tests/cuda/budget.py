"""Compares what nvcc made of each kernel with the committed table. `budget.py OBJECTS TABLE --nvcc PROGRAM` checks; with
--write the table is made anew. OBJECTS is the folder of nvcc's objects, each with ptxas's report beside it. No kernel may
spill, whatever the table says. The table is that of one release of nvcc, which its first line names; another allots registers
its own way, and nothing is compared.

A row is a kernel in one of its sizes (a tile, a width, the lanes of a row, 64bit for positions in 64 bits; other template
arguments share a row), the threads of its block and
  for each architecture, registers / static shared bytes / spilled bytes: the most of its instances, and no build may take
    more;
  from the PTX, loads of 128 bits / stores of 128 bits / f32 fused multiply-adds / tensor-core instructions: the least of
    its instances, and no build may have fewer."""

import argparse
import collections
import pathlib
import re
import subprocess
import sys

ENTRY = re.compile(r"Compiling entry function '(?P<name>.*?)' for '(?P<arch>sm_\d+)'.*?(?P<spill>\d+) bytes spill stores"
                   r".*?Used (?P<registers>\d+) registers(?P<rest>[^\n]*)", re.DOTALL)
PTX_ARCHITECTURE = "sm_80"
COUNTED = [re.compile(pattern) for pattern in
           (rb"ld\.global\S*\.v4\.", rb"st\.global\S*\.v4\.", rb"fma\.rn(\.ftz)?\.f32\s", rb"mma\.sync\S*\s")]


def arguments_of(text):
    """The top-level template arguments in the text that follows a '<'."""
    depth, found = 0, [""]
    for letter in text:
        depth += letter in "<(["
        depth -= letter in ">)]"
        if depth < 0:
            return [one.strip() for one in found]
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return []


def row_name(demangled):
    """'matmul_v2_kernel<128x64>' from the name of an instance."""
    text = re.sub(r"counterfoil::(cuda::)?|\(anonymous namespace\)::", "", demangled)
    kernel = re.search(r"(\w+)([<(]|$)", text)
    sizes = []
    for argument in arguments_of(text[kernel.end():]) if kernel[2] == "<" else []:
        tile = re.fullmatch(r"Tile<(\d+), (\d+),.*>", argument)
        fragments = re.fullmatch(r"TensorTile<(\d+)>", argument)
        if tile:
            sizes.append(f"{tile[1]}x{tile[2]}")
        elif fragments:
            sizes.append(f"bf16:{64 * int(fragments[1])}x64")
        elif argument.isdigit():
            sizes.append(argument)
        elif argument in ("uint4", "float4"):
            sizes.append("16B")
        elif argument == "unsigned long":
            sizes.append("64bit")
    return kernel[1] + (f"<{','.join(sizes)}>" if sizes else "")


def demangled(text):
    return subprocess.run(["c++filt"], input=text, capture_output=True, text=True, check=True).stdout


def ptx_of(path):
    """(kernel's mangled name, its lines) for each kernel in an object, which keeps its PTX because of -lineinfo."""
    architecture, name, lines = None, None, []
    for line in path.read_bytes().split(b"\0"):
        if line.startswith((b".target ", b".entry ", b".visible .entry ", b".version ")):
            if name is not None:
                yield name, lines
            name, lines = None, []
            if line.startswith(b".target "):
                architecture = line.split()[1].decode()
            elif b".entry " in line and architecture == PTX_ARCHITECTURE:
                name = line.split(b".entry ")[1].split(b"(")[0].decode()
        elif name is not None:
            lines.append(line)
    if name is not None:
        yield name, lines


def measured(folder):
    """{row: {architecture or 'ptx' or 'threads': numbers}}"""
    table = collections.defaultdict(dict)
    for path in sorted(folder.glob("*.ptxas")):
        for entry in ENTRY.finditer(demangled(path.read_text())):
            row = table[row_name(entry["name"])]
            shared = re.search(r"(\d+) bytes smem", entry["rest"])
            found = (int(entry["registers"]), int(shared[1]) if shared else 0, int(entry["spill"]))
            row[entry["arch"]] = tuple(map(max, row.get(entry["arch"], found), found))
    for path in sorted(folder.glob("*.o")):
        kernels = list(ptx_of(path))
        names = demangled("\n".join(name for name, _ in kernels)).splitlines()
        for name, (_, lines) in zip(names, kernels):
            row = table[row_name(name)]
            found = tuple(sum(pattern.match(line) is not None for line in lines) for pattern in COUNTED)
            row["ptx"] = tuple(map(min, row.get("ptx", found), found))
            threads = re.search(rb"\.maxntid (\d+)", b"\n".join(lines[:64]))
            if threads:
                row["threads"] = (max(int(threads[1]), *row.get("threads", (0,))),)
    return table


def release_of(nvcc):
    """'nvcc-13.0.88'"""
    text = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=True).stdout
    return "nvcc-" + re.search(r"V(\d+\.\d+\.\d+)", text)[1]


def spills_of(found):
    for kernel, row in sorted(found.items()):
        for architecture in sorted(row.keys() - {"ptx", "threads"}):
            if row[architecture][2] > 0:
                yield f"{kernel} {architecture}: spills {row[architecture][2]} bytes"


def read(table):
    """{row: {column: numbers}} of the committed table."""
    header, *rows = (line.split() for line in table.read_text().splitlines())
    return {row[0]: dict(zip(header[1:], (tuple(map(int, cell.split("/"))) for cell in row[1:]))) for row in rows}


def complaints_of(found, allowed):
    for kernel in sorted(allowed.keys() - found.keys()):
        yield f"{kernel}: in the table, but not built"
    for kernel, row in sorted(found.items()):
        for column, usage in sorted(row.items()):
            limit = allowed.get(kernel, {}).get(column)
            if limit is None:
                yield f"{kernel} {column}: {usage}, not in the table"
            elif column == "ptx":
                if any(one < least for one, least in zip(usage, limit)):
                    yield f"{kernel}: 128-bit loads/stores, multiply-adds, tensor-core: {usage}, the table has {limit}"
            elif any(one > most for one, most in zip(usage, limit)):
                yield f"{kernel} {column}: registers/shared/spilled or threads {usage}, the table has {limit}"
        if "ptx" not in row:
            yield f"{kernel}: its object holds no PTX (was it compiled without -lineinfo, or with compression?)"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("objects", type=pathlib.Path)
    parser.add_argument("table", type=pathlib.Path)
    parser.add_argument("--nvcc", default="nvcc")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    found, release = measured(arguments.objects), release_of(arguments.nvcc)
    if not found:
        sys.exit(f"{arguments.objects}: no reports of ptxas")
    if not arguments.write and release != (wanted := arguments.table.read_text().split()[0]):
        print(f"{arguments.table.name} is that of {wanted}, not of {release}: nothing compared")
        return
    complaints = [*spills_of(found), *(() if arguments.write else complaints_of(found, read(arguments.table)))]
    if complaints or not arguments.write:
        sys.exit("\n".join(complaints) or None)
    columns = ["threads"] + sorted({column for row in found.values() for column in row} - {"threads", "ptx"}) + ["ptx"]
    rows = [" ".join([release] + columns)]
    for kernel, row in sorted(found.items()):
        rows.append(" ".join([kernel] + ["/".join(map(str, row[column])) for column in columns]))
    arguments.table.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()

"""The table of every kernel in docs/kernels.md: its roofline on two GPUs, from kernel_model.cpp and published peaks, and what
the compiler made of it, from budget.txt. `kernel_model | kernel_table.py PAGE` rewrites the table between the page's two
markers; with --check it only says whether the page has it."""

import argparse
import math
import pathlib
import sys

import budget

HERE = pathlib.Path(__file__).parent
BEGIN, END = "<!-- made by tests/cuda/kernel_table.py -->\n", "<!-- end of the table -->\n"

# Published, dense, SXM boards: f32 and bf16 flop/s, bytes/s; and bytes of shared memory a multiprocessor has for its blocks.
GPUS = {"sm_80": {"f32": 19.5e12, "bf16": 312e12, "memory": 1.555e12, "shared": 164 * 1024},
        "sm_90": {"f32": 67e12, "bf16": 989e12, "memory": 3.35e12, "shared": 228 * 1024}}


def read_model(lines):
    """{kernel: (title of its section, unit, flops, bytes)}"""
    model, title = {}, ""
    for line in lines:
        if line.startswith("# "):
            title = line[2:].strip()
        elif "|" in line:
            kernel, unit, flops, moved = (cell.strip() for cell in line.split("|"))
            model[kernel] = (title, unit, float(flops), float(moved))
    return model


def occupancy(threads, registers, shared, gpu):
    """Resident threads of a multiprocessor's 2048, in percent. Registers are given to warps in 256s from four files of 16384,
    shared memory to blocks in 128 bytes with 1 KiB of the system's own."""
    warps = threads // 32
    by_registers = 16384 // (math.ceil(registers * 32 / 256) * 256) * 4 // warps
    by_shared = gpu["shared"] // (math.ceil((shared + 1024) / 128) * 128)
    return 100 * min(by_registers, by_shared, 32, 2048 // threads) * threads / 2048


def short(number):
    return f"{number:.3g}" if 0.001 <= number < 1000 or number == 0 else f"{number:.0f}"


def bound(flops, moved, arithmetic, gpu):
    """What binds, and units per second."""
    by_arithmetic = gpu[arithmetic] / flops if flops > 0 else math.inf
    by_memory = gpu["memory"] / moved
    return ("arithmetic", by_arithmetic) if by_arithmetic < by_memory else ("memory", by_memory)


def cells_of(row, usage, unit, flops, moved):
    arithmetic = "bf16" if "bf16" in row else "f32"
    bounds = [bound(flops, moved, arithmetic, gpu) for gpu in GPUS.values()]
    binding = " or ".join(dict.fromkeys(name for name, _ in bounds))
    resident = [occupancy(*usage["threads"], *usage[arch][:2], gpu) for arch, gpu in GPUS.items()]
    return [f"`{row}`".replace("_kernel", ""), unit, short(flops), short(moved), short(flops / moved), binding,
            "; ".join(short(rate / 1e9) for _, rate in bounds), " / ".join(str(usage[arch][0]) for arch in GPUS),
            str(usage["sm_80"][1]), " / ".join(f"{percent:.0f}" for percent in resident),
            ", ".join(map(str, usage["ptx"]))]


def table(rows, model):
    head = ["kernel", "one is", "flops", "bytes", "flop/byte", "bound by", "G/s on A100; H100", "registers", "shared",
            "occupancy %", "PTX"]
    lines, missing, used = [], [], set()
    for row, usage in rows.items():
        kernel = row.split("<")[0]
        key = row if row in model else kernel
        used.add(key)
        if key not in model:
            missing.append(row)
        elif "64bit" not in row:
            lines.append((list(model).index(key), model[key][0], cells_of(row, usage, *model[key][1:])))
    if missing or model.keys() - used:
        sys.exit(f"kernel_model.cpp: no line for {missing}; no kernel for {sorted(model.keys() - used)}")
    text, title = "", None
    for _, section, cells in sorted(lines, key=lambda line: line[0]):
        if section != title:
            text += f"\n**{section}**\n\n| {' | '.join(head)} |\n|{' --- |' * len(head)}\n"
            title = section
        text += f"| {' | '.join(cells)} |\n"
    return text + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    made = table(budget.read(HERE / "budget.txt"), read_model(sys.stdin))
    text = arguments.page.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"{arguments.page}: expected one '{BEGIN.strip()}' and one '{END.strip()}'")
    before, rest = text.split(BEGIN)
    wanted = before + BEGIN + made + END + rest.split(END)[1]
    if not arguments.check:
        arguments.page.write_text(wanted)
    elif text != wanted:
        sys.exit(f"{arguments.page}: the table is not that of budget.txt and kernel_model.cpp; run kernel_model | tests/cuda/kernel_table.py {arguments.page}")


if __name__ == "__main__":
    main()

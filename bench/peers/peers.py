#!/usr/bin/env python3
"""Runs a training step in PyTorch and prints its time; see README.md.

peers.py --work syce --form eager --threads 2 --repeats 5     one JSON line per timed step
peers.py --work syce --form eager --threads 2 --serve         "ready", then a JSON line per line "step" read
peers.py --parameters                                         the networks' parameter counts
"""

import argparse
import json
import os
import sys
import time


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--work")
    arguments.add_argument("--form", default="eager")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--warmup", type=int, default=2)
    arguments.add_argument("--serve", action="store_true")
    arguments.add_argument("--parameters", action="store_true")
    options = arguments.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)  # before torch starts its pool

    import torch

    torch.set_num_threads(options.threads)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)

    if options.parameters:
        import networks

        for name, count in networks.parameter_counts().items():
            print(f"{name}: {count:,}")
        return

    import steps

    if options.work is None:
        arguments.error("--work is needed: one of " + ", ".join(steps.WORKS))
    work = steps.make(options.work, options.form)
    for _ in range(options.warmup):
        work.step()

    def timed():
        begin = time.perf_counter()
        work.step()
        return 1e3 * (time.perf_counter() - begin)

    if options.serve:
        print("ready", flush=True)
        for line in sys.stdin:
            if line.strip() == "quit":
                return
            if line.strip() == "step":
                print(json.dumps({"ms": timed(), "torch_version": torch.__version__}), flush=True)
        return
    for _ in range(options.repeats):
        record = {"work": options.work, "form": options.form, "torch_version": torch.__version__, "ms": timed()}
        print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()

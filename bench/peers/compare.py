#!/usr/bin/env python3
"""Times Counterfoil's training steps beside the same steps in PyTorch, interleaved; see README.md.

PYTHON=/path/to/python compare.py      that interpreter's PyTorch too, beside Debian's

Every round runs one step of each contestant in turn. Writes build/bench-peers.json: a list of {work, peer, ratio_median,
ours_ms, peer_ms}; ratio_median is the median over rounds of peer time / our time, the times are medians in ms.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WORKS = ["lenet", "cyce", "syce", "pe64", "explaingan", "ganmex28", "ganmex32", "cdeepex"]
OURS, DEBIAN = "counterfoil", "/usr/bin/python3"
FORMS = ["eager", "channels_last", "compile"]
START_LIMIT, STEP_LIMIT = 900, 300  # seconds; torch.compile takes minutes
# Worker threads spin for a while after a step (Intel's OpenMP for 200 ms): the next contestant waits until they sleep.
PAUSE = 0.3


class Contestant:
    """A process that says "ready", then answers every line "step" with a JSON line {"ms": x}; "quit" ends it."""

    def __init__(self, name, command, threads):
        self.name, self.times = name, []
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.errors = []
        self.reader = threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def read(self, limit):
        """The next line of output; raises RuntimeError with the process's last words if there is none in time."""
        timer = threading.Timer(limit, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            self.process.wait()
            self.reader.join(1)
            words = [e.strip() for e in self.errors if e.strip()]
            raise RuntimeError(
                words[-1] if words else f"ended with status {self.process.returncode} or after {limit} s"
            )
        return line

    def start(self):
        while self.read(START_LIMIT).strip() != "ready":
            pass

    def step(self):
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        self.times.append(float(json.loads(self.read(STEP_LIMIT))["ms"]))

    def stop(self):
        try:
            self.process.communicate("quit\n", timeout=30)
        except (subprocess.TimeoutExpired, BrokenPipeError, OSError, ValueError):
            self.process.kill()
            self.process.wait()


def works_of_both(options):
    if options.peers_only:
        return WORKS
    ours = subprocess.run([options.ours, "--list"], capture_output=True, text=True, check=True).stdout.split()
    return [work for work in WORKS if work in ours]


def torch_version(python):
    try:
        found = subprocess.run([python, "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True)
    except OSError:
        return None
    return found.stdout.strip() if found.returncode == 0 else None


def commands(work, options, interpreters):
    """(name, command) of every contestant, ours first."""
    common = ["--work", work, "--threads", str(options.threads), "--serve"]
    if not options.peers_only:
        yield OURS, [options.ours, *common]
    for python, version in interpreters:
        for form in options.forms:
            if form != "compile" or not version.startswith("1."):
                yield f"PyTorch {version} {form}", [python, str(HERE / "peers.py"), "--form", form, *common]


def contest(work, options, interpreters):
    """Rows of the result, and how many contestants failed; those are named and left out."""
    running, failures = [], 0

    def attempt(contestant, action):
        nonlocal failures
        try:
            action()
        except (RuntimeError, BrokenPipeError) as error:
            failures += 1
            running.remove(contestant)
            contestant.stop()
            print(f"{work:12}{contestant.name:36}failed: {error}", flush=True)

    try:
        for name, command in commands(work, options, interpreters):
            running.append(Contestant(name, command, options.threads))
            attempt(running[-1], running[-1].start)  # one after another: warming up competes for the cores
        for _ in range(options.rounds):
            for contestant in list(running):
                time.sleep(PAUSE)
                attempt(contestant, contestant.step)
    finally:
        for contestant in running:
            contestant.stop()
    ours = next((c for c in running if c.name == OURS), None)
    rows = []
    for peer in running:
        if peer is ours:
            continue
        row = {"work": work, "peer": peer.name, "peer_ms": round(statistics.median(peer.times), 3)}
        if ours:
            row["ours_ms"] = round(statistics.median(ours.times), 3)
            row["ratio_median"] = round(statistics.median(p / o for p, o in zip(peer.times, ours.times)), 4)
        rows.append(row)
    return rows, failures


def show(row):
    ours, ratio = row.get("ours_ms"), row.get("ratio_median")
    columns = [f"{ours:.1f}" if ours else "-", f"{row['peer_ms']:.1f}", f"{ratio:.2f}" if ratio else "-"]
    print(f"{row['work']:12}{row['peer']:36}" + "".join(f"{c:>12}" for c in columns), flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--works", nargs="+", choices=WORKS, metavar="WORK", help="all that both sides have")
    arguments.add_argument("--forms", nargs="+", default=FORMS, choices=FORMS)
    arguments.add_argument("--threads", type=int, default=2, help="on both sides (2)")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--ours", default=str(ROOT / "build" / "counterfoil_bench_step"))
    arguments.add_argument("--output", default=str(ROOT / "build" / "bench-peers.json"))
    arguments.add_argument("--peers-only", action="store_true", help="without Counterfoil's side and without ratios")
    options = arguments.parse_args()

    if not options.peers_only and not os.access(options.ours, os.X_OK):
        sys.exit(f"{options.ours}: not there; build the target counterfoil_bench_step first")
    named = [DEBIAN, os.environ.get("PYTHON") or DEBIAN]
    candidates = list(dict.fromkeys(shutil.which(python) or python for python in named))
    interpreters = []
    for python in candidates:
        version = torch_version(python)
        if version is not None:
            interpreters.append((python, version))
        elif python == candidates[-1]:
            sys.exit(
                f"{python}: no PyTorch there; install python3-torch, or name an interpreter that has it in PYTHON="
            )

    print(f"{options.threads} threads on both sides, {options.rounds} interleaved rounds, medians")
    print(f"{'work':12}{'peer':36}{'ours ms':>12}{'peer ms':>12}{'ratio':>12}")
    rows, failures = [], 0
    for work in options.works or works_of_both(options):
        found, failed = contest(work, options, interpreters)
        failures += failed
        for row in found:
            show(row)
        rows += found
    output = Path(options.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"written: {output}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()

"""What the experiments of scripts/ share: runs of the program, the digits inside it, and pictures.

PROGRAM=file and THREADS=number may be set in the environment.
"""

import gzip
import json
import math
import os
import struct
import subprocess
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("PROGRAM", str(ROOT / "build/counterfoil"))
THREADS = os.environ.get("THREADS", "0")
SIDE, PIXELS = 28, 28 * 28


def train(folder, kind, *arguments):
    """The run's folder, trained if it is not there."""
    if not (folder / "model.safetensors").exists():
        command = [PROGRAM, "train", kind, "--out", folder, "--resume", "--threads", THREADS]
        subprocess.run([*command, *arguments], check=True)
    return folder


def explain(run, images, target=None, channels=1):
    """What a run says of square images, each the bytes of [H,W,channels]: name -> rows, a flat tuple of numbers per image."""
    source, result = run / "queries.safetensors", run / "explanation.safetensors"
    side = math.isqrt(len(images[0]) // channels)
    shape = [len(images), side, side, channels]
    header = {"images": {"dtype": "U8", "shape": shape, "data_offsets": [0, sum(map(len, images))]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    source.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(images))
    asked = ["--target", target] if target else []
    subprocess.run([PROGRAM, "explain", "--run", run, "--input", source, "--output", result, *asked], check=True)
    return read_safetensors(result)


def read_safetensors(file):
    """Name -> rows, a flat tuple of numbers per image."""
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        form = {"F32": "f", "I32": "i"}[entry["dtype"]]
        count = (end - begin) // 4
        values = struct.unpack(f"<{count}{form}", data[begin:end])
        size = count // entry["shape"][0]
        tensors[name] = [values[i : i + size] for i in range(0, count, size)]
    return tensors


def test_digits():
    """The test images of mnist10k: (784 bytes, label) each."""
    folder = ROOT / "data/mnist10k"
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
    return [(pixels[i * PIXELS : (i + 1) * PIXELS], label) for i, label in enumerate(labels)]


def part(hits):
    hits = list(hits)
    return sum(hits) / len(hits)


def write_panel(file, rows, side=SIDE, scale=3):
    """Rows of pictures, each [side,side,1] or [side,side,3] in [0,1] and flat."""
    cell = (side + 1) * scale
    width, height = max(map(len, rows)) * cell, len(rows) * cell
    canvas = [bytearray([255] * (3 * width)) for _ in range(height)]
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            channels = len(picture) // side**2
            for y in range(side * scale):
                for x in range(side * scale):
                    at = ((y // scale) * side + x // scale) * channels
                    colour = [picture[at + (k if channels == 3 else 0)] for k in range(3)]
                    left = 3 * (c * cell + x)
                    canvas[r * cell + y][left : left + 3] = bytes(round(255 * min(1, max(0, v))) for v in colour)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = zlib.compress(b"".join(b"\0" + bytes(line) for line in canvas))
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b""))
    print(file)

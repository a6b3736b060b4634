"""Golden vectors: cases are computed by PyTorch in float64 and written as safetensors. See README.md for the format."""

import json
import struct
import zlib

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

_DTYPES = {"float64": "F64", "int64": "I64"}


def write_safetensors(path, tensors, metadata):
    """tensors: {name: numpy array of float64 or int64}; metadata: {string: string}."""
    header, blobs, offset = {"__metadata__": metadata}, [], 0
    for name in sorted(tensors):
        array = tensors[name]
        blob = np.ascontiguousarray(array).tobytes()
        header[name] = {
            "dtype": _DTYPES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + len(blob)],
        }
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


class Family:
    """The cases of one file. Random numbers depend on the case's name alone, so that a new case moves no other."""

    def __init__(self, name):
        self.name, self.tensors, self.metadata = name, {}, {}

    def random(self, case):
        return np.random.Generator(np.random.PCG64(zlib.crc32(f"{self.name}/{case}".encode())))

    def store(self, case, role, value):
        array = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)
        self.tensors[f"{case}.{role}"] = array

    def describe(self, case, attributes):
        if case in self.metadata:
            raise SystemExit(f"{self.name}: case {case} twice")
        self.metadata[case] = json.dumps(attributes, sort_keys=True)

    def case(self, case, leaves, function, attributes=None, extra=None, constant=()):
        """leaves: {role: array or shape}, in Counterfoil's layout; a shape (tuple) is drawn from N(0, 1).
        function(**leaves) gives y, or (y, {role: further output}). Stores the leaves, y, d_y and d_<leaf> for each
        floating leaf that is not constant: the gradient of sum(d_y * y)."""
        random = self.random(case)
        tensors = {}
        for role, value in leaves.items():
            array = random.standard_normal(value) if isinstance(value, tuple) else np.asarray(value)
            tensors[role] = torch.tensor(array, requires_grad=array.dtype.kind == "f" and role not in constant)
        result = function(**tensors)
        y, outputs = result if isinstance(result, tuple) else (result, {})
        d_y = torch.tensor(random.standard_normal(tuple(y.shape)))
        if not y.shape:
            d_y = torch.ones(())
        wanted = {role: tensor for role, tensor in tensors.items() if tensor.requires_grad}
        gradients = torch.autograd.grad(y, list(wanted.values()), d_y)
        self.describe(case, attributes or {})
        for role, tensor in {**tensors, "y": y, "d_y": d_y, **outputs, **(extra or {})}.items():
            self.store(case, role, tensor)
        for role, gradient in zip(wanted, gradients):
            self.store(case, f"d_{role}", gradient)

    def write(self):
        write_safetensors(f"{self.name}.safetensors", self.tensors, self.metadata)
        print(f"{self.name}: {len(self.metadata)} cases, {sum(t.nbytes for t in self.tensors.values()) // 1024} KiB")


def nchw(x):
    """NHWC to NCHW; also KRSC to KCRS."""
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)

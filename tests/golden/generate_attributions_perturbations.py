"""Writes the golden vectors of the attribution methods that perturb images: occlusion by Captum, LIME's regression by
scikit-learn, superpixels and prediction difference analysis by the NumPy below, with scikit-image's colours. In this
folder:

    python3 -m venv V && V/bin/pip install torch captum scikit-learn scikit-image scipy
    V/bin/python generate_attributions_perturbations.py
"""

import numpy as np
import torch
from captum.attr import Occlusion
from scipy.ndimage import label, zoom
from scipy.special import ndtri
from skimage.color import rgb2lab
from sklearn.linear_model import Ridge

from golden import Family

# Captum divides by the coverage in float32 whatever it is given.
torch.Tensor.float = torch.Tensor.double

CLASSES = 4
M32, M64 = 2**32 - 1, 2**64 - 1


class Stream:
    """A named stream of Philox 4x32-10 words (Salmon et al. 2011), the stream being the FNV-1a hash of the name."""

    def __init__(self, seed, name):
        self.seed, self.stream, self.position = seed, 0xCBF29CE484222325, 0
        for c in name.encode():
            self.stream = ((self.stream ^ c) * 0x100000001B3) & M64

    def word(self):
        index, lane = divmod(self.position, 4)
        self.position += 1
        c = [index & M32, index >> 32, self.stream & M32, self.stream >> 32]
        k = [self.seed & M32, self.seed >> 32]
        for _ in range(10):
            a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [(b >> 32) ^ c[1] ^ k[0], b & M32, (a >> 32) ^ c[3] ^ k[1], a & M32]
            k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
        return c[lane]

    def uniform(self):
        return (self.word() >> 8) / 2**24

    def normal(self):
        lower = (self.word() + 0.5) / 2**32
        return ndtri(lower) if lower < 0.5 else -ndtri(1 - lower)

    def integer(self, bound):
        while True:
            value = (self.word() << 32) | self.word()
            if value >= 2**64 % bound:
                return value % bound

    def permutation(self, count):
        order = list(range(count))
        for i in range(count, 1, -1):
            j = self.integer(i)
            order[i - 1], order[j] = order[j], order[i - 1]
        return order


def network(random, shape):
    """The weights of logits = tanh(x w1 + b1) w2 + b2 on images flattened in the order row, column, channel."""
    features = int(np.prod(shape[1:]))
    return {
        "w1": random.standard_normal((features, 6)) / np.sqrt(features) * 2,
        "b1": random.standard_normal((1, 6)),
        "w2": random.standard_normal((6, CLASSES)),
        "b2": random.standard_normal((1, CLASSES)),
    }


def logits(net, x):
    return np.tanh(x.reshape(len(x), -1) @ net["w1"] + net["b1"]) @ net["w2"] + net["b2"]


def probabilities(net, x):
    z = logits(net, x)
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def record(family, case, attributes, net, **values):
    family.describe(case, attributes)
    for role, value in {**net, **values}.items():
        family.store(case, role, value)


def occlusion(family):
    for case, shape, height, width, stride, channels in [
        ("occlusion_features", (2, 5, 4, 3), 1, 1, 1, "each"),
        ("occlusion_overlap", (2, 7, 6, 2), 3, 2, 1, "all"),
        ("occlusion_cut", (2, 7, 8, 2), 3, 3, 2, "all"),
        ("occlusion_cut_each", (1, 8, 5, 2), 3, 2, 2, "each"),
    ]:
        random = family.random(case)
        net = network(random, shape)
        x, baseline = random.uniform(size=shape), random.uniform(size=shape)
        classes = np.arange(shape[0]) + 1
        n, h, w, c = shape

        def score(images):  # NCHW, whatever number of images
            flat = images.permute(0, 2, 3, 1).reshape(len(images), h * w * c)
            z = torch.tanh(flat @ torch.tensor(net["w1"]) + torch.tensor(net["b1"]))
            return z @ torch.tensor(net["w2"]) + torch.tensor(net["b2"])

        depth = 1 if channels == "each" else c
        values = Occlusion(score).attribute(
            torch.tensor(x).permute(0, 3, 1, 2),
            sliding_window_shapes=(depth, height, width),
            strides=(depth, stride, stride),
            baselines=torch.tensor(baseline).permute(0, 3, 1, 2),
            target=torch.tensor(classes),
        ).permute(0, 2, 3, 1)
        attributes = {"height": height, "width": width, "stride": stride, "channels": channels}
        record(family, case, attributes, net, x=x, baseline=baseline, classes=classes, values=values)


def ridge(family):
    for case, rows, columns, penalty in [("ridge", 30, 5, 1.0), ("ridge_wide", 6, 9, 0.3), ("ridge_none", 20, 3, 0.0)]:
        random = family.random(case)
        x, y = random.standard_normal((rows, columns)) + 0.5, random.standard_normal(rows)
        weights = random.uniform(size=rows)
        model = Ridge(alpha=penalty, fit_intercept=True, solver="cholesky").fit(x, y, sample_weight=weights)
        record(family, case, {"penalty": penalty}, {}, x=x, y=y, weights=weights, values=model.coef_)


def lime(family):
    """Segments of 3 x 2 pixels: a grid of 6 cells over 6 x 6."""
    shape, seed, samples, width, penalty = (2, 6, 6, 2), 11, 60, 0.25, 1.0
    cell = np.arange(6)[:, None] // 3 * 3 + np.arange(6)[None, :] // 2
    for case in ["lime_baseline", "lime_mean"]:
        random = family.random(case)
        net = network(random, shape)
        x, baseline = random.uniform(size=shape), random.uniform(size=shape)
        classes, against = np.array([2, 0]), np.array([1, 3])
        if case == "lime_mean":
            for s in range(6):
                baseline[:, cell == s] = x[:, cell == s].mean(1, keepdims=True)
        values = np.zeros(shape)
        for n in range(len(x)):
            stream = Stream(seed, f"lime/{n}")
            states = np.array([[stream.uniform() >= 0.5 for _ in range(6)] for _ in range(samples)], float)
            states[0] = 1
            shown = states[:, cell][..., None]
            z = logits(net, shown * x[n] + (1 - shown) * baseline[n])
            distance = 1 - states.sum(1) / np.maximum(np.linalg.norm(states, axis=1) * np.sqrt(6), 1e-300)
            weights = np.sqrt(np.exp(-(distance**2) / width**2))
            model = Ridge(alpha=penalty, fit_intercept=True).fit(
                states, z[:, classes[n]] - z[:, against[n]], sample_weight=weights
            )
            values[n] = model.coef_[cell][..., None]
        attributes = {"seed": seed, "samples": samples, "hidden": case[5:]}
        given = {} if case == "lime_mean" else {"baseline": baseline}
        record(family, case, attributes, net, x=x, classes=classes, against=against, values=values, **given)


def superpixels(family):
    """SLIC on smooth images, whose pieces are connected and large, so that none is joined to another."""
    for case, shape, segments, compactness in [
        ("slic_colour", (2, 30, 24, 3), 12, 40.0),
        ("slic_grey", (1, 28, 28, 1), 16, 30.0),
        ("slic_two_channels", (1, 21, 33, 2), 10, 80.0),
    ]:
        random = family.random(case)
        _, h, w, c = shape
        coarse = random.uniform(size=(shape[0], 4, 4, c))
        x = np.clip(zoom(coarse, (1, h / 4, w / 4, 1), order=2, grid_mode=True, mode="nearest"), 0, 1)
        labels = np.zeros(shape[:3], int)
        side = np.sqrt(h * w / segments)
        rows = int(h / side + 0.5)
        columns = int(segments / rows + 0.5)
        place = np.stack(np.meshgrid(np.arange(h), np.arange(w), indexing="ij"), -1).astype(float)
        for n in range(shape[0]):
            lab = rgb2lab(np.repeat(x[n], 3, -1))[..., :1] if c == 1 else rgb2lab(x[n]) if c == 3 else 100 * x[n]
            edged = np.pad(lab, ((1, 1), (1, 1), (0, 0)), mode="edge")
            gradient = ((edged[2:, 1:-1] - edged[:-2, 1:-1]) ** 2).sum(-1)
            gradient += ((edged[1:-1, 2:] - edged[1:-1, :-2]) ** 2).sum(-1)
            centres = []
            for i in range(rows):
                for j in range(columns):
                    r, q = int((i + 0.5) * h / rows), int((j + 0.5) * w / columns)
                    around = [(gradient[a, b], a, b) for a in range(r - 1, r + 2) for b in range(q - 1, q + 2)]
                    _, r, q = min(around)
                    centres.append(np.array([r, q, *lab[r, q]]))
            for step in range(11):
                distance = np.full((len(centres), h, w), np.inf)
                for k, centre in enumerate(centres):
                    away = place - centre[:2]
                    d = ((lab - centre[2:]) ** 2).sum(-1) + (compactness / side) ** 2 * (away**2).sum(-1)
                    distance[k] = np.where(np.abs(away).max(-1) <= side, d, np.inf)
                nearest = distance.argmin(0)
                if np.isinf(distance.min(0)).any():
                    raise SystemExit(f"{case}: a pixel beyond every centre")
                if step < 10:
                    centres = [np.concatenate([place, lab], -1)[nearest == k].mean(0) for k in range(len(centres))]
            for k in range(len(centres)):
                if label(nearest == k)[1] != 1 or (nearest == k).sum() < side * side / 4:
                    raise SystemExit(f"{case}: a piece to be joined")
            first = {k: i for i, k in enumerate(dict.fromkeys(nearest.ravel().tolist()))}
            labels[n] = np.vectorize(first.get)(nearest)
        record(family, case, {"segments": segments, "compactness": compactness}, {}, x=x, labels=labels)


def starts(extent, window, stride):
    """Of the windows along an axis, up to the first that reaches its end."""
    return list(range(0, max(extent - window, 0) + stride, stride))[: -(-(extent - window) // stride) + 1]


def prediction_difference(family):
    for case, shape, images, window, stride, sampler, samples, against in [
        ("pda_marginal", (2, 5, 6, 2), 4, 2, 1, "marginal", 10, False),
        ("pda_marginal_drawn", (2, 5, 5, 1), 7, 3, 2, "marginal", 3, True),
        ("pda_conditional", (2, 7, 6, 2), 5, 2, 1, "conditional", 9, False),
        ("pda_conditional_cut", (2, 8, 7, 1), 5, 3, 3, "conditional", 5, True),
    ]:
        random = family.random(case)
        net = network(random, shape)
        _, h, w, c = shape
        smooth = np.linalg.cholesky(0.9 ** np.abs(np.subtract.outer(np.arange(h * w * c), np.arange(h * w * c))))
        draw = lambda count: 0.5 + 0.1 * (random.standard_normal((count, h * w * c)) @ smooth.T).reshape(count, h, w, c)
        x, sets = draw(2), draw(2 * images).reshape(2, images, h, w, c)
        classes, other = np.array([3, 1]), np.array([0, 2])
        seed, trained, padding = 5, 100, 1
        side, size = window + 2 * padding, window * window * c
        values = np.zeros(shape)

        def log_odds(p, n):
            p = (p * trained + 1) / (trained + CLASSES)
            return np.log2(p[classes[n]] / (p[other[n]] if against else 1 - p[classes[n]]))

        for n in range(2):
            stream = Stream(seed, f"prediction_difference/{n}")
            patches = np.array(
                [
                    image[r : r + side, q : q + side].ravel()
                    for image in sets[n]
                    for r in range(h - side + 1)
                    for q in range(w - side + 1)
                ]
            )
            mean = patches.mean(0)
            covariance = np.cov(patches, rowvar=False) + 1e-6 * np.eye(patches.shape[1])
            sums, counts, copy = np.zeros(shape[1:]), np.zeros(shape[1:]), 0
            for r in starts(h, window, stride):
                for q in starts(w, window, stride):
                    rows, columns = slice(r, min(r + window, h)), slice(q, min(q + window, w))
                    variants = []
                    if sampler == "marginal":
                        for b in stream.permutation(images)[:samples]:
                            variants.append(x[n].copy())
                            variants[-1][rows, columns] = sets[n, b][rows, columns]
                    else:
                        top = min(max(r - (side - (rows.stop - r)) // 2, 0), h - side)
                        left = min(max(q - (side - (columns.stop - q)) // 2, 0), w - side)
                        inside = np.zeros((h, w, c), bool)
                        inside[rows, columns] = True
                        inner = inside[top : top + side, left : left + side].ravel()
                        patch = x[n, top : top + side, left : left + side].ravel()
                        across = covariance[np.ix_(inner, ~inner)]
                        gain = across @ np.linalg.inv(covariance[np.ix_(~inner, ~inner)])
                        centre = mean[inner] + gain @ (patch[~inner] - mean[~inner])
                        factor = np.linalg.cholesky(covariance[np.ix_(inner, inner)] - gain @ across.T)
                        for _ in range(samples):
                            stream.position = copy * size
                            copy += 1
                            z = np.array([stream.normal() for _ in range(inner.sum())])
                            variants.append(x[n].copy())
                            drawn = np.clip(centre + factor @ z, sets[n].min(), sets[n].max())
                            variants[-1][rows, columns] = drawn.reshape(rows.stop - r, columns.stop - q, c)
                    unknown = probabilities(net, np.array(variants)).mean(0)
                    sums[rows, columns] += log_odds(probabilities(net, x[n : n + 1])[0], n) - log_odds(unknown, n)
                    counts[rows, columns] += 1
            values[n] = sums / counts
        attributes = {"window": window, "stride": stride, "sampler": sampler, "samples": samples, "seed": seed}
        attributes.update({"training_images": trained, "surrounding": padding})
        given = {"against": other} if against else {}
        record(family, case, attributes, net, x=x, sets=sets, classes=classes, values=values, **given)


family = Family("attributions_perturbations")
occlusion(family)
ridge(family)
lime(family)
superpixels(family)
prediction_difference(family)
family.write()

"""Writes the golden vectors of the metrics of attributions: /usr/bin/python3 generate_attribution_metrics.py, in this
folder. The classifier is logits = v A + v^2 B for the image v, flattened."""

import numpy as np
from scipy import ndimage, special, stats

from golden import Family

N, H, W, C, K = 3, 5, 6, 2, 3


def record(family, case, attributes=None, **values):
    family.describe(case, attributes or {})
    for role, value in values.items():
        family.store(case, role, np.asarray(value))


def correlations(family):
    for case, count, levels, offset in [
        ("correlation_plain", 40, 0, 0.0),
        ("correlation_ties", 60, 5, 0.0),
        ("correlation_two_levels", 25, 2, 0.0),
        ("correlation_far_from_zero", 30, 0, 1e6),
    ]:
        random = family.random(case)
        a, b = random.standard_normal((2, count))
        b += 0.7 * a
        if levels:
            a, b = (np.floor(levels * stats.norm.cdf(v)) for v in (a, b))
        a += offset
        record(family, case, a=a, b=b, ranks=stats.rankdata(a), pearson=stats.pearsonr(a, b)[0],
               spearman=stats.spearmanr(a, b)[0])


def gini(values):
    """Through the mean of all pairs' differences, half of it over the mean."""
    a = np.abs(values).ravel()
    return np.abs(a[:, None] - a[None, :]).mean() / (2 * a.mean())


def places(family):
    random = family.random("places")
    attributions = random.standard_normal((N, 12, 11, C))
    attributions[1] = np.round(attributions[1])
    annotations = (random.uniform(size=(N, 12, 11, 1)) < 0.2).astype(int)
    annotations[:, 3:7, 4:8] = 1
    maps = attributions.sum(-1)
    magnitudes = np.abs(attributions)
    edges = [np.concatenate([m[:, :3], m[:, -3:]], axis=1).mean() / m[:, 3:-3].mean() for m in magnitudes]
    percentiles = [0, 50, 85, 90.5, 98]
    overlap = []
    for p in percentiles:
        chosen = [m > np.percentile(m, p) for m in maps]
        overlap.append([(c & (t > 0)).sum() / (c | (t > 0)).sum() for c, t in zip(chosen, annotations[..., 0])])
    truth = annotations[..., 0].astype(float)
    ncc = [((m - m.mean()) * (t - t.mean())).mean() / (m.std() * t.std()) for m, t in zip(maps, truth)]
    record(family, "places", {"edge": 3, "percentiles": percentiles}, attributions=attributions,
           annotations=annotations, gini=[gini(a) for a in attributions], inverse_localisation=edges,
           intersection_over_union=overlap, cross_correlation=ncc)


def softmax(z):
    return special.softmax(z, axis=-1)


def perturbations(family):
    random = family.random("perturbations")
    x = random.uniform(size=(N, H, W, C))
    linear = random.standard_normal((H * W * C, K)) / 4
    quadratic = random.standard_normal((H * W * C, K)) / 4
    attributions = random.standard_normal((N, H, W, C))
    attributions[2] = np.round(attributions[2])  # many ties
    classes, against = np.array([0, 2, 1]), np.array([1, 0, 2])
    baselines, replacements = random.uniform(size=(N, H, W, C)), random.uniform(size=(4, H, W, C))

    def logits(image):
        v = image.ravel()
        return v @ linear + v**2 @ quadratic

    def gap(image, n, scale):
        s = scale(logits(image))
        return s[classes[n]] - s[against[n]]

    def curve(n, order, flip, scale):
        image, scores = x[n].copy(), [gap(x[n], n, scale)]
        for feature in order:
            where = np.unravel_index(feature, flip)
            image[where] = 1 - image[where]
            scores.append(gap(image, n, scale))
        return scores

    def order_of(values):
        return sorted(range(values.size), key=lambda i: (-values.ravel()[i], i))

    curves = {}
    for name, scale in [("logits", lambda z: z), ("probabilities", softmax)]:
        curves[f"aopc_{name}"] = [curve(n, order_of(attributions[n]), (H, W, C), scale) for n in range(N)]
        curves[f"aopc_map_{name}"] = [curve(n, order_of(attributions[n].sum(-1)), (H, W), scale) for n in range(N)]

    faithfulness, faithfulness_map, monotonicity = [], [], []
    for n in range(N):
        def drop(where, other):
            changed = x[n].copy()
            changed[where] = other[where]
            return logits(x[n])[classes[n]] - logits(changed)[classes[n]]

        features, pixels = list(np.ndindex(H, W, C)), list(np.ndindex(H, W))
        faithfulness.append(stats.pearsonr(attributions[n].ravel(), [drop(i, baselines[n]) for i in features])[0])
        faithfulness_map.append(
            stats.pearsonr(attributions[n].sum(-1).ravel(), [drop(i, baselines[n]) for i in pixels])[0])
        effects = [np.mean([drop(i, r) ** 2 for r in replacements]) for i in features]
        monotonicity.append(stats.spearmanr(np.abs(attributions[n]).ravel(), effects)[0])
    record(family, "perturbations", x=x, linear=linear, quadratic=quadratic, attributions=attributions,
           classes=classes, against=against, baselines=baselines, replacements=replacements,
           faithfulness=faithfulness, faithfulness_map=faithfulness_map, monotonicity=monotonicity, **curves)


def deletions(family):
    """The step that takes each pixel away, [N,H,W]; 0: none does."""
    random = family.random("deletions")
    maps = random.standard_normal((N, 14, 13))
    maps[1] = np.round(2 * maps[1])
    maps[2] = ndimage.gaussian_filter(maps[2], 1.2)
    record(family, "deletions", attributions=maps[..., None])
    for case, threshold, neighbours in [("segments_8", 0.5, 8), ("segments_4", 0.6, 4), ("segments_few", 0.9, 8)]:
        structure = np.ones((3, 3)) if neighbours == 8 else None
        taken, counts = np.zeros(maps.shape, int), []
        for m, steps in zip(maps, taken):
            m = (m - m.min()) / (m.max() - m.min())
            labels, count = ndimage.label(m > threshold, structure)
            means = ndimage.mean(m, labels, range(1, count + 1))
            counts.append(count)
            for k, segment in enumerate(sorted(range(count), key=lambda i: (-means[i], i))[:10]):
                steps[labels == segment + 1] = k + 1
        record(family, case, {"threshold": threshold, "neighbours": neighbours}, taken=taken, counts=counts)
    fractions, taken = [0.0, 0.05, 0.1, 0.2, 0.9], np.zeros(maps.shape, int)
    for m, steps in zip(maps, taken):
        ranks = stats.rankdata(-m.ravel(), method="ordinal").reshape(m.shape)
        for k in reversed(range(len(fractions))):
            steps[ranks <= round(fractions[k] * m.size)] = k + 1
    record(family, "pixels", {"fractions": fractions}, taken=taken)


if __name__ == "__main__":
    written = Family("attribution_metrics")
    correlations(written)
    places(written)
    perturbations(written)
    deletions(written)
    written.write()

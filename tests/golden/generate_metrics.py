"""Writes the golden vectors of metrics: /usr/bin/python3 generate_metrics.py, in this folder."""

import numpy as np
from scipy import linalg, stats
from scipy.spatial.distance import jensenshannon

from golden import Family


def record(family, case, attributes=None, **values):
    family.describe(case, attributes or {})
    for role, value in values.items():
        family.store(case, role, np.asarray(value))


def frechet(a, b):
    """Squared Wasserstein-2 distance of the Gaussians with the samples' means and covariances (ddof 1)."""
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.real(linalg.sqrtm(ca @ cb))
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb - 2 * root)


def jensen_shannon(a, b, grid):
    """Both sets on the first two principal axes of their union, Gaussian kernels with Scott's width, the densities on a
    grid over the union's range, normalised to sum 1; root of the base-2 Jensen-Shannon divergence."""
    both = np.concatenate([a, b])
    mean = both.mean(0)
    values, vectors = np.linalg.eigh(np.cov(both, rowvar=False))
    axes = vectors[:, ::-1][:, :2]
    pa, pb, pu = ((s - mean) @ axes for s in (a, b, both))
    lines = [np.linspace(pu[:, i].min(), pu[:, i].max(), grid) for i in (0, 1)]
    points = np.stack([m.ravel() for m in np.meshgrid(*lines, indexing="ij")])
    densities = [stats.gaussian_kde(p.T)(points) for p in (pa, pb)]
    p, q = (d / d.sum() for d in densities)
    return {
        "y": jensenshannon(p, q, base=2),
        "variances": values[::-1][:2],
        "kl_to_middle": np.array([stats.entropy(p, (p + q) / 2, base=2), stats.entropy(q, (p + q) / 2, base=2)]),
    }


def distributions():
    family = Family("distributions")
    for case, rows, other_rows, columns, shift in [
        ("frechet", 40, 30, 5, 0.7),
        ("frechet_one_column", 12, 9, 1, -0.3),
        ("frechet_near", 60, 60, 3, 0.02),
    ]:
        random = family.random(case)
        mix = random.standard_normal((columns, columns))
        a = random.standard_normal((rows, columns)) @ mix
        b = 1.3 * random.standard_normal((other_rows, columns)) + shift
        if columns == 1:
            y = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
        else:
            y = frechet(a, b)
        record(family, case, a=a, b=b, y=y)
    # Fewer samples than columns: singular covariances. The distance through the samples' singular values needs no root
    # of a singular matrix: tr sqrt(Ca Cb) is the nuclear norm of A B' with centred, scaled samples A and B.
    random = family.random("frechet_singular")
    a, b = random.standard_normal((6, 9)), random.standard_normal((5, 9)) + 0.5
    ca, cb = ((s - s.mean(0)) / np.sqrt(len(s) - 1) for s in (a, b))
    cross = np.linalg.svd(ca @ cb.T, compute_uv=False).sum()
    y = ((a.mean(0) - b.mean(0)) ** 2).sum() + (ca**2).sum() + (cb**2).sum() - 2 * cross
    record(family, "frechet_singular", a=a, b=b, y=y)
    for case, rows, other_rows, columns, shift, grid in [
        ("js_apart", 60, 50, 6, 2.0, 100),
        ("js_near", 50, 50, 4, 0.1, 100),
        ("js_two_columns", 30, 40, 2, 1.0, 25),
    ]:
        random = family.random(case)
        scale = np.linspace(2.0, 0.5, columns)
        a = random.standard_normal((rows, columns)) * scale
        b = random.standard_normal((other_rows, columns)) * scale[::-1] ** 0.5 + shift
        record(family, case, {"grid": grid}, a=a, b=b, **jensen_shannon(a, b, grid))
    family.write()


if __name__ == "__main__":
    distributions()

"""Writes the golden vectors of metrics of counterfactuals: /usr/bin/python3 generate_counterfactual_metrics.py, in this
folder."""

import numpy as np
from scipy import stats
from scipy.spatial.distance import cdist

from golden import Family


def record(family, case, **values):
    family.describe(case, {})
    for role, value in values.items():
        family.store(case, role, np.asarray(value))


def t_tests(family):
    """Sizes, shift of the mean and scale of the second sample; the far case has p-values near 1e-30, the near one t near
    1e-9."""
    for case, rows, other_rows, shift, scale in [
        ("t_test", 20, 20, 0.4, 1.0),
        ("t_test_unequal", 12, 31, -0.7, 3.0),
        ("t_test_two", 2, 2, 0.5, 1.0),
        ("t_test_far", 40, 45, 9.0, 1.5),
        ("t_test_near", 25, 25, 0.0, 1.0),
    ]:
        random = family.random(case)
        a = random.standard_normal(rows)
        b = random.standard_normal(other_rows) * scale + shift
        if case == "t_test_near":
            b += a.mean() - b.mean() + 1e-10
        tests = {}
        for name, result, degrees in [
            ("pooled", stats.ttest_ind(a, b, equal_var=True), rows + other_rows - 2),
            ("welch", stats.ttest_ind(a, b, equal_var=False), None),
        ] + ([("paired", stats.ttest_rel(a, b), rows - 1)] if rows == other_rows else []):
            if degrees is None:
                u, v = a.var(ddof=1) / rows, b.var(ddof=1) / other_rows
                degrees = (u + v) ** 2 / (u**2 / (rows - 1) + v**2 / (other_rows - 1))
            tests[name] = np.array([result[0], degrees, result[1]])
        record(family, case, a=a, b=b, **tests)


def identity(family):
    """Codes and the codes of explanations that move away from them by noise."""
    for case, rows, columns, noise in [("identity", 30, 4, 0.5), ("identity_many", 60, 12, 1.0)]:
        random = family.random(case)
        x = random.standard_normal((rows, columns))
        x_delta = x + noise * random.standard_normal((rows, columns))
        distances = cdist(x, x_delta)
        others = distances + np.diag(np.full(rows, np.inf))
        closest = np.diag(distances) < others.min(axis=1)
        cosine = np.diag(cdist(x, x_delta, metric="cosine"))
        record(family, case, x=x, x_delta=x_delta, lsc=closest.mean(), fva=(cosine < 0.5).mean(),
               fva_strict=(cosine < 0.1).mean())


if __name__ == "__main__":
    family = Family("counterfactual_metrics")
    t_tests(family)
    identity(family)
    family.write()

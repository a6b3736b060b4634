"""Writes the golden vectors of losses, the gradient penalty and optimisers: /usr/bin/python3 generate_losses.py, here."""

import numpy as np
import torch
import torch.nn.functional as F

from golden import Family, nchw, nhwc


def bce(logits, target):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def losses():
    family = Family("losses")
    random = family.random("data")

    def simplex(*shape):
        weights = random.gamma(1.0, size=shape)
        return weights / weights.sum(-1, keepdims=True)

    for case, shape in [("plain", (6, 1)), ("one", (1, 1)), ("map", (2, 3, 4, 1))]:
        family.case(
            f"bce_{case}",
            {"logits": shape, "targets": random.uniform(size=shape)},
            lambda logits, targets: F.binary_cross_entropy_with_logits(logits, targets),
            constant=("targets",),
        )
    far = np.array([[-80.0], [-30.0], [30.0], [80.0]])
    family.case(
        "bce_far",
        {"logits": far, "targets": np.array([[0.0], [1.0], [0.0], [1.0]])},
        lambda logits, targets: F.binary_cross_entropy_with_logits(logits, targets),
        constant=("targets",),
    )

    for case, logits, labels in [
        ("plain", (4, 5), [3, 0, 4, 3]),
        ("one_row", (1, 2), [1]),
        ("one_class", (2, 1), [0, 0]),
    ]:
        family.case(
            f"cross_entropy_{case}",
            {"logits": logits, "labels": np.array(labels)},
            lambda logits, labels: F.cross_entropy(logits, labels),
        )
    family.case(
        "cross_entropy_far",
        {"logits": np.array([[200.0, 0.0, -50.0], [-90.0, -91.0, 60.0]]), "labels": np.array([2, 1])},
        lambda logits, labels: F.cross_entropy(logits, labels),
    )
    family.case(
        "cross_entropy_per_row",
        {"logits": (5, 3), "labels": np.array([0, 2, 1, 1, 0])},
        lambda logits, labels: F.cross_entropy(logits, labels, reduction="none"),
    )

    def gaussian_kl(mean, log_variance):
        return (0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)).sum(1).mean()

    for case, shape in [("plain", (3, 4)), ("one", (1, 1))]:
        family.case(f"gaussian_kl_{case}", {"mean": shape, "log_variance": shape}, gaussian_kl)

    def categorical_kl(p, q, epsilon=1e-8):
        return (p * ((p + epsilon).log() - (q + epsilon).log())).sum(1).mean()

    zeros = np.array([[0.0, 0.25, 0.75], [1.0, 0.0, 0.0]])
    family.case("categorical_kl_plain", {"p": simplex(4, 3), "q": simplex(4, 3)}, categorical_kl, {"epsilon": 1e-8})
    family.case("categorical_kl_zeros", {"p": zeros, "q": simplex(2, 3)}, categorical_kl, {"epsilon": 1e-8})

    for case, shape in [("plain", (2, 3, 4, 2)), ("one", (1, 1))]:
        family.case(f"l1_{case}", {"a": shape, "b": shape}, lambda a, b: (a - b).abs().mean())
        family.case(f"l2_{case}", {"a": shape, "b": shape}, lambda a, b: ((a - b) ** 2).mean())

    adversarial = {
        "hinge_discriminator": lambda real, fake: F.relu(1 - real).mean() + F.relu(1 + fake).mean(),
        "hinge_generator": lambda fake: -fake.mean(),
        "non_saturating_discriminator": lambda real, fake: bce(real, 1.0) + bce(fake, 0.0),
        "non_saturating_generator": lambda fake: bce(fake, 1.0),
        "wasserstein_critic": lambda real, fake: fake.mean() - real.mean(),
    }
    for case, function in adversarial.items():
        leaves = {"fake": 2.0 * random.standard_normal((7, 1))}
        if not case.endswith("generator"):
            leaves["real"] = 2.0 * random.standard_normal((5, 1))
        family.case(case, leaves, function)

    def total_variation(x, beta):
        down, right = (x[:, 1:] - x[:, :-1]).abs() ** beta, (x[:, :, 1:] - x[:, :, :-1]).abs() ** beta
        return (down.sum((1, 2, 3)) + right.sum((1, 2, 3))).mean()

    for case, shape, beta in [
        ("beta1", (2, 3, 4, 1), 1.0),
        ("beta2", (2, 4, 3, 2), 2.0),
        ("beta3", (1, 5, 4, 1), 3.0),
        ("one_row", (1, 1, 4, 1), 2.0),
    ]:
        family.case(f"total_variation_{case}", {"x": shape}, lambda x, b=beta: total_variation(x, b), {"beta": beta})
    family.write()


def gradient_penalty():
    """y = mean over images of (sqrt(sum g^2 + 1e-12) - 1)^2, g the critic's gradient at real + u (fake - real)."""
    family = Family("gradient_penalty")

    def head(h, linear, linear_bias):
        return F.linear(h.reshape(h.shape[0], -1), linear, linear_bias)

    def conv(x, weight, bias, **geometry):
        return nhwc(F.conv2d(nchw(x), nchw(weight), bias, **geometry))

    def strided_leaky(x, conv1, bias1, conv2, bias2, linear, linear_bias):
        h = F.leaky_relu(conv(x, conv1, bias1, stride=2, padding=1), 0.2)
        h = F.leaky_relu(conv(h, conv2, bias2, stride=2, padding=1), 0.2)
        return head(h, linear, linear_bias)

    def smooth(x, conv1, bias1, conv2, bias2, linear, linear_bias):
        h = torch.tanh(conv(x, conv1, bias1, padding=1))
        h = nhwc(F.avg_pool2d(nchw(h), 2))
        h = torch.sigmoid(conv(h, conv2, bias2, stride=2, padding=1))
        return head(h, linear, linear_bias)

    def normalised(x, conv1, gamma, beta, conv2, linear, linear_bias):
        h = conv(x, conv1, None, padding=1)
        h = F.leaky_relu(nhwc(F.instance_norm(nchw(h), weight=gamma, bias=beta, eps=1e-5)), 0.2)
        return head(conv(h, conv2, None, stride=2, padding=1), linear, linear_bias)

    def pooled(x, conv1, bias1, conv2, bias2, linear, linear_bias):
        h = nhwc(F.max_pool2d(nchw(F.softplus(conv(x, conv1, bias1, padding=1))), 2))
        h = nhwc(F.interpolate(nchw(h), scale_factor=2, mode="nearest"))
        return head(torch.tanh(conv(h, conv2, bias2, padding=1)).sum((1, 2)), linear, linear_bias)

    plain = {"conv1": (3, 3, 3, 2), "bias1": (3,), "conv2": (4, 3, 3, 3), "bias2": (4,)}
    cases = {
        "strided_leaky": (strided_leaky, (3, 7, 6, 2), plain | {"linear": (1, 2 * 2 * 4), "linear_bias": (1,)}),
        "strided_leaky_batch1": (
            strided_leaky,
            (1, 5, 5, 1),
            plain | {"conv1": (3, 3, 3, 1), "linear": (1, 2 * 2 * 4), "linear_bias": (1,)},
        ),
        "smooth": (smooth, (2, 6, 5, 2), plain | {"linear": (1, 2 * 1 * 4), "linear_bias": (1,)}),
        "instance_norm": (
            normalised,
            (2, 5, 4, 1),
            {
                "conv1": (3, 3, 3, 1),
                "gamma": (3,),
                "beta": (3,),
                "conv2": (2, 3, 3, 3),
                "linear": (1, 3 * 2 * 2),
                "linear_bias": (1,),
            },
        ),
        "max_pool": (pooled, (2, 4, 6, 1), plain | {"conv1": (3, 3, 3, 1), "linear": (1, 4), "linear_bias": (1,)}),
    }
    for case, (critic, shape, parameters) in cases.items():
        random = family.random(case + ".data")
        u = random.uniform(size=(shape[0], 1, 1, 1))
        # Weights of size 1 / sqrt(fan in) keep the gradient's norm near 1, where the penalty bends.
        drawn = {
            role: random.standard_normal(s) / np.sqrt(np.prod(s[1:]) if len(s) > 1 else 1)
            for role, s in parameters.items()
        }

        def penalty(real, fake, u, critic=critic, **parameters):
            at = real + u * (fake - real)
            score = critic(at, **parameters)
            (g,) = torch.autograd.grad(score.sum(), at, create_graph=True)
            norm = ((g**2).sum((1, 2, 3)) + 1e-12).sqrt()
            zero = sum(p.sum() for p in parameters.values()) * 0  # biases of a piecewise linear critic: gradient 0
            return ((norm - 1) ** 2).mean() + zero, {"score": score, "gradient": g, "norm": norm}

        family.case(case, {"real": shape, "fake": shape, "u": u, **drawn}, penalty, {"epsilon": 1e-12}, constant=("u",))
    family.write()


def optimisers():
    family = Family("optimisers")
    steps = 5
    for case, make, attributes in [
        ("sgd", torch.optim.SGD, {"lr": 0.1}),
        ("sgd_momentum", torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
        ("sgd_nesterov_decay", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
        ("adam", torch.optim.Adam, {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8}),
        ("adam_beta0", torch.optim.Adam, {"lr": 2e-4, "betas": (0.0, 0.9), "eps": 1e-8}),
        ("adam_decay", torch.optim.Adam, {"lr": 0.01, "betas": (0.5, 0.999), "eps": 1e-8, "weight_decay": 0.1}),
        ("rmsprop", torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.99, "eps": 1e-8}),
        ("rmsprop_decay", torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9, "eps": 1e-6, "weight_decay": 0.01}),
    ]:
        random = family.random(case)
        parameters = {
            role: torch.tensor(random.standard_normal(shape), requires_grad=True)
            for role, shape in [("a", (3, 2)), ("b", (4,))]
        }
        gradients = {role: random.standard_normal((steps, *p.shape)) for role, p in parameters.items()}
        values = {role: [p.detach().clone()] for role, p in parameters.items()}
        optimiser = make(parameters.values(), **attributes)
        for step in range(steps):
            for role, p in parameters.items():
                p.grad = torch.tensor(gradients[role][step])
            optimiser.step()
            for role, p in parameters.items():
                values[role].append(p.detach().clone())
        family.describe(case, attributes)
        for role in parameters:
            family.store(case, f"{role}_gradients", gradients[role])
            family.store(case, f"{role}_values", torch.stack(values[role]))
    family.write()


if __name__ == "__main__":
    losses()
    gradient_penalty()
    optimisers()

"""Writes the golden vectors of layers: /usr/bin/python3 generate_layers.py, in this folder."""

import numpy as np
import torch
import torch.nn.functional as F

from golden import Family, nchw, nhwc


def conv(x, weight, bias=None, padding=0, **geometry):
    """padding: one number, or (top, bottom, left, right)."""
    top, bottom, left, right = padding if isinstance(padding, tuple) else (padding,) * 4
    return nhwc(F.conv2d(F.pad(nchw(x), (left, right, top, bottom)), nchw(weight), bias, **geometry))


def linear():
    family = Family("linear")
    for case, rows, inputs, outputs, bias in [
        ("plain", 3, 5, 4, True),
        ("no_bias", 4, 7, 3, False),
        ("one_row", 1, 6, 5, True),
        ("one_output", 5, 9, 1, True),
        ("one_input", 4, 1, 3, True),
    ]:
        leaves = {"x": (rows, inputs), "weight": (outputs, inputs)} | ({"bias": (outputs,)} if bias else {})
        family.case(case, leaves, lambda x, weight, bias=None: F.linear(x, weight, bias))
    family.write()


def geometry(stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    if len(padding) == 2:
        padding = (padding[0], padding[0], padding[1], padding[1])
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def conv2d():
    family = Family("conv2d")
    for case, x, weight, bias, g in [
        ("plain", (2, 5, 7, 3), (4, 3, 3, 3), True, geometry(padding=(1, 1))),
        ("no_bias", (2, 4, 5, 2), (3, 3, 3, 2), False, geometry(padding=(1, 1))),
        ("pointwise", (2, 3, 5, 4), (6, 1, 1, 4), True, geometry()),
        ("stride2", (2, 7, 6, 3), (4, 3, 3, 3), True, geometry((2, 2), (1, 1))),
        ("stride2_even_kernel", (1, 9, 8, 2), (3, 4, 4, 2), True, geometry((2, 2), (1, 1))),
        ("stride3_leftover", (2, 9, 10, 2), (3, 2, 2, 2), True, geometry((3, 3))),
        ("valid5x5", (1, 9, 8, 1), (5, 5, 5, 1), True, geometry()),
        ("valid6x6_stride2", (1, 13, 12, 1), (3, 6, 6, 1), True, geometry((2, 2))),
        ("kernel7x7", (1, 6, 5, 2), (2, 7, 7, 2), False, geometry(padding=(3, 3))),
        ("dilated", (2, 8, 9, 2), (3, 3, 3, 2), True, geometry(padding=(2, 2), dilation=(2, 2))),
        ("grouped", (2, 5, 6, 4), (6, 3, 3, 2), True, geometry(padding=(1, 1), groups=2)),
        ("depthwise", (2, 6, 5, 4), (4, 3, 3, 1), True, geometry(padding=(1, 1), groups=4)),
        ("depthwise_double_stride2", (1, 7, 7, 3), (6, 3, 3, 1), True, geometry((2, 2), (1, 1), groups=3)),
        ("one_channel_in", (1, 7, 7, 1), (4, 3, 3, 1), True, geometry(padding=(1, 1))),
        ("one_channel_out", (2, 5, 5, 6), (1, 3, 3, 6), True, geometry(padding=(1, 1))),
        ("uneven", (2, 6, 11, 2), (3, 1, 3, 2), True, geometry((2, 3), (0, 2), (1, 2))),
        ("one_sided_padding_stride2", (2, 6, 8, 2), (3, 3, 3, 2), True, geometry((2, 2), (0, 1, 0, 1))),
        ("one_pixel", (3, 1, 1, 2), (2, 3, 3, 2), True, geometry(padding=(1, 1))),
    ]:
        leaves = {"x": x, "weight": weight} | ({"bias": (weight[0],)} if bias else {})
        family.case(case, leaves, lambda g=g, **t: conv(**t, **g), g)
    family.write()


def conv_transpose2d():
    family = Family("conv_transpose2d")
    for case, x, weight, bias, output_padding, g in [
        ("plain", (2, 4, 3, 3), (3, 3, 3, 4), True, (0, 0), geometry()),
        ("stride2_4x4", (2, 3, 4, 3), (3, 4, 4, 2), True, (0, 0), geometry((2, 2), (1, 1))),
        ("stride2_3x3_output_padding", (2, 3, 5, 2), (2, 3, 3, 3), True, (1, 1), geometry((2, 2), (1, 1))),
        ("uneven", (1, 4, 3, 2), (2, 3, 2, 3), True, (1, 0), geometry((2, 3), (1, 0))),
        ("stride3_output_padding2", (1, 2, 3, 2), (2, 5, 5, 2), False, (2, 1), geometry((3, 3), (1, 2))),
        ("dilated", (1, 4, 4, 2), (2, 3, 3, 2), True, (0, 1), geometry((2, 2), (1, 1), (2, 2))),
        ("grouped", (2, 3, 3, 4), (4, 3, 3, 3), True, (1, 1), geometry((2, 2), (1, 1), groups=2)),
        ("depthwise", (2, 4, 5, 3), (3, 3, 3, 1), True, (0, 0), geometry((2, 2), (1, 1), groups=3)),
        ("from_one_pixel", (3, 1, 1, 5), (5, 4, 4, 3), False, (0, 0), geometry()),
        ("one_channel_out", (1, 5, 5, 4), (4, 4, 4, 1), True, (0, 0), geometry((2, 2), (1, 1))),
        ("one_channel_in", (1, 3, 4, 1), (1, 3, 3, 2), True, (0, 0), geometry((1, 1), (1, 1))),
    ]:
        outputs = weight[3] * g["groups"]
        leaves = {"x": x, "weight": weight} | ({"bias": (outputs,)} if bias else {})

        def function(x, weight, bias=None, g=g, output_padding=output_padding):
            pads = g["padding"][0], g["padding"][2]
            return nhwc(
                F.conv_transpose2d(
                    nchw(x), nchw(weight), bias, g["stride"], pads, output_padding, g["groups"], g["dilation"]
                )
            )

        family.case(case, leaves, function, g | {"output_padding": output_padding})
    family.write()


def normalise(x, dims, eps):
    """x minus its mean, over the root of its biased variance plus eps; also the two statistics."""
    mean, var = x.mean(dims), x.var(dims, unbiased=False)
    shape = [1 if d in dims else n for d, n in enumerate(x.shape)]
    return (x - mean.view(shape)) / (var.view(shape) + eps).sqrt(), mean, var


def batch_norm():
    family = Family("batch_norm")
    for case, x, eps, momentum in [
        ("train", (4, 3, 5, 3), 1e-5, 0.1),
        ("train_eps3", (3, 4, 3, 2), 1e-3, 0.01),
        ("train_batch1", (1, 5, 3, 4), 1e-5, 0.1),
        ("train_one_channel", (2, 3, 3, 1), 1e-3, 0.01),
        ("train_rows", (6, 1, 1, 5), 1e-5, 0.1),
    ]:
        c = x[3]
        mean0, var0 = np.linspace(-1, 1, c), np.linspace(0.5, 2, c)

        def train(x, gamma, beta, eps=eps, momentum=momentum, mean0=mean0, var0=var0):
            mean, var = torch.tensor(mean0), torch.tensor(var0)
            y = F.batch_norm(nchw(x), mean, var, gamma, beta, True, momentum, eps)
            _, batch_mean, batch_var = normalise(x, (0, 1, 2), eps)
            return nhwc(y), {
                "batch_mean": batch_mean,
                "batch_var": batch_var,
                "running_mean": mean,
                "running_var": var,
            }

        family.case(
            case,
            {"x": x, "gamma": (c,), "beta": (c,)},
            train,
            {"eps": eps, "momentum": momentum, "train": True},
            {"running_mean_before": mean0, "running_var_before": var0},
        )
    for case, x, eps in [("eval", (2, 3, 4, 3), 1e-5), ("eval_batch1", (1, 1, 3, 2), 1e-3)]:
        c = x[3]
        stats = {"running_mean": np.linspace(-1, 1, c), "running_var": np.linspace(0.5, 2, c)}

        def evaluate(x, gamma, beta, eps=eps, stats=stats):
            mean, var = (torch.tensor(stats[k]) for k in ("running_mean", "running_var"))
            return nhwc(F.batch_norm(nchw(x), mean, var, gamma, beta, False, 0.0, eps))

        family.case(case, {"x": x, "gamma": (c,), "beta": (c,)}, evaluate, {"eps": eps, "train": False}, stats)
    for case, x, labels, classes, eps in [
        ("conditional", (4, 3, 3, 3), [2, 0, 2, 1], 4, 1e-3),
        ("conditional_one_class", (2, 3, 2, 2), [0, 0], 1, 1e-5),
        ("conditional_batch1", (1, 4, 5, 1), [1], 2, 1e-3),
    ]:

        def conditional(x, gamma, beta, labels, eps=eps):
            scale, shift = (F.embedding(labels, table)[:, None, None, :] for table in (gamma, beta))
            return normalise(x, (0, 1, 2), eps)[0] * scale + shift

        family.case(
            case,
            {"x": x, "gamma": (classes, x[3]), "beta": (classes, x[3]), "labels": np.array(labels)},
            conditional,
            {"eps": eps, "train": True},
        )
    family.write()


def instance_norm():
    family = Family("instance_norm")
    for case, x, eps, affine in [
        ("affine", (3, 4, 5, 3), 1e-6, True),
        ("plain", (2, 3, 3, 2), 1e-5, False),
        ("batch1_one_channel", (1, 5, 2, 1), 1e-6, True),
    ]:

        def function(x, gamma=None, beta=None, eps=eps):
            return nhwc(F.instance_norm(nchw(x), weight=gamma, bias=beta, eps=eps))

        leaves = {"x": x} | ({"gamma": (x[3],), "beta": (x[3],)} if affine else {})
        family.case(case, leaves, function, {"eps": eps})
    family.write()


def spectral_weight(weight, u, iterations, eps=1e-12):
    """weight / sigma, sigma = u'W v after the power iterations, u and v constants; W has one row per output."""
    matrix = weight.reshape(weight.shape[0], -1)
    with torch.no_grad():
        for _ in range(iterations):
            v = F.normalize(matrix.T @ u, dim=0, eps=eps)
            u = F.normalize(matrix @ v, dim=0, eps=eps)
    sigma = u @ (matrix @ v)
    return weight / sigma, {"u_after": u, "v_after": v, "sigma": sigma}


def spectral_norm():
    family = Family("spectral_norm")
    for case, weight, iterations in [
        ("conv", (4, 3, 3, 2), 1),
        ("conv_three_iterations", (3, 1, 1, 5), 3),
        ("linear", (5, 7), 1),
        ("one_output", (1, 6), 1),
    ]:
        u = family.random(case + ".u").standard_normal(weight[0])
        u /= np.linalg.norm(u)
        family.case(
            case,
            {"weight": weight},
            lambda weight, u=u, n=iterations: spectral_weight(weight, torch.tensor(u), n),
            {"iterations": iterations, "eps": 1e-12},
            {"u": u},
        )
    family.write()


def embedding():
    family = Family("embedding")
    for case, table, index in [
        ("repeated", (5, 3), [4, 0, 4, 2]),
        ("one_row", (1, 4), [0, 0]),
        ("one_index", (3, 1), [2]),
    ]:
        family.case(case, {"weight": table, "index": np.array(index)}, lambda weight, index: F.embedding(index, weight))
    family.write()


def pooling():
    family = Family("pooling")
    for case, x, kernel, stride, padding in [
        ("k2s2", (2, 4, 6, 3), (2, 2), (2, 2), (0, 0)),
        ("k2s2_odd", (2, 5, 7, 2), (2, 2), (2, 2), (0, 0)),
        ("k3s2p1", (1, 7, 6, 2), (3, 3), (2, 2), (1, 1)),
        ("k3s1p1", (2, 3, 4, 1), (3, 3), (1, 1), (1, 1)),
        ("k3s2", (1, 8, 7, 2), (3, 3), (2, 2), (0, 0)),
        ("uneven", (1, 5, 6, 2), (1, 3), (2, 1), (0, 1)),
    ]:
        g = {"kernel": kernel, "stride": stride, "padding": geometry(padding=padding)["padding"]}
        family.case("max_" + case, {"x": x}, lambda x, a=(kernel, stride, padding): nhwc(F.max_pool2d(nchw(x), *a)), g)
        family.case(
            "avg_" + case,
            {"x": x},
            lambda x, a=(kernel, stride, padding): nhwc(F.avg_pool2d(nchw(x), *a, count_include_pad=True)),
            g | {"count_padding": True},
        )
        if max(padding):
            family.case(
                f"avg_{case}_inside",
                {"x": x},
                lambda x, a=(kernel, stride, padding): nhwc(F.avg_pool2d(nchw(x), *a, count_include_pad=False)),
                g | {"count_padding": False},
            )
    for case, x in [("plain", (3, 4, 5, 2)), ("batch1_one_channel", (1, 3, 1, 1))]:
        family.case("global_avg_" + case, {"x": x}, lambda x: x.mean((1, 2)))
        family.case("global_sum_" + case, {"x": x}, lambda x: x.sum((1, 2)))
    family.write()


def upsampling():
    family = Family("upsampling")
    for case, x, size in [
        ("x2", (2, 3, 4, 2), (6, 8)),
        ("x3", (1, 2, 3, 1), (6, 9)),
        ("x2_by_x4", (1, 3, 2, 2), (6, 8)),
        ("one_pixel", (2, 1, 1, 3), (4, 4)),
    ]:
        family.case(
            "nearest_" + case,
            {"x": x},
            lambda x, s=size: nhwc(F.interpolate(nchw(x), s, mode="nearest")),
            {"size": size},
        )
    for case, x, size in [
        ("x2", (2, 3, 4, 2), (6, 8)),
        ("leftover", (1, 5, 7, 2), (8, 11)),
        ("smaller", (1, 9, 8, 1), (4, 5)),
        ("same", (1, 3, 3, 1), (3, 3)),
        ("one_pixel", (2, 1, 1, 2), (3, 4)),
    ]:
        family.case(
            "bilinear_" + case,
            {"x": x},
            lambda x, s=size: nhwc(F.interpolate(nchw(x), s, mode="bilinear", align_corners=False)),
            {"size": size, "align_corners": False},
        )
    family.case(
        "upsample_concat",
        {"low": (2, 2, 3, 3), "skip": (2, 4, 6, 2)},
        lambda low, skip: torch.cat([low.repeat_interleave(2, 1).repeat_interleave(2, 2), skip], 3),
    )
    family.write()


def rearranging():
    family = Family("rearranging")
    family.case(
        "concat_channels",
        {"a": (2, 3, 4, 2), "b": (2, 3, 4, 3), "c": (2, 3, 4, 1)},
        lambda a, b, c: torch.cat([a, b, c], 3),
        {"axis": 3},
    )
    family.case("concat_batch", {"a": (1, 3, 2, 2), "b": (3, 3, 2, 2)}, lambda a, b: torch.cat([a, b], 0), {"axis": 0})
    for case, x, before, after, value in [
        ("pad", (2, 3, 4, 2), (1, 2), (0, 3), 0.0),
        ("pad_value", (1, 2, 3, 1), (2, 0), (1, 1), -1.5),
    ]:
        pads = (0, 0, before[1], after[1], before[0], after[0])
        family.case(
            case,
            {"x": x},
            lambda x, p=pads, v=value: F.pad(x, p, value=v),
            {"before": before, "after": after, "value": value},
        )
    family.case(
        "slice_space", {"x": (2, 5, 6, 2)}, lambda x: x[:, 1:4, 2:6, :], {"begin": [0, 1, 2, 0], "end": [2, 4, 6, 2]}
    )
    family.case(
        "slice_channels", {"x": (2, 3, 2, 5)}, lambda x: x[..., 1:3], {"begin": [0, 0, 0, 1], "end": [2, 3, 2, 3]}
    )
    family.write()


def activations():
    family = Family("activations")
    functions = {
        "relu": (F.relu, {}),
        "leaky_relu": (lambda x: F.leaky_relu(x, 0.2), {"slope": 0.2}),
        "leaky_relu_slope01": (lambda x: F.leaky_relu(x, 0.01), {"slope": 0.01}),
        "tanh": (torch.tanh, {}),
        "sigmoid": (torch.sigmoid, {}),
        "softplus": (lambda x: torch.logaddexp(x, torch.zeros(())), {}),
        "clip": (lambda x: x.clamp(-0.5, 1.0), {"low": -0.5, "high": 1.0}),
    }
    for name, (function, attributes) in functions.items():
        family.case(name, {"x": (2, 3, 5, 3)}, lambda x, f=function: f(x), attributes)
        wide = np.array([-80.0, -40.0, -20.5, -3.0, -1e-3, 1e-3, 3.0, 20.5, 40.0, 80.0])
        family.case(name + "_wide", {"x": wide}, lambda x, f=function: f(x), attributes)
    for name, function in [("softmax", torch.softmax), ("log_softmax", torch.log_softmax)]:
        for case, x in [("plain", (4, 5)), ("one_row", (1, 3)), ("one_class", (3, 1))]:
            family.case(f"{name}_{case}", {"x": x}, lambda x, f=function: f(x, -1))
        far = np.array([[1000.0, 999.0, -1000.0], [-800.0, -800.5, -799.0]])
        family.case(f"{name}_far", {"x": far}, lambda x, f=function: f(x, -1))
    family.write()


def blocks():
    family = Family("blocks")

    def norm(x, gamma, beta):
        return F.relu(nhwc(F.batch_norm(nchw(x), None, None, gamma, beta, True, 0.0, 1e-3)))

    def resize(x, how):
        if how == "up":
            return nhwc(F.interpolate(nchw(x), scale_factor=2, mode="nearest"))
        return nhwc(F.avg_pool2d(nchw(x), 2)) if how == "down" else x

    def block(x, how, conv1, bias1, conv2, bias2, norms=None, skip=None, skip_bias=None, first=False):
        h = norm(x, *norms[:2]) if norms else (x if first else F.relu(x))
        h = resize(h, how if norms else "same")
        h = conv(h, conv1, bias1, padding=1)
        h = conv(norm(h, *norms[2:]) if norms else F.relu(h), conv2, bias2, padding=1)
        h = resize(h, "same" if norms else how)
        s = resize(x, how)
        return h + (s if skip is None else conv(s, skip, skip_bias))

    for case, x, outputs, how, with_norm in [
        ("plain", (2, 3, 5, 3), 3, "same", True),
        ("plain_widening", (2, 3, 3, 2), 4, "same", True),
        ("down", (2, 6, 4, 3), 4, "down", True),
        ("up", (2, 3, 2, 4), 2, "up", True),
        ("discriminator_plain", (2, 4, 3, 3), 3, "same", False),
        ("discriminator_widening", (2, 2, 3, 2), 4, "same", False),
        ("discriminator_down", (1, 6, 4, 2), 4, "down", False),
        ("discriminator_first", (2, 4, 4, 1), 3, "down", False),
    ]:
        inputs = x[3]
        leaves = {
            "x": x,
            "conv1": (outputs, 3, 3, inputs),
            "bias1": (outputs,),
            "conv2": (outputs, 3, 3, outputs),
            "bias2": (outputs,),
        }
        if with_norm:
            leaves |= {"gamma1": (inputs,), "beta1": (inputs,), "gamma2": (outputs,), "beta2": (outputs,)}
        if how != "same" or inputs != outputs:
            leaves |= {"skip": (outputs, 1, 1, inputs), "skip_bias": (outputs,)}

        def function(
            x,
            gamma1=None,
            beta1=None,
            gamma2=None,
            beta2=None,
            how=how,
            with_norm=with_norm,
            first="first" in case,
            **rest,
        ):
            return block(x, how, norms=(gamma1, beta1, gamma2, beta2) if with_norm else None, first=first, **rest)

        family.case(
            case,
            leaves,
            function,
            {"resize": how, "norm": with_norm, "first": "first" in case} | ({"eps": 1e-3} if with_norm else {}),
        )

    def projection(features, labels, psi_weight, psi_bias, thresholds):
        """psi(phi) + sum over i < label of v_i . phi, phi the sum over space of the rectified features."""
        phi = F.relu(features).sum((1, 2))
        passed = (torch.arange(len(thresholds)) < labels[:, None]).to(phi)
        return F.linear(phi, psi_weight, psi_bias) + ((phi @ thresholds.T) * passed).sum(1, keepdim=True)

    for case, features, bins, labels in [
        ("projection_ordinal", (4, 3, 2, 5), 4, [0, 3, 1, 2]),
        ("projection_two_bins", (3, 1, 1, 3), 2, [1, 0, 1]),
        ("projection_batch1", (1, 4, 4, 2), 10, [9]),
    ]:
        c = features[3]
        leaves = {
            "features": features,
            "labels": np.array(labels),
            "psi_weight": (1, c),
            "psi_bias": (1,),
            "thresholds": (bins - 1, c),
        }
        family.case(case, leaves, projection, {"bins": bins})
    family.write()


def images():
    family = Family("images")

    def blur(x, sigma, radius, border):
        taps = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=x.dtype) / sigma) ** 2)
        taps = taps / taps.sum()
        c, mode = x.shape[3], {"zero": "constant", "replicate": "replicate"}[border]
        h = F.pad(nchw(x), (radius,) * 4, mode=mode)
        h = F.conv2d(h, taps.view(1, 1, -1, 1).repeat(c, 1, 1, 1), groups=c)
        return nhwc(F.conv2d(h, taps.view(1, 1, 1, -1).repeat(c, 1, 1, 1), groups=c)), {"taps": taps}

    for case, x, sigma, radius in [
        ("gaussian_blur", (2, 7, 6, 2), 1.0, 3),
        ("gaussian_blur_wide", (1, 5, 4, 1), 3.0, 9),
        ("gaussian_blur_narrow", (1, 3, 5, 3), 0.5, 2),
    ]:
        for border in ("zero", "replicate"):
            family.case(
                f"{case}_{border}",
                {"x": x},
                lambda x, a=(sigma, radius, border): blur(x, *a),
                {"sigma": sigma, "radius": radius, "border": border},
            )

    def warp(x, theta, size=None):
        height, width = size or x.shape[1:3]
        grid = F.affine_grid(theta, (x.shape[0], x.shape[3], height, width), align_corners=False)
        return nhwc(F.grid_sample(nchw(x), grid, mode="bilinear", padding_mode="zeros", align_corners=False))

    turn = np.deg2rad(20.0)
    rotation = [[np.cos(turn), -np.sin(turn), 0.1], [np.sin(turn), np.cos(turn), -0.2]]
    for case, x, thetas in [
        ("affine_rotation", (2, 6, 5, 2), [rotation, [[0.8, 0.0, 0.0], [0.0, 0.8, 0.0]]]),
        ("affine_zoom_out", (1, 5, 7, 1), [[[1.6, 0.0, 0.3], [0.0, 1.3, 0.0]]]),
        ("affine_flip", (1, 4, 5, 3), [[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]),
        ("affine_identity", (1, 3, 4, 1), [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]),
    ]:
        family.case(
            case,
            {"x": x, "theta": np.array(thetas)},
            warp,
            {"interpolation": "bilinear", "outside": "zero", "align_corners": False},
            constant=("theta",),
        )
    family.case(
        "affine_resized",
        {"x": (1, 6, 5, 2), "theta": np.array([rotation])},
        lambda x, theta: warp(x, theta, (4, 7)),
        {"size": [4, 7]},
        constant=("theta",),
    )
    family.write()


if __name__ == "__main__":
    for generate in (
        linear,
        conv2d,
        conv_transpose2d,
        batch_norm,
        instance_norm,
        spectral_norm,
        embedding,
        pooling,
        upsampling,
        rearranging,
        activations,
        blocks,
        images,
    ):
        generate()

"""Writes the golden vectors of whole networks: /usr/bin/python3 generate_networks.py, in this folder.

The roles are the dotted names of a checkpoint of nn/models, so a network built here from them alone shows that such a
checkpoint can be used elsewhere. Written from the papers and the headers of nn/models, in functional form."""

import numpy as np
import torch
import torch.nn.functional as F

from golden import Family, nchw, nhwc


def conv_of(name, inputs, outputs, kernel=3, bias=True, spectral=False):
    weight = name + (".weight_orig" if spectral else ".weight")
    return {weight: (outputs, kernel, kernel, inputs)} | ({name + ".bias": (outputs,)} if bias else {})


def linear_of(name, inputs, outputs, spectral=False):
    return {name + (".weight_orig" if spectral else ".weight"): (outputs, inputs), name + ".bias": (outputs,)}


def norm_of(name, *shape):
    return {name + ".weight": shape, name + ".bias": shape}


def weight_of(p, name):
    if name + ".weight" in p:
        return p[name + ".weight"]
    weight = p[name + ".weight_orig"]
    return weight / (p[name + ".weight_u"] @ weight.flatten(1) @ p[name + ".weight_v"])


def conv(h, p, name, stride=1, padding=1):
    return nhwc(F.conv2d(nchw(h), nchw(weight_of(p, name)), p.get(name + ".bias"), stride=stride, padding=padding))


def conv_transpose(h, p, name, stride=2, padding=1):
    return nhwc(F.conv_transpose2d(nchw(h), nchw(p[name + ".weight"]), p.get(name + ".bias"), stride=stride, padding=padding))


def linear(h, p, name):
    return F.linear(h, weight_of(p, name), p.get(name + ".bias"))


def batch_norm(h, p, name, eps, labels=None):
    gamma, beta = p[name + ".weight"], p[name + ".bias"]
    h = nhwc(F.batch_norm(nchw(h), None, None, None, None, True, 0.0, eps))
    if labels is not None:
        gamma, beta = gamma[labels][:, None, None, :], beta[labels][:, None, None, :]
    return h * gamma + beta


def instance_norm(h, p, name, eps):
    return nhwc(F.instance_norm(nchw(h), weight=p[name + ".weight"], bias=p[name + ".bias"], eps=eps))


def max_pool(h):
    return nhwc(F.max_pool2d(nchw(h), 2))


def avg_pool(h):
    return nhwc(F.avg_pool2d(nchw(h), 2))


def resize(h, size):
    return nhwc(F.interpolate(nchw(h), size, mode="nearest"))


def doubled(h):
    return resize(h, (2 * h.shape[1], 2 * h.shape[2]))


def unet_block_of(name, inputs, outputs):
    return norm_of(name + ".norm", inputs) | conv_of(name + ".conv", inputs, outputs)


def unet_block(h, p, name):
    return conv(F.relu(batch_norm(h, p, name + ".norm", 1e-3)), p, name + ".conv")


def unet_of(channels, widths, extra=0, heads=1, head_widths=()):
    p = unet_block_of("entry.0", channels, widths[0]) | unet_block_of("entry.1", widths[0], widths[0])
    for level in range(len(widths) - 1):
        fine, coarse = widths[level : level + 2]
        p |= unet_block_of(f"down.{level}.widen", fine, coarse)
        for i in range(3):
            p |= unet_block_of(f"down.{level}.residual.{i}", coarse, coarse)
        arriving = coarse if level + 2 == len(widths) else 2 * coarse
        p |= unet_block_of(f"up.{level}.0", arriving, fine) | unet_block_of(f"up.{level}.1", fine, fine)
    for i in range(extra):
        p |= unet_block_of(f"extra.{i}", 2 * widths[0], 2 * widths[0])
    for head in range(heads):
        inputs = 2 * widths[0]
        for i, width in enumerate(head_widths):
            p |= conv_of(f"heads.{head}.convs.{i}", inputs, width)
            inputs = width
        p |= conv_of(f"heads.{head}.output", inputs, channels, 1)
    return p


def unet(x, levels, extra=0, heads=1, convs=0, output=lambda h: h, **p):
    skips = [unet_block(unet_block(x, p, "entry.0"), p, "entry.1")]
    for level in range(levels):
        h = start = max_pool(unet_block(skips[-1], p, f"down.{level}.widen"))
        for i in range(3):
            h = unet_block(h, p, f"down.{level}.residual.{i}")
        skips.append(start + h)
    h = skips[-1]
    for level in reversed(range(levels)):
        h = unet_block(unet_block(h, p, f"up.{level}.0"), p, f"up.{level}.1")
        h = torch.cat([doubled(h), skips[level]], 3)
    for i in range(extra):
        h = unet_block(h, p, f"extra.{i}")
    outputs = []
    for head in range(heads):
        last = h
        for i in range(convs):
            last = conv(last, p, f"heads.{head}.convs.{i}")
        outputs.append(output(conv(last, p, f"heads.{head}.output", padding=0)))
    return torch.cat(outputs, 3)


def syce_discriminator(x, **p):
    h = x
    for level in range(2):
        h = conv(F.leaky_relu(h, 0.3) if level else h, p, f"levels.{level}.conv")
        h = conv(F.leaky_relu(h, 0.3), p, f"levels.{level}.down", stride=2)
    return linear(h.flatten(1), p, "logit")


def lenet(x, **p):
    h = F.relu(conv(F.relu(conv(x, p, "conv1", padding=0)), p, "conv2", padding=0))
    return linear(F.relu(linear(max_pool(h).flatten(1), p, "fc1")), p, "fc2")


def vae_embedding(x, **p):
    h, sizes = x, []
    for i in range(2):
        sizes.append(h.shape[1:3])
        h = F.relu(conv(h, p, f"encoder.{i}", stride=2))
    rest = h.shape[1:]
    h = h.mean((1, 2))
    mean, log_variance = linear(h, p, "mean"), linear(h, p, "log_variance")
    h = F.relu(linear(mean, p, "expand")).view(-1, *rest)
    h = F.relu(conv(resize(h, tuple(sizes[1])), p, "decoder.0"))
    image = torch.sigmoid(conv(resize(h, tuple(sizes[0])), p, "decoder.1"))
    logit = linear(F.relu(linear(mean, p, "classifier.0")), p, "classifier.1")
    return torch.cat([mean, log_variance, image.flatten(1), logit], 1)


def dcgan_generator(x, **p):
    h = conv_transpose(x[:, None, None, :], p, "layers.0.conv", stride=1, padding=0)
    h = F.relu(batch_norm(h, p, "layers.0.norm", 1e-5))
    h = F.relu(batch_norm(conv_transpose(h, p, "layers.1.conv"), p, "layers.1.norm", 1e-5))
    return torch.tanh(conv_transpose(h, p, "layers.2.conv"))


def dcgan_discriminator(x, **p):
    h = F.leaky_relu(conv(x, p, "layers.0.conv", stride=2), 0.2)
    h = F.leaky_relu(batch_norm(conv(h, p, "layers.1.conv", stride=2), p, "layers.1.norm", 1e-5), 0.2)
    return conv(h, p, "layers.2.conv", padding=0).flatten(1)


def pe_block_of(name, inputs, outputs, bins=None):
    table = () if bins is None else (bins,)
    return (
        norm_of(name + ".norm1", *table, inputs)
        | conv_of(name + ".conv1", inputs, outputs)
        | norm_of(name + ".norm2", *table, outputs)
        | conv_of(name + ".conv2", outputs, outputs)
        | conv_of(name + ".skip", inputs, outputs, 1)
    )


def pe_block(x, p, name, change, labels=None):
    h = change(F.relu(batch_norm(x, p, name + ".norm1", 1e-3, labels)))
    h = conv(F.relu(batch_norm(conv(h, p, name + ".conv1"), p, name + ".norm2", 1e-3, labels)), p, name + ".conv2")
    return h + conv(change(x), p, name + ".skip", padding=0)


def pe_explainer(x, labels, **p):
    """generator(encoder(x), labels), the parts under their own prefixes."""
    h = conv(F.relu(batch_norm(x, p, "encoder.norm", 1e-3)), p, "encoder.conv")
    for i in range(2):
        h = pe_block(h, p, f"encoder.blocks.{i}", avg_pool)
    for i in range(2):
        h = pe_block(h, p, f"generator.blocks.{i}", doubled, labels)
    return torch.tanh(conv(F.relu(batch_norm(h, p, "generator.norm", 1e-3)), p, "generator.conv"))


def pe_discriminator(x, labels, **p):
    h = x
    for i in range(3):
        change = avg_pool if i < 2 else (lambda h: h)
        inner = F.relu(conv(h if i == 0 else F.relu(h), p, f"blocks.{i}.conv1"))
        h = change(conv(inner, p, f"blocks.{i}.conv2")) + conv(change(h), p, f"blocks.{i}.skip", padding=0)
    phi = F.relu(h).sum((1, 2))
    thresholds = weight_of(p, "projection.thresholds")
    passed = (torch.arange(len(thresholds)) < labels[:, None]).to(phi)
    return linear(phi, p, "projection.psi") + ((phi @ thresholds.T) * passed).sum(1, keepdim=True)


def stargan_generator(x, labels, **p):
    def layer(h, name, how=conv, activation=F.relu, **geometry):
        return activation(instance_norm(how(h, p, name + ".conv", **geometry), p, name + ".norm", 1e-6))

    planes = F.one_hot(labels, 3).to(x)[:, None, None, :].expand(-1, *x.shape[1:3], -1)
    h = layer(torch.cat([x, planes], 3), "stem", padding=3)
    h = layer(layer(h, "down.0", stride=2), "down.1", stride=2)
    h = h + layer(layer(h, "blocks.0.0"), "blocks.0.1", activation=lambda h: h)
    h = layer(layer(h, "up.0", how=conv_transpose), "up.1", how=conv_transpose)
    return torch.tanh(conv(h, p, "output", padding=3))


def stargan_critic(x, **p):
    for i in range(2):
        x = F.leaky_relu(conv(x, p, f"layers.{i}", stride=2), 0.01)
    return conv(x, p, "output").mean((1, 2))


def pixelda_generator(x, z, **p):
    """The noise is a plane beside the image."""
    plane = F.relu(F.batch_norm(linear(z, p, "noise"), None, None, p["noise_norm.weight"], p["noise_norm.bias"], True, 0.0, 1e-3))
    h = F.relu(conv(torch.cat([x, plane.view(*x.shape[:3], 1)], 3), p, "stem"))
    inner = F.relu(batch_norm(conv(h, p, "blocks.0.0.conv"), p, "blocks.0.0.norm", 1e-3))
    h = h + batch_norm(conv(inner, p, "blocks.0.1.conv"), p, "blocks.0.1.norm", 1e-3)
    return torch.tanh(conv(h, p, "output", padding=0))


def pixelda_discriminator(x, **p):
    h = F.leaky_relu(conv(x, p, "layers.0.conv"), 0.2)
    for i in (1, 2):
        h = F.leaky_relu(batch_norm(conv(h, p, f"layers.{i}.conv", stride=2), p, f"layers.{i}.norm", 1e-3), 0.2)
    return linear(h.flatten(1), p, "logit")


def networks():
    family = Family("networks")

    def case(name, function, x, shapes, labels=None, **settings):
        random = family.random(name + ".data")
        p = {}
        for role, shape in shapes.items():
            # Variance 1 / fan-in keeps activations of size 1; norms start at 1.
            drawn = random.standard_normal(shape)
            if role.endswith(".bias") or len(shape) == 1 or ".norm" in role:
                p[role] = 0.3 * drawn + (1.0 if ".norm" in role and role.endswith(".weight") else 0.0)
            else:
                p[role] = drawn / np.sqrt(np.prod(shape[1:]))
        vectors = {}
        for role in [r for r in shapes if r.endswith(".weight_orig")]:
            matrix = p[role].reshape(len(p[role]), -1)
            v = matrix.T @ random.standard_normal(len(matrix))
            v /= np.linalg.norm(v)
            u = matrix @ v
            vectors[role[:-4] + "u"], vectors[role[:-4] + "v"] = u / np.linalg.norm(u), v
        leaves = {"x": x, **p, **vectors} | ({"labels": np.array(labels)} if labels is not None else {})
        family.case(name, leaves, lambda **leaves: function(**leaves, **settings), constant=tuple(vectors))

    case("unet", unet, (2, 8, 4, 1), unet_of(1, [2, 3, 4]), levels=2, output=lambda h: h.clamp(0.0, 1.0))
    case("unet_heads", unet, (2, 4, 6, 2), unet_of(2, [2, 3], 1, 2, [3]), levels=1, extra=1, heads=2, convs=1,
         output=torch.sigmoid)
    case("syce_discriminator", syce_discriminator, (3, 7, 6, 1),
         conv_of("levels.0.conv", 1, 2) | conv_of("levels.0.down", 2, 2) | conv_of("levels.1.conv", 2, 3)
         | conv_of("levels.1.down", 3, 3) | linear_of("logit", 2 * 2 * 3, 1))
    case("lenet", lenet, (2, 8, 7, 1),
         conv_of("conv1", 1, 2) | conv_of("conv2", 2, 3) | linear_of("fc1", 2 * 1 * 3, 4) | linear_of("fc2", 4, 3))
    case("vae_embedding", vae_embedding, (2, 7, 6, 1),
         conv_of("encoder.0", 1, 2) | conv_of("encoder.1", 2, 3) | linear_of("mean", 3, 4)
         | linear_of("log_variance", 3, 4) | linear_of("classifier.0", 4, 3) | linear_of("classifier.1", 3, 1)
         | linear_of("expand", 4, 2 * 2 * 3) | conv_of("decoder.0", 3, 2) | conv_of("decoder.1", 2, 1))

    def transposed(name, inputs, outputs, rows, columns):
        return {name + ".conv.weight": (inputs, rows, columns, outputs)}

    case("dcgan_generator", dcgan_generator, (3, 5),
         transposed("layers.0", 5, 4, 3, 4) | norm_of("layers.0.norm", 4) | transposed("layers.1", 4, 2, 4, 4)
         | norm_of("layers.1.norm", 2) | transposed("layers.2", 2, 1, 4, 4))
    case("dcgan_discriminator", dcgan_discriminator, (3, 12, 16, 1),
         conv_of("layers.0.conv", 1, 2, 4) | conv_of("layers.1.conv", 2, 4, 4, bias=False)
         | norm_of("layers.1.norm", 4) | {"layers.2.conv.weight": (1, 3, 4, 4), "layers.2.conv.bias": (1,)})
    case("pe_explainer", pe_explainer, (3, 8, 8, 1),
         norm_of("encoder.norm", 1) | conv_of("encoder.conv", 1, 2) | pe_block_of("encoder.blocks.0", 2, 3)
         | pe_block_of("encoder.blocks.1", 3, 4) | pe_block_of("generator.blocks.0", 4, 3, 4)
         | pe_block_of("generator.blocks.1", 3, 2, 4) | norm_of("generator.norm", 2) | conv_of("generator.conv", 2, 1),
         labels=[3, 0, 1])
    discriminator = {}
    for i, (inputs, outputs) in enumerate([(1, 2), (2, 3), (3, 4)]):
        for part, shape in [("conv1", (inputs, outputs)), ("conv2", (outputs, outputs)), ("skip", (inputs, outputs, 1))]:
            discriminator |= conv_of(f"blocks.{i}.{part}", *shape, spectral=True)
    case("pe_discriminator", pe_discriminator, (3, 8, 8, 1),
         discriminator | linear_of("projection.psi", 4, 1, spectral=True)
         | {"projection.thresholds.weight_orig": (3, 4)}, labels=[3, 0, 2])

    def normed(name, shape):
        return {name + ".conv.weight": shape} | norm_of(name + ".norm", shape[0])

    case("stargan_generator", stargan_generator, (2, 8, 4, 1),
         normed("stem", (2, 7, 7, 4)) | normed("down.0", (4, 4, 4, 2)) | normed("down.1", (8, 4, 4, 4))
         | normed("blocks.0.0", (8, 3, 3, 8)) | normed("blocks.0.1", (8, 3, 3, 8))
         | {"up.0.conv.weight": (8, 4, 4, 4)} | norm_of("up.0.norm", 4)
         | {"up.1.conv.weight": (4, 4, 4, 2)} | norm_of("up.1.norm", 2)
         | conv_of("output", 2, 1, 7, bias=False), labels=[2, 0])
    case("stargan_critic", stargan_critic, (2, 13, 12, 1),
         conv_of("layers.0", 1, 2, 4) | conv_of("layers.1", 2, 4, 4) | conv_of("output", 4, 1, bias=False))
    case("pixelda_generator", pixelda_generator, (3, 4, 6, 1),
         {"z": (3, 2), "noise.weight": (24, 2)} | norm_of("noise_norm", 24) | conv_of("stem", 2, 3)
         | normed("blocks.0.0", (3, 3, 3, 3)) | normed("blocks.0.1", (3, 3, 3, 3)) | conv_of("output", 3, 1, 1))
    case("pixelda_discriminator", pixelda_discriminator, (3, 8, 6, 1),
         conv_of("layers.0.conv", 1, 2) | normed("layers.1", (4, 3, 3, 2)) | normed("layers.2", (8, 3, 3, 4))
         | linear_of("logit", 2 * 2 * 8, 1))
    family.write()


if __name__ == "__main__":
    networks()

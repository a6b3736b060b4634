"""Writes the golden vectors of rule-based attributions, as Captum computes them: python3
generate_attributions_rules.py, in this folder.

Each case is a network of modules that are called once, without functional layers, residual adds or overlapping pools:
where Captum can be followed. It is not followed in these:

- DeepLift through overlapping max-pool windows: max_unpool2d keeps one window's contribution for each input and loses
  the others; and an input that does not differ gets the gradient of the batch's first image.
- DeepLift through softmax: the rule subtracts a mean over the whole batch, so that an image's attribution depends on
  which others are there. Cases attribute logits.
- DeepLift through an activation right before a max-pool or another activation: the hooks of both sit on one tensor, and
  the attributions do not sum to the difference of the outputs. Cases have a linear layer in between.
- DeepLift of modules that are called twice, and of functional activations, which it does not see.
- LRP through max-pools scales what the winner takes by z / (z + epsilon); here the winner takes all. The case with a
  large epsilon has no max-pool.
"""

import torch
from captum.attr import LRP, DeepLift, DeepLiftShap, LayerAttribution, LayerGradCam
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import nn

from golden import Family, nchw, nhwc


class Nhwc(nn.Module):
    """To the order of features that Counterfoil flattens in."""

    def forward(self, x):
        return nhwc(x)


class Unchanged(EpsilonRule):
    """A rearrangement passes relevance on as it is, zeros included."""

    def _create_backward_hook_input(self, inputs):
        def hook(grad):
            grad.replace_out = grad
            return grad

        return hook

    def _create_backward_hook_output(self, outputs):
        return lambda grad: grad


def plain():
    """conv - ReLU - conv - max-pool - conv - ELU - average pool - linear - tanh - linear"""
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 4, 1), nn.MaxPool2d(2), nn.Conv2d(4, 3, 3),
        nn.ELU(alpha=0.7), nn.AvgPool2d(2), Nhwc(), nn.Flatten(), nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 3))


def normed():
    """conv, stride 2 - batch norm - leaky ReLU - conv - sigmoid - conv - max-pool - linear - softplus - linear"""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.LeakyReLU(0.2), nn.Conv2d(4, 3, 2), nn.Sigmoid(),
        nn.Conv2d(3, 3, 1), nn.MaxPool2d(2), Nhwc(), nn.Flatten(), nn.Linear(3, 4), nn.Softplus(), nn.Linear(4, 2))


def rectified():
    """conv - ReLU - average pool - batch norm - conv - tanh - linear - ReLU - linear"""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.BatchNorm2d(4), nn.Conv2d(4, 3, 2), nn.Tanh(), Nhwc(),
        nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 3))


def pooled():
    """conv - ReLU - max-pool - conv - ReLU - linear"""
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 4, 2), nn.ReLU(), Nhwc(), nn.Flatten(),
        nn.Linear(16, 3))


def build(family, case, make, image, images=3, baselines=2):
    """The network with drawn parameters, images, and baselines that are the same for all images."""
    random = family.random(case)
    net = make().eval()
    draw = lambda shape, scale=1.0: torch.tensor(scale * random.standard_normal(shape))
    for i, module in enumerate(net):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight.data = draw(module.weight.shape, 1.5 * module.weight[0].numel() ** -0.5)
            module.bias.data = draw(module.bias.shape, 0.3)
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data = 1 + draw(module.weight.shape, 0.2)
            module.bias.data = draw(module.bias.shape, 0.3)
            module.running_mean = draw(module.bias.shape, 0.3)
            module.running_var = 0.5 + torch.tensor(random.random(tuple(module.bias.shape)))
        for name, value in [*module.named_parameters(), *module.named_buffers()]:
            if value.dim() > 0:
                family.store(case, f"{i}.{name}", nhwc(value) if value.dim() == 4 else value)
    x = draw((images, *image))
    x0 = draw((baselines, *image))
    classes = torch.tensor(random.integers(0, net[-1].out_features, images))
    for role, value in {"x": x, "baselines": x0, "classes": classes}.items():
        family.store(case, role, value)
    family.store(case, "y", net(nchw(x)))
    return net, nchw(x), nchw(x0), classes


def deeplift(family, case, make, image):
    net, x, x0, classes = build(family, case, make, image)
    family.describe(case, {"layers": make.__doc__, "method": "deeplift"})
    first = x0[:1].expand_as(x)
    values, gap = DeepLift(net).attribute(x, first, target=classes, return_convergence_delta=True)
    if gap.abs().max() > 1e-13:
        raise SystemExit(f"{case}: Captum's attributions are not complete: {gap}")
    family.store(case, "deep_lift", nhwc(values))
    family.store(case, "deep_shap", nhwc(DeepLiftShap(net).attribute(x, x0, target=classes)))


def lrp(family, case, make, image, epsilon):
    net, x, _, classes = build(family, case, make, image)
    family.describe(case, {"layers": make.__doc__, "method": "lrp", "epsilon": epsilon})

    for module in net:
        if isinstance(module, (nn.Conv2d, nn.Linear, nn.AvgPool2d, nn.MaxPool2d, nn.BatchNorm2d)):
            module.rule = EpsilonRule(epsilon)
        if isinstance(module, (Nhwc, nn.Flatten)):
            module.rule = Unchanged()
    family.store(case, "lrp", nhwc(LRP(net).attribute(x, target=classes)))


def grad_cam(family, case, make, image, layer):
    net, x, _, classes = build(family, case, make, image)
    family.describe(case, {"layers": make.__doc__, "method": "grad_cam"})
    for role, relu in (("map", True), ("signed_map", False)):
        cam = LayerGradCam(net, net[layer]).attribute(x, target=classes, relu_attributions=relu)
        family.store(case, role, nhwc(LayerAttribution.interpolate(cam, tuple(x.shape[2:]), "bilinear")))


def main():
    family = Family("attributions_rules")
    deeplift(family, "deeplift_plain", plain, (8, 8, 2))
    deeplift(family, "deeplift_normed", normed, (8, 8, 1))
    lrp(family, "lrp_large_epsilon", rectified, (8, 8, 2), 0.25)
    lrp(family, "lrp_pooled", pooled, (8, 8, 1), 1e-9)
    grad_cam(family, "grad_cam_rectified", rectified, (9, 8, 2), 5)
    family.write()


if __name__ == "__main__":
    main()

"""Writes the golden vectors of the gradient-based attributions: python3 generate_attributions_gradients.py, in this
folder, where PyTorch and captum are installed."""

import numpy as np
import torch
from captum.attr import GuidedBackprop, InputXGradient, IntegratedGradients, Saliency
from torch import nn

from golden import Family, nchw

IMAGES, SIDE, CHANNELS, CLASSES = 3, 8, 2, 4
STEPS = 16  # a power of two: captum rounds the weights of its rules to float32


class Net(nn.Module):
    """conv1 - norm - ReLU - max-pool - conv2 - ReLU - max-pool - fc1 - ReLU - fc2, of NHWC images."""

    def __init__(self):
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(CHANNELS, 4, 3, padding=1), nn.BatchNorm2d(4, eps=1e-3)
        self.conv2, self.pool = nn.Conv2d(4, 5, 3), nn.MaxPool2d(2)
        self.fc1, self.fc2 = nn.Linear(5, 6), nn.Linear(6, CLASSES)
        self.relu1, self.relu2, self.relu3 = nn.ReLU(), nn.ReLU(), nn.ReLU()

    def forward(self, x):
        h = self.pool(self.relu1(self.norm(self.conv1(nchw(x)))))  # 4x4
        h = self.pool(self.relu2(self.conv2(h)))  # 1x1
        return self.fc2(self.relu3(self.fc1(h.flatten(1))))


class Score(nn.Module):
    """S_c, or S_c - S_c', of each image: [N]. As many rows as a multiple of the images', image by image or step by step
    as captum repeats them: the classes come along as arguments."""

    def __init__(self, net, probabilities):
        super().__init__()
        self.net, self.probabilities = net, probabilities

    def forward(self, x, classes, against):
        s = self.net(x)
        s = torch.softmax(s, 1) if self.probabilities else s
        s_against = torch.gather(s, 1, against.clamp(min=0)[:, None])[:, 0]
        return torch.gather(s, 1, classes[:, None])[:, 0] - torch.where(against < 0, 0.0, s_against)


def make_net(random):
    net = Net().eval()
    state = {}
    for name, value in net.state_dict().items():
        shape = tuple(value.shape)
        if name == "norm.running_var" or name == "norm.weight":
            state[name] = torch.tensor(random.uniform(0.5, 1.5, shape))
        elif len(shape) == 0:
            state[name] = value
        else:
            fan = np.prod(shape[1:]) if len(shape) > 1 else 10
            state[name] = torch.tensor(random.standard_normal(shape) * np.sqrt(2 / fan))
    net.load_state_dict(state)
    return net


def attributions_gradients():
    family = Family("attributions_gradients")
    random = family.random("net")
    net = make_net(random)
    x = torch.tensor(random.uniform(0, 1, (IMAGES, SIDE, SIDE, CHANNELS)))
    baseline = torch.tensor(random.uniform(0, 1, (IMAGES, SIDE, SIDE, CHANNELS)))
    family.describe("net", {"images": IMAGES, "classes": CLASSES})
    for name, value in net.state_dict().items():
        if value.dim() > 0:
            family.store("net", name, value.permute(0, 2, 3, 1) if value.dim() == 4 else value)
    family.store("net", "x", x)
    family.store("net", "baseline", baseline)

    for case, probabilities, classes, against in [
        ("logits", False, [0, 3, 2], None),
        ("logits_against", False, [1, 2, 0], [0, 3, 2]),
        ("probabilities_against", True, [1, 2, 0], [3, 0, 1]),
    ]:
        score = Score(net, probabilities).eval()
        c = torch.tensor(classes)
        c_against = torch.full((IMAGES,), -1) if against is None else torch.tensor(against)
        extra = (c, c_against)
        family.describe(case, {"probabilities": probabilities, "steps": STEPS})
        family.store(case, "classes", c)
        if against is not None:
            family.store(case, "against", c_against)
        family.store(case, "saliency", Saliency(score).attribute(x, additional_forward_args=extra))
        family.store(case, "gradient_times_input", InputXGradient(score).attribute(x, additional_forward_args=extra))
        family.store(case, "guided", GuidedBackprop(score).attribute(x, additional_forward_args=extra))
        for rule, method in [
            ("right_riemann", "riemann_right"),
            ("midpoint", "riemann_middle"),
            ("gauss_legendre", "gausslegendre"),
        ]:
            values, gap = IntegratedGradients(score).attribute(
                x,
                baseline,
                additional_forward_args=extra,
                n_steps=STEPS,
                method=method,
                return_convergence_delta=True,
            )
            family.store(case, rule, values)
            family.store(case, rule + "_gap", gap)
    family.write()


if __name__ == "__main__":
    attributions_gradients()

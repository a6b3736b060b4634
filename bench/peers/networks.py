"""The networks of README.md in PyTorch. Images are N x C x H x W here; the layers are the same."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm


class LeNet(nn.Sequential):
    """28x28x1 to one logit."""

    def __init__(self, channels=1, outputs=1):
        super().__init__(
            nn.Conv2d(channels, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
            nn.Flatten(),
            nn.Linear(12 * 12 * 64, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, outputs),
        )


class Block(nn.Sequential):
    """BN - ReLU - conv 3x3 - dropout."""

    def __init__(self, inputs, outputs):
        super().__init__(
            nn.BatchNorm2d(inputs, eps=1e-3, momentum=0.01),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.Dropout(0.2),
        )


class UNet(nn.Module):
    """SyCE's digits generator."""

    def __init__(self, channels=1, widths=(16, 32, 64)):
        super().__init__()
        a, b, c = widths
        self.level0 = nn.Sequential(Block(channels, a), Block(a, a))
        self.down1, self.residual1 = Block(a, b), nn.Sequential(*[Block(b, b) for _ in range(3)])
        self.down2, self.residual2 = Block(b, c), nn.Sequential(*[Block(c, c) for _ in range(3)])
        self.up1 = nn.Sequential(Block(c, b), Block(b, b))
        self.up0 = nn.Sequential(Block(2 * b, a), Block(a, a))
        self.output = nn.Conv2d(2 * a, channels, 1)

    def forward(self, x):
        skip0 = self.level0(x)
        h = F.max_pool2d(self.down1(skip0), 2)
        skip1 = h + self.residual1(h)
        h = F.max_pool2d(self.down2(skip1), 2)
        h = h + self.residual2(h)
        h = torch.cat([F.interpolate(self.up1(h), scale_factor=2.0), skip1], 1)
        h = torch.cat([F.interpolate(self.up0(h), scale_factor=2.0), skip0], 1)
        return self.output(h).clamp(0, 1)


class SyceDiscriminator(nn.Sequential):
    def __init__(self, channels=1, widths=(32, 64, 96), size=28):
        layers = []
        for width in widths:
            if layers:
                layers.append(nn.LeakyReLU(0.3))
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(0.3), nn.Conv2d(width, width, 3, 2, 1)]
            channels, size = width, (size + 1) // 2
        super().__init__(*layers, nn.Flatten(), nn.Linear(size * size * channels, 1))


class Norm(nn.Module):
    """Batch norm; with bins, its gamma and beta come from tables with a row per bin."""

    def __init__(self, channels, bins=0):
        super().__init__()
        self.bins = bins
        self.norm = nn.BatchNorm2d(channels, eps=1e-3, affine=not bins)
        if bins:
            self.gamma, self.beta = nn.Embedding(bins, channels), nn.Embedding(bins, channels)
            nn.init.ones_(self.gamma.weight)
            nn.init.zeros_(self.beta.weight)

    def forward(self, x, labels):
        h = self.norm(x)
        return h * self.gamma(labels)[:, :, None, None] + self.beta(labels)[:, :, None, None] if self.bins else h


class ResidualBlock(nn.Module):
    """BN - ReLU - resize - conv3 - BN - ReLU - conv3, plus resize - 1x1."""

    def __init__(self, inputs, outputs, up, bins=0):
        super().__init__()
        self.up = up
        self.norm1, self.norm2 = Norm(inputs, bins), Norm(outputs, bins)
        self.conv1, self.conv2 = nn.Conv2d(inputs, outputs, 3, padding=1), nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def resize(self, x):
        return F.interpolate(x, scale_factor=2.0) if self.up else F.avg_pool2d(x, 2)

    def forward(self, x, labels):
        h = self.conv1(self.resize(F.relu(self.norm1(x, labels))))
        h = self.conv2(F.relu(self.norm2(h, labels)))
        return h + self.skip(self.resize(x))


PE_WIDTHS = (32, 64, 128, 256, 512)


class PeGenerator(nn.Module):
    """Progressive Exaggeration's encoder and conditional decoder for 64x64."""

    def __init__(self, channels=3, widths=PE_WIDTHS, bins=10):
        super().__init__()
        pairs = list(zip(widths, widths[1:]))
        self.first_norm = nn.BatchNorm2d(channels, eps=1e-3)
        self.first = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(ResidualBlock(fine, coarse, up=False) for fine, coarse in pairs)
        self.up = nn.ModuleList(ResidualBlock(coarse, fine, up=True, bins=bins) for fine, coarse in reversed(pairs))
        self.last_norm = nn.BatchNorm2d(widths[0], eps=1e-3)
        self.last = nn.Conv2d(widths[0], channels, 3, padding=1)

    def forward(self, x, labels):
        h = self.first(F.relu(self.first_norm(x)))
        for block in [*self.down, *self.up]:
            h = block(h, labels)
        return torch.tanh(self.last(F.relu(self.last_norm(h))))


class SpectralBlock(nn.Module):
    """ReLU - conv3 - ReLU - conv3 - average, plus 1x1 - average; the first leaves out its leading ReLU."""

    def __init__(self, inputs, outputs, down=True, first=False):
        super().__init__()
        self.down, self.first = down, first
        self.conv1 = spectral_norm(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.conv2 = spectral_norm(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.skip = spectral_norm(nn.Conv2d(inputs, outputs, 1))

    def forward(self, x):
        h = self.conv2(F.relu(self.conv1(x if self.first else F.relu(x))))
        if not self.down:
            return h + self.skip(x)
        s = self.skip(F.avg_pool2d(x, 2)) if self.first else F.avg_pool2d(self.skip(x), 2)
        return F.avg_pool2d(h, 2) + s


class PeDiscriminator(nn.Module):
    def __init__(self, channels=3, widths=PE_WIDTHS, bins=10):
        super().__init__()
        pairs = zip((channels, *widths), widths)
        self.blocks = nn.Sequential(*[SpectralBlock(i, o, down=o != widths[-1], first=i == channels) for i, o in pairs])
        self.psi = spectral_norm(nn.Linear(widths[-1], 1))
        self.thresholds = spectral_norm(nn.Linear(widths[-1], bins - 1, bias=False))
        self.register_buffer("ranks", torch.arange(bins - 1), persistent=False)

    def forward(self, x, labels):
        phi = F.relu(self.blocks(x)).sum((2, 3))
        passed = (self.ranks < labels[:, None]).to(phi.dtype)
        return self.psi(phi) + (self.thresholds(phi) * passed).sum(1, keepdim=True)


class DcganTrunk(nn.Sequential):
    """The class-specific part of ExplainGAN's encoders and discriminators: 28x28x1 to 7x7x128."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 64, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 4, 2, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2),
        )


class WithSharedEnd(nn.Module):
    """Two trunks, one per class, and one linear layer for both."""

    def __init__(self, outputs):
        super().__init__()
        self.trunks = nn.ModuleList([DcganTrunk(), DcganTrunk()])
        self.end = nn.Linear(7 * 7 * 128, outputs)

    def forward(self, x, which: int):
        return self.end(self.trunks[which](x).flatten(1))


class ExplainGanDecoder(nn.Module):
    """A code of 128 to 28x28x3 in [0, 1]: channels are G0, G1 and the mask."""

    def __init__(self, code=128):
        super().__init__()
        self.first = nn.Linear(code, 7 * 7 * 128, bias=False)
        self.rest = nn.Sequential(
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, z):
        return self.rest(self.first(z).view(-1, 128, 7, 7))


def normed(conv, outputs):
    return [conv, nn.InstanceNorm2d(outputs, eps=1e-6, affine=True), nn.ReLU()]


class StarGanResidual(nn.Module):
    def __init__(self, width):
        super().__init__()
        conv = lambda: nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.body = nn.Sequential(*normed(conv(), width), *normed(conv(), width)[:-1])

    def forward(self, x):
        return x + self.body(x)


class StarGanGenerator(nn.Module):
    def __init__(self, channels, classes=10):
        super().__init__()
        self.classes = classes
        self.body = nn.Sequential(
            *normed(nn.Conv2d(channels + classes, 64, 7, 1, 3, bias=False), 64),
            *normed(nn.Conv2d(64, 128, 4, 2, 1, bias=False), 128),
            *normed(nn.Conv2d(128, 256, 4, 2, 1, bias=False), 256),
            *[StarGanResidual(256) for _ in range(6)],
            *normed(nn.ConvTranspose2d(256, 128, 4, 2, 1, bias=False), 128),
            *normed(nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), 64),
            nn.Conv2d(64, channels, 7, 1, 3, bias=False),
            nn.Tanh(),
        )

    def forward(self, x, labels):
        planes = F.one_hot(labels, self.classes).to(x.dtype)[:, :, None, None]
        return self.body(torch.cat([x, planes.expand(-1, -1, x.shape[2], x.shape[3])], 1))


class StarGanCritic(nn.Sequential):
    def __init__(self, channels, size):
        layers, width = [], 64
        while len(layers) < 12 and size // 2 >= 3:
            layers += [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.01)]
            channels, width, size = width, 2 * width, size // 2
        super().__init__(
            *layers, nn.Conv2d(channels, 1, 3, padding=1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )


class GanmexClassifier(nn.Sequential):
    def __init__(self, channels, size, outputs=10):
        super().__init__(
            nn.Conv2d(channels, 32, 6, 2),
            nn.ReLU(),
            nn.Conv2d(32, 64, 6, 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(((size - 4) // 2 // 2 - 2) ** 2 * 64, 256),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(256, outputs),
        )


class DcganGenerator(nn.Sequential):
    """CDeepEx: a code to 64x64x1 in (-1, 1)."""

    def __init__(self, code=100):
        widths = [code, 512, 256, 128, 64]
        layers = []
        for i, o in zip(widths, widths[1:]):
            stride, padding = (1, 0) if i == code else (2, 1)
            layers += [nn.ConvTranspose2d(i, o, 4, stride, padding, bias=False), nn.BatchNorm2d(o), nn.ReLU()]
        super().__init__(*layers, nn.ConvTranspose2d(64, 1, 4, 2, 1, bias=False), nn.Tanh())


class CDeepExClassifier(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 10, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(10, 20, 5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Dropout2d(0.5),
            nn.Flatten(),
            nn.Linear(3380, 50),
            nn.Linear(50, 10),
        )


NETWORKS = {
    "LeNet": LeNet,
    "SyCE U-Net": UNet,
    "SyCE discriminator": SyceDiscriminator,
    "PE generator": PeGenerator,
    "PE discriminator": PeDiscriminator,
    "PE classifier": lambda: GanmexClassifier(3, 64, outputs=1),
    "ExplainGAN encoders": lambda: WithSharedEnd(128),
    "ExplainGAN discriminators": lambda: WithSharedEnd(1),
    "ExplainGAN decoder": ExplainGanDecoder,
    "GANMEX generator 28x28x1": lambda: StarGanGenerator(1),
    "GANMEX generator 32x32x3": lambda: StarGanGenerator(3),
    "GANMEX critic 28x28x1": lambda: StarGanCritic(1, 28),
    "GANMEX critic 32x32x3": lambda: StarGanCritic(3, 32),
    "GANMEX classifier 28x28x1": lambda: GanmexClassifier(1, 28),
    "GANMEX classifier 32x32x3": lambda: GanmexClassifier(3, 32),
    "CDeepEx generator": DcganGenerator,
    "CDeepEx classifier": CDeepExClassifier,
}


def parameter_counts():
    return {name: sum(p.numel() for p in make().parameters() if p.requires_grad) for name, make in NETWORKS.items()}

"""The training steps of README.md in PyTorch: each class holds its networks and one batch, and step() is one update."""

from contextlib import contextmanager

import torch
import torch.nn.functional as F

import networks as net

FORMS = ("eager", "channels_last", "compile")


class Form:
    """How a network is run: plainly, in channels-last memory, or compiled (which is also channels-last, with fused
    optimisers: the fastest form this version offers)."""

    def __init__(self, name):
        if name not in FORMS:
            raise SystemExit(f"form: one of {', '.join(FORMS)}, found {name}")
        if name == "compile" and not hasattr(torch, "compile"):
            raise SystemExit(f"form: PyTorch {torch.__version__} has no torch.compile")
        if name == "compile":  # one variant per network and gradient mode: more than the default of 8 in all
            torch._dynamo.config.recompile_limit = 64
        self.name = name

    def image(self, *shape):
        x = torch.rand(shape)
        return x if self.name == "eager" else x.contiguous(memory_format=torch.channels_last)

    def network(self, module, trained=True):
        """(module, callable): the callable is what a step uses, the module what holds the parameters."""
        module.train(trained).requires_grad_(trained)
        if self.name != "eager":
            module = module.to(memory_format=torch.channels_last)
        return module, torch.compile(module, dynamic=False) if self.name == "compile" else module

    def adam(self, rate, betas, *modules):
        parameters = [p for m in modules for p in m.parameters()]
        options = {"fused": True} if self.name == "compile" else {}
        return torch.optim.Adam(parameters, lr=rate, betas=betas, **options)


def bce(logits, target):
    if not isinstance(target, torch.Tensor):
        target = torch.full_like(logits, target)
    return F.binary_cross_entropy_with_logits(logits, target)


def update(optimiser, loss):
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


@contextmanager
def frozen(module):
    """A critic inside a generator's loss: no gradients of its weights are computed."""
    module.requires_grad_(False)
    yield
    module.requires_grad_(True)


def gradient_penalty(critic, real, fake):
    """mean (|gradient| - 1)^2 at random points between real and fake. Second order: the critic is never compiled here,
    torch.compile does not differentiate twice."""
    u = torch.rand(real.shape[0], 1, 1, 1)
    at = (real + u * (fake - real)).requires_grad_()
    (g,) = torch.autograd.grad(critic(at).sum(), at, create_graph=True)
    return ((g.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1).square().mean()


class Lenet:
    def __init__(self, form):
        self.f_module, self.f = form.network(net.LeNet())
        self.adam = form.adam(1e-4, (0.9, 0.999), self.f_module)
        self.x, self.y = form.image(128, 1, 28, 28), torch.randint(0, 2, (128, 1)).float()

    def step(self):
        update(self.adam, bce(self.f(self.x), self.y))


class Syce:
    symmetric = True

    def __init__(self, form):
        _, self.f = form.network(net.LeNet(), trained=False)
        (m0, g0), (m1, g1) = form.network(net.UNet()), form.network(net.UNet())
        self.g = (g0, g1)
        self.d_modules, self.d = zip(*(form.network(net.SyceDiscriminator()) for _ in range(2)))
        self.g_adam = form.adam(1e-4, (0.9, 0.999), m0, m1)
        self.d_adam = [form.adam(2e-4, (0.9, 0.999), d) for d in self.d_modules]
        self.x = (form.image(64, 1, 28, 28), form.image(64, 1, 28, 28))

    @staticmethod
    def distance(a, b):
        return (F.l1_loss(a, b) + F.mse_loss(a, b)) / 2

    def generator_loss(self, x, own, other, critic):
        with torch.no_grad():
            c = (self.f(x) > 0).float()
        adversarial = own(x)
        cycle = other(adversarial)
        loss = (
            0.2 * bce(self.f(adversarial), 1 - c) + 0.005 * bce(self.f(cycle), c) + 0.25 * bce(critic(adversarial), 1.0)
        )
        if not self.symmetric:
            return loss + 10 * self.distance(x, cycle)
        stable = own(adversarial)
        loss = loss + 10 * self.distance(x, stable) + 2 * self.distance(x, cycle)
        return loss + 0.01 * bce(self.f(stable), c)

    def step(self):
        (x0, x1), (g0, g1), (d0, d1) = self.x, self.g, self.d
        with frozen(self.d_modules[1]):
            loss = self.generator_loss(x0, g0, g1, d1)
        update(self.g_adam, loss)
        with frozen(self.d_modules[0]):
            loss = self.generator_loss(x1, g1, g0, d0)
        update(self.g_adam, loss)
        for i, real, generator, source in ((0, x0, g1, x1), (1, x1, g0, x0)):
            with torch.no_grad():
                fake = generator(source)
            loss = bce(self.d[i](real), 1.0) + bce(self.d[i](fake), 0.0)
            update(self.d_adam[i], loss + gradient_penalty(self.d_modules[i], real, fake))


class Cyce(Syce):
    symmetric = False


class ProgressiveExaggeration:
    """One discriminator and one generator update; 64x64x3, 10 bins."""

    batch, bins = 16, 10

    def __init__(self, form):
        g, self.g = form.network(net.PeGenerator())
        self.d_module, self.d = form.network(net.PeDiscriminator())
        _, self.f = form.network(net.GanmexClassifier(3, 64, outputs=1), trained=False)
        self.g_adam, self.d_adam = form.adam(2e-4, (0.0, 0.9), g), form.adam(2e-4, (0.0, 0.9), self.d_module)
        self.x = form.image(self.batch, 3, 64, 64).mul_(2).sub_(1)
        self.target = torch.randint(0, self.bins, (self.batch,))

    def divergence(self, logits):
        """KL of Bernoulli(p), p the middle of the asked bin, from Bernoulli(f): the cross entropy less the entropy."""
        p = (self.target[:, None] + 0.5) / self.bins
        entropy = -(p * p.log() + (1 - p) * (1 - p).log()).mean()
        return F.binary_cross_entropy_with_logits(logits, p) - entropy

    def step(self):
        with torch.no_grad():
            probability = torch.sigmoid(self.f((self.x + 1) / 2))[:, 0]
            own = (self.bins * probability).long().clamp(0, self.bins - 1)
            fake = self.g(self.x, self.target)
        # One pass over both halves: compiled, a second pass would overwrite the power iteration's vectors of the first.
        both = self.d(torch.cat([self.x, fake]), torch.cat([own, self.target]))
        update(self.d_adam, F.relu(1 - both[: self.batch]).mean() + F.relu(1 + both[self.batch :]).mean())

        fake = self.g(self.x, self.target)
        same, cycle = self.g(self.x, own), self.g(fake, own)
        with frozen(self.d_module.eval()):  # no power iteration: its vectors follow the weights' updates alone
            loss = self.divergence(self.f((fake + 1) / 2)) - self.d(fake, self.target).mean()
        self.d_module.train()
        update(self.g_adam, loss + 100 * F.l1_loss(same, self.x) + 100 * F.l1_loss(cycle, self.x))


class ExplainGan:
    def __init__(self, form):
        e, self.e = form.network(net.WithSharedEnd(128))
        g, self.g = form.network(net.ExplainGanDecoder())
        self.d_module, self.d = form.network(net.WithSharedEnd(1))
        _, self.f = form.network(net.LeNet(), trained=False)
        self.g_adam, self.d_adam = form.adam(1e-4, (0.5, 0.999), e, g), form.adam(1e-4, (0.5, 0.999), self.d_module)
        self.x = (form.image(64, 1, 28, 28), form.image(64, 1, 28, 28))

    def generate(self, j):
        """Reconstruction, transformation, composite and mask of x_j."""
        heads = self.g(self.e(self.x[j], j))
        own, other, mask = heads[:, j : j + 1], heads[:, 1 - j : 2 - j], heads[:, 2:3]
        return own, other, self.x[j] * (1 - mask) + other * mask, mask

    def step(self):
        with torch.no_grad():
            made = [self.generate(j) for j in (0, 1)]
        loss = 0
        for j in (0, 1):
            fakes = (made[j][0], made[1 - j][1], made[1 - j][2])
            loss = loss + bce(self.d(self.x[j], j), 1.0) + sum(bce(self.d(fake, j), 0.0) for fake in fakes)
        update(self.d_adam, loss)

        made, loss = [self.generate(j) for j in (0, 1)], 0
        for j in (0, 1):
            own, other, composite, mask = made[j]
            x, fakes = self.x[j], (made[j][0], made[1 - j][1], made[1 - j][2])
            with frozen(self.d_module):
                loss = loss + 0.07 * sum(bce(self.d(fake, j), 1.0) for fake in fakes)
            loss = loss + 1.25 * bce(self.f(composite), float(1 - j))
            loss = loss + 0.0005 * (own - x).square().sum((1, 2, 3)).mean()
            loss = loss + 0.025 * ((1 - mask) * (x - other)).square().sum((1, 2, 3)).mean()
            loss = loss + 10 * mask.mean((1, 2, 3)).clamp(min=0.1).mean()
            variation = (mask[:, :, 1:] - mask[:, :, :-1]).abs().mean() + (mask[..., 1:] - mask[..., :-1]).abs().mean()
            loss = loss + 0.05 * variation + 0.15 * torch.minimum(mask, 1 - mask).mean()
        update(self.g_adam, loss)


class Ganmex:
    """One critic and one generator update, WGAN-GP form; images in [-1, 1]."""

    batch = 16

    def __init__(self, form, channels, size):
        g, self.g = form.network(net.StarGanGenerator(channels))
        self.d_module, self.d = form.network(net.StarGanCritic(channels, size))
        _, self.f = form.network(net.GanmexClassifier(channels, size), trained=False)
        self.g_adam, self.d_adam = form.adam(2e-5, (0.9, 0.999), g), form.adam(1e-4, (0.9, 0.999), self.d_module)
        self.x = form.image(self.batch, channels, size, size).mul_(2).sub_(1)
        self.target = torch.randint(0, 10, (self.batch,))

    def step(self):
        with torch.no_grad():
            own = self.f((self.x + 1) / 2).argmax(1)
            fake = self.g(self.x, self.target)
        loss = self.d(fake).mean() - self.d(self.x).mean()
        update(self.d_adam, loss + 10 * gradient_penalty(self.d_module, self.x, fake))

        fake = self.g(self.x, self.target)
        with frozen(self.d_module):
            loss = F.cross_entropy(self.f((fake + 1) / 2), self.target) - self.d(fake).mean()
        loss = loss + 10 * F.l1_loss(self.g(fake, own), self.x) + 10 * F.l1_loss(fake, self.x)
        update(self.g_adam, loss)


class CDeepEx:
    """The explanation of one image from 16 starts: 5 steps of procedure 2, then a round of 5 of eq. 2 by the augmented
    Lagrangian, and the pictures of the best start."""

    starts, steps, classes = 16, 5, 10

    def __init__(self, form):
        _, self.g = form.network(net.DcganGenerator(), trained=False)
        _, self.f = form.network(net.CDeepExClassifier(), trained=False)
        self.x = form.image(1, 1, 64, 64)
        self.adam_options = {"fused": True} if form.name == "compile" else {}

    def generate(self, z):
        return (self.g(z) + 1) / 2

    def descend(self, start, rate, loss):
        z = start.clone().requires_grad_()
        adam = torch.optim.Adam([z], lr=rate, **self.adam_options)
        for _ in range(self.steps):
            update(adam, loss(z).sum())
        return z.detach()

    def step(self):
        with torch.no_grad():
            order = self.f(self.x)[0].argsort(descending=True)
        own, probe = F.one_hot(order[:2], self.classes).float()
        third = 1 - own - probe
        squared = lambda a, b: (a - b).flatten(1).square().sum(1)

        def misfit(z):
            drawn = self.generate(z)
            return squared(drawn, self.x) - (F.log_softmax(self.f(drawn), 1) * own).sum(1)

        z0 = self.descend(torch.randn(self.starts, 100, 1, 1), 0.1, misfit)
        with torch.no_grad():
            residual = self.generate(z0) - self.x
        multiplier, c = torch.zeros(self.starts), torch.ones(self.starts, 1)
        multipliers = torch.zeros(self.starts, 2 * self.classes)

        def shown(z, rows=slice(None)):
            return (self.generate(z) - residual[rows]).clamp(0, 1)

        def constraints(z):
            likelihood = F.log_softmax(self.f(shown(z)), 1)
            ahead = [(likelihood - (likelihood * one).sum(1, True)) * third - (1 - third) for one in (own, probe)]
            return (likelihood * (own - probe)).sum(1), torch.cat(ahead, 1)

        def lagrangian(z):
            h, g = constraints(z)
            inequalities = ((multipliers + g * c).relu().square() - multipliers.square()).sum(1) / c[:, 0] / 2
            return squared(z, z0) + h * multiplier + h.square() * c[:, 0] / 2 + inequalities

        z = self.descend(z0, 0.05, lagrangian)
        with torch.no_grad():
            h, g = constraints(z)
            multiplier, multipliers = multiplier + c[:, 0] * h, (multipliers + g * c).relu()
            h, g = constraints(z)
            violation = torch.maximum(h.abs(), g.amax(1))
            best = int(violation.argmin())
            rows = slice(best, best + 1)
            frames = [shown(code[rows], rows) for code in (z0, z)]
            probabilities = [F.softmax(self.f(frame), 1) for frame in frames]
            pictures = [self.generate(code[rows]) for code in (z0, z)]
            return shown(z), frames, probabilities, pictures


WORKS = {
    "lenet": Lenet,
    "syce": Syce,
    "cyce": Cyce,
    "pe64": ProgressiveExaggeration,
    "explaingan": ExplainGan,
    "ganmex28": lambda form: Ganmex(form, 1, 28),
    "ganmex32": lambda form: Ganmex(form, 3, 32),
    "cdeepex": CDeepEx,
}


def make(work, form):
    if work not in WORKS:
        raise SystemExit(f"work: one of {', '.join(WORKS)}, found {work}")
    torch.manual_seed(0)
    return WORKS[work](Form(form))

"""Muon for the blocks' matrices, AdamW for embeddings, biases and norms.

Muon (Jordan et al. 2024): momentum, then the nearest orthogonal matrix by five Newton-Schulz iterations.
"""
import torch


def orthogonalise(m):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = m / (m.norm() + 1e-7)
    if tall := x.size(0) > x.size(1):
        x = x.T
    for _ in range(5):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x.T if tall else x


class Optimizer:
    """State is plain tensors by parameter name, so that it can be saved whole."""

    def __init__(self, params, muon_lr, adam_lr, weight_decay, muon_momentum=0.95, betas=(0.9, 0.95)):
        self.params, self.muon_lr, self.adam_lr = params, muon_lr, adam_lr
        self.weight_decay, self.momentum, self.betas = weight_decay, muon_momentum, betas
        self.matrices = [n for n, p in params.items() if muon_lr > 0 and ".h." in n and p.ndim == 2]
        self.state = {n: [torch.zeros_like(p)] if n in self.matrices else [torch.zeros_like(p), torch.zeros_like(p)]
                      for n, p in params.items()}

    def step(self, grads, step, scale, each=map):
        """One update at `scale` of the peak rates; `step` counts from 0 and corrects Adam's bias.

        `each` may be a pool's map: no tensor's update needs another's.
        """
        def update(name):
            with torch.no_grad():
                self.update(name, grads[name], step, scale)
        list(each(update, self.params))

    def update(self, name, g, step, scale):
        p, state = self.params[name], self.state[name]
        decay = self.weight_decay if p.ndim == 2 else 0.0
        if name in self.matrices:
            momentum, = state
            momentum.lerp_(g, 1 - self.momentum)
            m = g.lerp(momentum, self.momentum)
            # Queries, keys and values are three matrices stored side by side.
            parts = m.split(m.size(0), 1) if "c_attn" in name else [m]
            nearest = torch.cat([orthogonalise(part) for part in parts], 1)
            # 0.2 sqrt(max side) gives Adam's usual update size (Liu et al. 2025): one scale for all shapes.
            rate = self.muon_lr * scale
            p.mul_(1 - rate * decay).add_(nearest, alpha=-rate * 0.2 * max(parts[0].shape) ** 0.5)
        else:
            first, second = state
            first.lerp_(g, 1 - self.betas[0])
            second.lerp_(g.square(), 1 - self.betas[1])
            corrected = first / (1 - self.betas[0] ** (step + 1))
            spread = (second / (1 - self.betas[1] ** (step + 1))).sqrt_().add_(1e-8)
            rate = self.adam_lr * scale
            p.mul_(1 - rate * decay).addcdiv_(corrected, spread, value=-rate)

"""Writes tests/fixtures/patching.json: what activation patching gives by hooks on transformers' GPT-2, in double precision.

    python tests/make_patching_golden.py

For each of a few checkpoints, two prompts of ten ids (those of expected.safetensors, and the same with two replaced), the answer and the
foil on which their logits disagree most. For every site, by position and by head, a grid [layer][cell] of
    denoising, noising: (m_patched − m_base) / (m_source − m_base) with m the logit difference, the other run patched into one
    logprob, kl: the same by position and head, denoising, of the answer's log-probability and of KL(clean ‖ run)
    gradient, relp: the estimate (a_source − a_base) · ∂m/∂a / (m_source − m_base), denoising, by autograd; of relp the backward pass of
    LayerNorm has a constant scale, that of an activation the factor f(x)/x, and each factor of q·k and of pattern·v gets half
Made with Python 3.11, torch 2.15.0, transformers 5.23.0, on a CPU.
"""
import json
import pathlib

import torch
from safetensors.torch import load_file
from transformers import GPT2LMHeadModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

FIXTURES = pathlib.Path(__file__).resolve().parent / "fixtures"
CHECKPOINTS = ["base", "act-relu", "act-silu", "inverse-layer", "no-scale", "n-inner"]
SITES = ["resid_pre", "resid_mid", "attn_out", "mlp_out", "z", "q", "k", "v", "pattern"]
HEADS = ["z", "q", "k", "v", "pattern"]


class Hooks:
    """Shows every activation to `visit(site, layer, x)` and goes on with what it returns; x is [n, d], [n, heads, d_head] or
    [heads, n, n]."""

    def __init__(self, model):
        self.model, self.visit, self.relp = model, None, False
        self.heads = model.config.n_head
        self.pre = {}
        for layer, block in enumerate(model.transformer.h):
            block.register_forward_pre_hook(lambda m, a, l=layer: self.enter(l, a))
            block.attn.register_forward_hook(lambda m, a, out, l=layer: self.attn(l, out))
            block.mlp.register_forward_hook(lambda m, a, out, l=layer: self.ask("mlp_out", l, out[0])[None])
            block.attn.c_attn.register_forward_hook(lambda m, a, out, l=layer: self.qkv(l, out))
            block.attn.c_proj.register_forward_pre_hook(lambda m, a, l=layer: self.z(l, a))
            act = block.mlp.act
            block.mlp.act = Act(self, act)
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.forward = lambda x, m=module: self.norm(m, x)

    def norm(self, m, x):
        centred = x - x.mean(-1, keepdim=True)
        scale = (centred.pow(2).mean(-1, keepdim=True) + m.eps).sqrt()
        return centred / (scale.detach() if self.relp else scale) * m.weight + m.bias

    def factor(self, x):
        return 0.5 * x + 0.5 * x.detach() if self.relp else x

    def ask(self, site, layer, x):
        return self.visit(site, layer, x) if self.visit else x

    def enter(self, layer, args):
        x = self.ask("resid_pre", layer, args[0][0])
        self.pre[layer] = x
        return (x[None], *args[1:])

    def attn(self, layer, out):
        # The block adds this to what entered it: a patched resid_mid is what is left.
        x = self.ask("attn_out", layer, out[0][0])
        mid = self.ask("resid_mid", layer, self.pre[layer] + x)
        return ((mid - self.pre[layer])[None], *out[1:])

    def qkv(self, layer, out):
        q, k, v = (x.view(len(x), self.heads, -1) for x in out[0].chunk(3, -1))
        x = [self.ask(site, layer, x) for site, x in zip("qkv", (q, k, v))]
        return torch.cat([x.reshape(len(x), -1) for x in x], -1)[None]

    def z(self, layer, args):
        x = args[0][0]
        return (self.ask("z", layer, x.view(len(x), self.heads, -1)).reshape(len(x), -1)[None],)


class Act(torch.nn.Module):
    def __init__(self, hooks, act):
        super().__init__()
        self.hooks, self.act = [hooks], act

    def forward(self, x):
        y = self.act(x)
        if not self.hooks[0].relp:
            return y
        assert (x != 0).all()
        return x * (y / x).detach()


CURRENT = []


def attention(module, query, key, value, attention_mask, scaling=None, dropout=0.0, **_):
    hooks = CURRENT[0]
    q, k, v = (hooks.factor(x[0]) for x in (query, key, value))  # [heads, n, d]
    scale = module.head_dim**-0.5 if module.scale_attn_weights else 1.0
    if module.config.scale_attn_by_inverse_layer_idx:
        scale /= module.layer_idx + 1
    scores = q @ k.transpose(1, 2) * scale
    n = scores.shape[-1]
    pattern = scores.masked_fill(torch.ones(n, n).triu(1).bool(), -torch.inf).softmax(-1)
    pattern = hooks.factor(hooks.ask("pattern", module.layer_idx, pattern))
    return (pattern @ v).transpose(0, 1)[None], None


ALL_ATTENTION_FUNCTIONS.register("hooked", attention)


def grid(hooks, base, source, measure, site, by, layers, heads, known):
    """What is measured with each cell of the base replaced by the source's."""
    n, rows = len(base), []
    dim = {("position", True): 1, ("position", False): 0, ("head", True): 0, ("head", False): 1}[by, site == "pattern"]
    for layer in range(layers):
        row = []
        for cell in range(n if by == "position" else heads):
            def visit(at, l, x):
                if (at, l) != (site, layer):
                    return x
                x = x.clone()
                x.select(dim, cell).copy_(known[site, layer].select(dim, cell))
                return x
            hooks.visit = visit
            row.append(measure(hooks.model(torch.tensor([base])).logits[0, -1]).item())
        rows.append(row)
    hooks.visit = None
    return rows


def record(hooks, ids):
    known = {}

    def visit(site, layer, x):
        known[site, layer] = x.detach()
        return x
    hooks.visit = visit
    logits = hooks.model(torch.tensor([ids])).logits[0, -1]
    hooks.visit = None
    return known, logits


def estimates(hooks, base, measure, known, own, relp):
    """(a_source − a_base) · ∂m/∂a, by site and layer, before it is summed."""
    leaves = {}

    def visit(site, layer, x):
        leaves[site, layer] = torch.zeros_like(x, requires_grad=True)
        return x + leaves[site, layer]
    hooks.visit, hooks.relp = visit, relp
    with torch.enable_grad():
        measure(hooks.model(torch.tensor([base])).logits[0, -1]).backward()
    hooks.visit, hooks.relp = None, False
    return {at: (known[at] - own[at]) * leaf.grad for at, leaf in leaves.items()}


@torch.no_grad()
def main():
    out = {}
    for name in CHECKPOINTS:
        folder = FIXTURES / name
        model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").double().eval()
        for p in model.parameters():
            p.requires_grad_(False)
        plain = load_file(folder / "expected.safetensors")
        clean = plain["ids"].tolist()[:10]
        corrupt = list(clean)
        corrupt[3], corrupt[6] = (corrupt[3] + 17) % 250, (corrupt[6] + 29) % 250
        for block in model.transformer.h:
            block.attn.reorder_and_upcast_attn = False  # without effect on the numbers; it wants float32
        reference = model(torch.tensor([clean])).logits[0]
        model.config._attn_implementation = "hooked"
        hooks = Hooks(model)
        CURRENT[:] = [hooks]
        (at_clean, logits), (at_corrupt, other) = record(hooks, clean), record(hooks, corrupt)
        assert (logits - reference[-1]).abs().max() < 1e-9, "the hooks change the model"
        answer, foil = (logits - other).argmax().item(), (logits - other).argmin().item()
        log_p = logits.log_softmax(-1)
        measures = {
            "logit-difference": lambda x: x[answer] - x[foil],
            "logprob": lambda x: x.log_softmax(-1)[answer],
            "kl": lambda x: (log_p.exp() * (log_p - x.log_softmax(-1))).sum(),
        }
        layers, heads = model.config.n_layer, model.config.n_head
        case = dict(clean=clean, corrupt=corrupt, answer=answer, foil=foil, grids={})
        case["values"] = {k: [m(logits).item(), m(other).item()] for k, m in measures.items()}

        def put(key, rows, base, source):
            case["grids"][key] = [[round((x - base) / (source - base), 9) for x in row] for row in rows]
        for site in SITES:
            for by in ["position", "head"][: 2 if site in HEADS else 1]:
                for direction, b, s, k in [("denoising", corrupt, clean, at_clean), ("noising", clean, corrupt, at_corrupt)]:
                    m = measures["logit-difference"]
                    values = [m(other).item(), m(logits).item()]
                    base, source = values if direction == "denoising" else values[::-1]
                    put(f"{direction}.{site}.{by}", grid(hooks, b, s, m, site, by, layers, heads, k), base, source)
                if site in ["resid_pre", "z"]:
                    for metric in ["logprob", "kl"]:
                        m = measures[metric]
                        rows = grid(hooks, corrupt, clean, m, site, by, layers, heads, at_clean)
                        put(f"{metric}.{site}.{by}", rows, m(other).item(), m(logits).item())
        for rule in ["gradient", "relp"]:
            found = estimates(hooks, corrupt, measures["logit-difference"], at_clean, at_corrupt, rule == "relp")
            for site in SITES:
                for by in ["position", "head"][: 2 if site in HEADS else 1]:
                    kept = int((by == "head") != (site == "pattern"))
                    sums = [found[site, l].sum([d for d in range(found[site, l].dim()) if d != kept]) for l in range(layers)]
                    rows = [row.tolist() for row in sums]
                    put(f"{rule}.{site}.{by}", rows, 0.0, (measures["logit-difference"](logits) - measures["logit-difference"](other)).item())
        out[name] = case
    (FIXTURES / "patching.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()

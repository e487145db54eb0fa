"""Golden files for a full-size GPT-2 checkpoint, from Hugging Face transformers (eager, float32).

    python tests/make_golden_124m.py MODEL_DIR OUT_DIR

Seeded random ids, always the same. Each file holds `ids` i64 [n] and float32 tensors:
    n11, n128  attention [layer, head, n, n], hidden [layer + 1, n, d] (the last after ln_f), logits [n, vocab]
    n1024      attention_0, attention_5, attention_11 [head, n, n], hidden, logits [8, vocab] of the last 8 positions
The same tensors under `exact_…` are float64, from the model in double precision: how far float32 lies from them is how
far two right implementations may lie apart. That is printed, too: for attention the largest absolute difference, for hidden
and logits the largest difference over max(1, the largest float64 value).
Made with Python 3.11, torch 2.15.0, transformers 5.23.0, safetensors 0.8.0, on a CPU.
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import GPT2LMHeadModel
from transformers.utils import logging


def forward(model, ids):
    with torch.no_grad():
        out = model(ids[None], output_attentions=True, output_hidden_states=True, use_cache=False)
    attention = torch.stack([a[0] for a in out.attentions])
    return attention, torch.stack([h[0] for h in out.hidden_states]), out.logits[0]


def chosen(n, prefix, attention, hidden, logits):
    if n < 1024:
        tensors = {"attention": attention, "hidden": hidden, "logits": logits}
    else:
        tensors = {f"attention_{layer}": attention[layer].clone() for layer in (0, 5, 11)}
        tensors |= {"hidden": hidden, "logits": logits[-8:].clone()}
    return {prefix + name: tensor for name, tensor in tensors.items()}


def relative(a, b):
    return ((a.double() - b).abs().max() / max(1.0, b.abs().max().item())).item()


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    logging.disable_progress_bar()
    source, out = sys.argv[1], pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    model = GPT2LMHeadModel.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    prompts, kept = {}, {}
    for n in (11, 128, 1024):
        generator = torch.Generator().manual_seed(n)
        ids = prompts[n] = torch.randint(0, model.config.vocab_size, (n,), generator=generator)
        attention, hidden, logits = forward(model, ids)
        kept[n] = attention, hidden, logits
    model = model.double()
    for n, ids in prompts.items():
        (attention, hidden, logits), exact = kept.pop(n), forward(model, ids)
        assert exact[0].dtype == torch.float64
        tensors = {"ids": ids} | chosen(n, "", attention, hidden, logits) | chosen(n, "exact_", *exact)
        save_file({k: t.contiguous() for k, t in tensors.items()}, out / f"n{n}.safetensors")
        worst = max((a.double() - b).abs().max().item() for a, b in zip(attention, exact[0]))
        peak = exact[0][:, :, -1].amax(-1).mean()
        print(f"{n} tokens: attention {worst:.2e}, hidden {relative(hidden, exact[1]):.2e} "
              f"(max |ref| {exact[1].abs().max():.3g}), logits {relative(logits, exact[2]):.2e} "
              f"(max |ref| {exact[2].abs().max():.3g}); last row's largest weight, mean over heads: {peak:.3f}",
              flush=True)


if __name__ == "__main__":
    main()

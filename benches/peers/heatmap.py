"""usage: heatmap.py DIR one|grid|each TEXT|@FILE OUT — GPT-2's attention heatmaps with transformers and matplotlib.

one: layer 0, head 0, to OUT; grid: all heads in one picture, to OUT; each: every head to OUT-LAYER-HEAD.png.
"""
import sys
import time

start = time.time()
import matplotlib
import torch
from common import load, text_of
from transformers import GPT2Model

matplotlib.use("Agg")
import matplotlib.pyplot as plt

if len(sys.argv) != 5 or sys.argv[2] not in ("one", "grid", "each"):
    sys.exit(__doc__)
directory, mode, text, out = sys.argv[1:5]
imported = time.time()
tok, model = load(directory, GPT2Model)
loaded = time.time()
ids = tok(text_of(text), return_tensors="pt").input_ids[:, :1024]
with torch.no_grad():
    attention = model(ids, output_attentions=True).attentions
traced = time.time()
tokens, n = tok.convert_ids_to_tokens(ids[0]), ids.shape[1]
layers, heads = model.config.n_layer, model.config.n_head


def one(layer, head, path):
    fig, ax = plt.subplots(figsize=(8, 8))
    ax.imshow(attention[layer][0, head].numpy(), cmap="viridis", vmin=0, vmax=1)
    if n <= 64:
        ax.set_xticks(range(n), tokens, rotation=90)
        ax.set_yticks(range(n), tokens)
    fig.savefig(path, dpi=100)
    plt.close(fig)


if mode == "one":
    one(0, 0, out)
elif mode == "each":
    for layer in range(layers):
        for head in range(heads):
            one(layer, head, f"{out}-{layer}-{head}.png")
else:
    fig, axes = plt.subplots(layers, heads, figsize=(2 * heads, 2 * layers))
    for layer in range(layers):
        for head in range(heads):
            ax = axes[layer][head]
            ax.imshow(attention[layer][0, head].numpy(), cmap="viridis", vmin=0, vmax=1)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_title(f"{layer}.{head}", fontsize=6)
    fig.savefig(out, dpi=100)
end = time.time()
print(f"{n} tokens: import {imported - start:.2f} load {loaded - imported:.2f} forward {traced - loaded:.3f} "
      f"draw {end - traced:.2f} total {end - start:.2f} s", file=sys.stderr)

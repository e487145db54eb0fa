"""usage: batch.py DIR PROMPTS.jsonl COUNT OUT: the attention of every sentence as JSON and as a grid of all heads.

One process, one model, a loop over transformers and matplotlib; times are told without the start. `sentence_good` is the prompt.
"""
import json
import pathlib
import sys
import time

import matplotlib
import torch
from common import load
from transformers import GPT2Model

matplotlib.use("Agg")
import matplotlib.pyplot as plt

if len(sys.argv) != 5:
    sys.exit(__doc__)
directory, prompts, count, out = sys.argv[1], sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])
out.mkdir(parents=True)
tok, model = load(directory, GPT2Model)
layers, heads = model.config.n_layer, model.config.n_head
texts = [json.loads(line)["sentence_good"] for line in open(prompts, encoding="utf-8")][:count]
start = time.perf_counter()
for index, text in enumerate(texts):
    ids = tok(text, return_tensors="pt").input_ids
    with torch.no_grad():
        attention = torch.stack(model(ids, output_attentions=True).attentions)[:, 0].numpy()  # [layer, head, query, key]
    tokens = tok.convert_ids_to_tokens(ids[0])
    with open(out / f"{index:06}.json", "w", encoding="utf-8") as file:
        json.dump({"prompt": text, "tokens": tokens, "attention": attention.tolist()}, file)
    fig, axes = plt.subplots(layers, heads, figsize=(2 * heads, 2 * layers))
    for layer in range(layers):
        for head in range(heads):
            ax = axes[layer][head]
            ax.imshow(attention[layer, head], cmap="viridis", vmin=0, vmax=1)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_title(f"{layer}.{head}", fontsize=6)
    fig.savefig(out / f"{index:06}.png", dpi=100)
    plt.close(fig)
seconds = time.perf_counter() - start
print(f"{len(texts)} sentences in {seconds:.2f} s: {len(texts) / seconds:.2f} sentences a second")

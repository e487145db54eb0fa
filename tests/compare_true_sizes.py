"""Models of true size with random weights, by attnviz and by transformers: numbers, memory, seconds.

    python3 tests/compare_true_sizes.py target/release/attnviz [--models pythia,qwen,llama] [--tokens 11,300] [--runs 3] [--folder DIR] [--exact]

Writes checkpoints with the configs of Pythia-160M (f16), Qwen2.5-0.5B and Llama-3.2-1B (bf16): about 4 GB in all, removed at the end
unless --folder says where they stay. transformers computes in f32, eager, from the same file, and draws the sheet of all heads with
matplotlib; attnviz draws its own. Both run once after another, each in a process of its own: seconds are from start to end. With --exact both are also compared with transformers in double precision. Weights of
queries and keys are multiplied by --sharpness (3 unless given), so that attention is as uneven as trained models' or more.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

MODELS = {
    "pythia": ("gpt_neox", "float16", dict(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, vocab_size=50304,
        max_position_embeddings=2048, rotary_pct=0.25, hidden_act="gelu", use_parallel_residual=True, layer_norm_eps=1e-5,
        bos_token_id=0, eos_token_id=0, tie_word_embeddings=False)),
    "qwen": ("qwen2", "bfloat16", dict(
        hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2,
        vocab_size=151936, max_position_embeddings=32768, rope_theta=1e6, rms_norm_eps=1e-6, tie_word_embeddings=True,
        use_sliding_window=False, bos_token_id=None, eos_token_id=151643)),
    "llama": ("llama", "bfloat16", dict(
        hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32, num_key_value_heads=8,
        head_dim=64, vocab_size=128256, max_position_embeddings=131072, rope_theta=500000.0, rms_norm_eps=1e-5,
        tie_word_embeddings=True, bos_token_id=128000, eos_token_id=128001,
        rope_scaling=dict(rope_type="llama3", factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0,
                          original_max_position_embeddings=8192))),
}  # fmt: skip


def write(name, folder, sharpness):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind, dtype, fields = MODELS[name]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **fields), dtype=getattr(torch, dtype))
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if any(part in key for part in ("q_proj.weight", "k_proj.weight", "query_key_value.weight")):
                weight *= sharpness  # attention that is not even
    model.save_pretrained(folder)
    tokenizer = json.loads((Path(__file__).parent / "fixtures/base/tokenizer.json").read_text())
    vocab = tokenizer["model"]["vocab"]
    for id in range(max(vocab.values()) + 2, fields["vocab_size"]):
        vocab[f"<{id}>"] = id
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def exactly(folder, ids):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float64).eval()
    with torch.no_grad():
        found = model(torch.tensor([ids]), output_attentions=True, use_cache=False)
    return {"attention": torch.cat(found.attentions).numpy(), "logits": found.logits[0].numpy()}


def distance(found, reference):
    return float(np.max(np.abs(found - reference) / np.maximum(1, np.abs(reference))))


def peer(folder, ids, out):
    """What a script with transformers and matplotlib does."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import torch
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json")
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    with torch.no_grad():
        found = model(torch.tensor([ids]), output_attentions=True, use_cache=False)
    attention = torch.cat(found.attentions).numpy()
    layers, heads = attention.shape[:2]
    _, axes = plt.subplots(layers, heads, figsize=(2 * heads, 2 * layers))
    for layer in range(layers):
        for head in range(heads):
            axes[layer][head].imshow(attention[layer, head], cmap="viridis", vmin=0, vmax=1)
            axes[layer][head].set_xticks([])
            axes[layer][head].set_yticks([])
            axes[layer][head].set_title(f"{layer}.{head}", fontsize=6)
    plt.savefig(f"{out}.png", dpi=100)
    drawn = time.time()
    np.savez(out, attention=attention, logits=found.logits[0].numpy())
    print(drawn)


BETWEEN = """import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(end=f"\\n{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}", flush=True)
sys.exit(code)"""


def run(line):
    """Seconds and the largest resident memory in MiB of a process; what it says on stdout."""
    started = time.time()
    # A process is counted from what its parent had: a small one stands between.
    asks = [sys.executable, "-c", BETWEEN, *map(str, line)]
    child = subprocess.run(asks, capture_output=True, text=True)
    if child.returncode:
        sys.exit(f"{line}: {child.returncode} {child.stderr}")
    said, memory = child.stdout.rsplit("\n", 1)
    return started, time.time() - started, int(memory) / 1024, said


def compare(program, name, folder, tokens, runs, exact):
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 2**20
    for count in tokens:
        ids = np.random.default_rng(count).integers(3, 50000, count).tolist()
        text = ",".join(map(str, ids))
        ask = [program, "attention", "--ids", text, "-m", str(folder), "--quiet"]
        saved = [*ask, "--with", "logits", "-o", str(folder / "ours.npz")]
        run(saved)  # the file is in memory for both
        sheet = [run([*ask, "-o", str(folder / "ours.png")]) for _ in range(runs)]
        _, seconds, memory, _ = run(saved)
        theirs = run([sys.executable, __file__, "--peer", str(folder), text])
        ours, reference = np.load(folder / "ours.npz"), np.load(folder / "theirs.npz")
        off = {key: distance(ours[key].reshape(reference[key].shape), reference[key]) for key in reference}
        peak = max(one[2] for one in sheet)
        held = ours["attention"].nbytes / 2**20
        print(f"{name}, {count} tokens: attention off by {off['attention']:.1e}, logits by {off['logits']:.1e} of at most "
              f"{np.abs(reference['logits']).max():.1f}; largest weight {reference['attention'][:, :, -1].max():.2f}")  # fmt: skip
        for key, value in (exactly(folder, ids) if exact else {}).items():
            here = distance(ours[key].reshape(value.shape), value)
            print(f"  {key} in double precision: attnviz is off by {here:.1e}, transformers by {distance(reference[key], value):.1e}")
        print(f"  weights {weights:.0f} MiB; sheet {', '.join(f'{one[1]:.2f}' for one in sheet)} s, {peak:.0f} MiB "
              f"({(peak - held) / weights:.2f} of the weights without {held:.0f} MiB of patterns); numbers with logits "
              f"{seconds:.2f} s, {memory:.0f} MiB; transformers and matplotlib {float(theirs[3]) - theirs[0]:.2f} s, "
              f"{theirs[2]:.0f} MiB", flush=True)  # fmt: skip


def main():
    if sys.argv[1] == "--peer":
        return peer(sys.argv[2], [int(id) for id in sys.argv[3].split(",")], f"{sys.argv[2]}/theirs")
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program")
    parser.add_argument("--models", default="pythia,qwen,llama")
    parser.add_argument("--tokens", default="11,300")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder")
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--sharpness", type=float, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as own:
        for name in asked.models.split(","):
            folder = Path(asked.folder or own) / name
            if not (folder / "model.safetensors").exists():
                folder.mkdir(parents=True, exist_ok=True)
                write(name, folder, asked.sharpness)
            compare(asked.program, name, folder, [int(count) for count in asked.tokens.split(",")], asked.runs, asked.exact)


if __name__ == "__main__":
    main()

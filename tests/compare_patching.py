"""Activation patching by attnviz beside TransformerLens 4: the largest difference of the two grids, for every site.

    cargo build
    python tests/compare_patching.py [--model DIR] [--binary target/debug/attnviz] [--clean TEXT --corrupt TEXT]

DIR is a GPT-2 checkpoint with its tokenizer (default: a fixture with random weights). TransformerLens runs transformers' own weights in
double precision: nothing is folded or centred, as its compatibility mode would do. Where its hook on the middle of a block (`ln2.hook_in`)
changes only what the norm reads, and not what the residual carries on, attention's output is set so that the middle is the other run's.
Answer and foil are the two tokens whose logits move most. With the defaults no site is further apart than 2e-6.
Made with Python 3.11, transformer_lens 4.3.0, transformers 5.24.0, torch 2.15.0, on a CPU.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import torch
from transformer_lens.model_bridge import TransformerBridge
from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOOKS = {
    "resid_pre": "hook_resid_pre", "resid_mid": "hook_resid_mid", "attn_out": "hook_attn_out", "mlp_out": "hook_mlp_out",
    "z": "attn.hook_z", "q": "attn.hook_q", "k": "attn.hook_k", "v": "attn.hook_v", "pattern": "attn.hook_pattern",
}
HEADS = ["z", "q", "k", "v", "pattern"]


def lens_grid(bridge, base, caches, site, by, value, heads):
    """What is measured with each cell of the base run replaced by the source's, [layer][cell]."""
    own, source = caches
    dim = {"position": 2 if site == "pattern" else 1, "head": 1 if site == "pattern" else 2}[by]
    rows = []
    for layer in range(bridge.cfg.n_layers):
        name = lambda site: f"blocks.{layer}.{HOOKS[site]}"  # noqa: E731
        new = source[name(site)]
        hook = name(site)
        if site == "resid_mid":
            hook, new = name("attn_out"), new - own[name("resid_pre")]
        row = []
        for cell in range(heads if by == "head" else base.shape[1]):
            def visit(x, hook):
                x = x.clone()
                x.select(dim, cell).copy_(new.select(dim, cell))
                return x
            row.append(value(bridge.run_with_hooks(base, fwd_hooks=[(hook, visit)])))
        rows.append(row)
    return rows


def attnviz_grid(args, site, by, answer, foil):
    with tempfile.TemporaryDirectory() as out:
        path = pathlib.Path(out, "a.json")
        command = [args.binary, "patch", args.clean, args.corrupt, "-m", args.model, "--site", site, "--by", by]
        command += ["--answer", str(answer), "--foil", str(foil), "-q", "-o", path]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return json.loads(path.read_text())["results"][0]["grid"]


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=str(ROOT / "tests/fixtures/base"))
    parser.add_argument("--binary", default=str(ROOT / "target/debug/attnviz"))
    parser.add_argument("--clean", default="The old king and his")
    parser.add_argument("--corrupt", default="The odd ring and his")
    args = parser.parse_args()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(pathlib.Path(args.model, "tokenizer.json")))
    clean, corrupt = (torch.tensor([tokenizer(t)["input_ids"]]) for t in (args.clean, args.corrupt))
    assert clean.shape == corrupt.shape, f"{clean.shape[1]} and {corrupt.shape[1]} tokens"
    model = GPT2LMHeadModel.from_pretrained(args.model, attn_implementation="eager").double().eval()
    bridge = TransformerBridge.boot_transformers(args.model, device="cpu", dtype=torch.float64)
    (logits, at_clean), (other, at_corrupt) = (bridge.run_with_cache(ids) for ids in (clean, corrupt))
    assert (logits - model(clean).logits).abs().max() < 1e-9, "TransformerLens runs another model"
    moved = (logits - other)[0, -1]
    answer, foil = moved.argmax().item(), moved.argmin().item()
    value = lambda logits: (logits[0, -1, answer] - logits[0, -1, foil]).item()  # noqa: E731
    low, high = value(other), value(logits)
    print(f"{clean.shape[1]} tokens, answer {answer}, foil {foil}: clean {high:+.6f}, corrupt {low:+.6f}")
    for site in HOOKS:
        for by in ["position", "head"][: 2 if site in HEADS else 1]:
            rows = lens_grid(bridge, corrupt, (at_corrupt, at_clean), site, by, value, model.config.n_head)
            wanted = torch.tensor([[(x - low) / (high - low) for x in row] for row in rows], dtype=torch.float64)
            found = torch.tensor(attnviz_grid(args, site, by, answer, foil), dtype=torch.float64)
            apart, most = (found - wanted).abs().max().item(), wanted.abs().max().item()
            print(f"{site:10} by {by:8} {apart:.1e} apart at most, of {most:.3f}")


if __name__ == "__main__":
    main()

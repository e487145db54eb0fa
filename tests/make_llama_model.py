"""Writes tests/fixtures/llama/: a tiny Llama with random weights, and what Hugging Face transformers computes with it.

    python tests/make_llama_model.py

Everything in it differs from GPT-2: RMSNorm, rotated queries and keys, two key/value heads for four query heads, a head size that is
not d_model / heads, a gated MLP, no biases, no position embeddings. The tokenizer is that of the other fixtures.

golden.safetensors (eager, float32) holds `ids` i64 [n], `attention` [layer, head, n, n], `logits` [n, vocab], and `gradient` [n, d],
that of the last position's largest log-probability with respect to the token embeddings.
Made with Python 3.11, torch 2.15.0, transformers 5.24.0, safetensors 0.8.0, on a CPU.
"""
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

FIXTURES = pathlib.Path(__file__).resolve().parent / "fixtures"
FOLDER = FIXTURES / "llama"
SIZES = dict(num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=10, hidden_size=24,
             intermediate_size=40, vocab_size=300, max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=299,
             eos_token_id=299, tie_word_embeddings=False, attention_bias=False, mlp_bias=False, hidden_act="silu")
ROPE_THETA = 10000.0


def main():
    torch.manual_seed(5)
    torch.set_num_threads(1)
    config = LlamaConfig(**SIZES, rope_parameters=dict(rope_type="default", rope_theta=ROPE_THETA))
    config._attn_implementation = "eager"
    model = LlamaForCausalLM(config).float().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # Large enough for attention that is not even.
            weight.copy_(1 + 0.3 * torch.randn_like(weight) if "norm" in name else 0.3 * torch.randn_like(weight))

    ids = torch.randint(0, 299, (1, 12))
    embeddings = model.get_input_embeddings()(ids).detach().requires_grad_()
    out = model(inputs_embeds=embeddings, output_attentions=True, use_cache=False)
    largest = out.logits[0, -1].log_softmax(-1).max()
    (gradient,) = torch.autograd.grad(largest, embeddings)

    FOLDER.mkdir(exist_ok=True)
    save_file({name: weight.detach() for name, weight in model.state_dict().items()}, FOLDER / "model.safetensors",
              metadata={"format": "pt"})
    written = dict(model_type="llama", **SIZES, rope_theta=ROPE_THETA)
    (FOLDER / "config.json").write_text(json.dumps(written, indent=2) + "\n")
    shutil.copy(FIXTURES / "base" / "tokenizer.json", FOLDER)
    save_file({"ids": ids[0], "attention": torch.cat(out.attentions).detach(), "logits": out.logits[0].detach(),
               "gradient": gradient[0].contiguous()}, FOLDER / "golden.safetensors")
    attention = torch.cat(out.attentions)
    print("largest weight of the last query of each head", attention[:, :, -1].amax(-1))
    print("logits", out.logits.std().item(), "probability", largest.exp().item())


main()

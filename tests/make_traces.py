"""Attention as users of other models save it, in three lines: small random models of transformers, for tests/suite/render_file.rs.

    python tests/make_traces.py
"""

import pathlib

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

HERE = pathlib.Path(__file__).parent / "fixtures" / "traces"
HERE.mkdir(exist_ok=True)
torch.manual_seed(0)
ids = torch.tensor([[5, 17, 3, 9, 9, 1]])


def small(cls, config):
    config._attn_implementation = "eager"  # the others do not return attention
    return cls(config).eval()


gpt2 = small(GPT2LMHeadModel, GPT2Config(vocab_size=32, n_positions=16, n_embd=12, n_layer=2, n_head=3))
with torch.no_grad():
    for parameter in gpt2.parameters():
        parameter.mul_(8)  # random initial weights attend to everything alike
    # The three lines, as in the README:
    outputs = gpt2(ids, output_attentions=True)
    attention = torch.stack(outputs.attentions)
    save_file({"attention": attention}, HERE / "gpt2.safetensors")

    # A model that looks both ways, with its tokens, for NumPy.
    bert = small(BertModel, BertConfig(vocab_size=32, hidden_size=12, num_hidden_layers=2, num_attention_heads=2,
                                       intermediate_size=16, max_position_embeddings=16))
    for parameter in bert.parameters():
        parameter.mul_(8)
    tokens = ["[CLS]", "over", "##fit", "##ting", "hurts", "[SEP]"]
    outputs = bert(ids, output_attentions=True)
    np.savez(HERE / "bert.npz", attention=np.stack([a.numpy() for a in outputs.attentions]), token_ids=ids[0].numpy(),
             tokens=np.array(tokens), prompt=np.array("overfitting hurts"))

    # The last two tokens of a text whose beginning is in the cache, in half precision.
    llama = small(LlamaForCausalLM, LlamaConfig(vocab_size=32, hidden_size=16, intermediate_size=16, num_hidden_layers=2,
                                                num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=16))
    for parameter in llama.parameters():
        parameter.mul_(8)
    past = llama(ids[:, :4], use_cache=True).past_key_values
    outputs = llama(ids[:, 4:], past_key_values=past, output_attentions=True)
    save_file({"attention": torch.stack(outputs.attentions).to(torch.bfloat16), "token_ids": ids}, HERE / "llama.safetensors")

"""usage: random_gpt2.py OUT TOKENIZER_DIR — GPT-2 small with seeded random weights.

c_attn is six times its usual size, so that attention is not uniform.
"""
import json
import pathlib
import shutil
import sys

import torch
from transformers import GPT2Config, GPT2LMHeadModel

if len(sys.argv) != 3:
    sys.exit(__doc__)
out, tokenizer = map(pathlib.Path, sys.argv[1:3])
torch.manual_seed(0)
model = GPT2LMHeadModel(GPT2Config())
for block in model.transformer.h:
    block.attn.c_attn.weight.data *= 6
model.save_pretrained(out)
for name in ("tokenizer.json", "vocab.json", "merges.txt"):
    shutil.copy(tokenizer / name, out)
special = dict.fromkeys(("bos_token", "eos_token", "unk_token"), "<|endoftext|>")
(out / "tokenizer_config.json").write_text(json.dumps(
    {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 1024, "add_prefix_space": False, **special}))

#!/usr/bin/env bash
# usage: setup.sh DIR TOKENIZER_DIR — in DIR: a Python environment (venv) and GPT-2 small with seeded random weights
# (gpt2-random: OpenAI's size, shape and cost). TOKENIZER_DIR holds GPT-2's tokenizer.json, vocab.json and merges.txt.
# Last run with Python 3.11, torch 2.15.0, transformers 5.23.0, safetensors 0.8.0, matplotlib 3.11.2.
set -euo pipefail
dir=$1; tokenizer=$2; here=$(cd "$(dirname "$0")" && pwd); mkdir -p "$dir"
[ -x "$dir/venv/bin/python" ] || python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q torch transformers safetensors matplotlib
[ -f "$dir/gpt2-random/model.safetensors" ] || "$dir/venv/bin/python" "$here/random_gpt2.py" "$dir/gpt2-random" "$tokenizer"

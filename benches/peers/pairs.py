"""Both sentences of each minimal pair by transformers, 64 at a time and padded, after <|endoftext|>.

    python benches/peers/pairs.py MODEL_DIR FILE.jsonl
"""
import json
import sys
import time

import torch
from transformers import AutoTokenizer, GPT2LMHeadModel

directory, path = sys.argv[1:3]
tokenizer = AutoTokenizer.from_pretrained(directory)
tokenizer.pad_token = tokenizer.bos_token
model = GPT2LMHeadModel.from_pretrained(directory).eval()
sentences = [json.loads(line)[key] for line in open(path) for key in ("sentence_good", "sentence_bad")]
start, scores = time.time(), []
with torch.no_grad():
    for at in range(0, len(sentences), 64):
        batch = tokenizer([tokenizer.bos_token + text for text in sentences[at : at + 64]], return_tensors="pt", padding=True)
        log_p = model(**batch).logits[:, :-1].log_softmax(-1).gather(-1, batch.input_ids[:, 1:, None])[..., 0]
        scores += (log_p * batch.attention_mask[:, 1:]).sum(-1).tolist()
took = time.time() - start
right = sum(scores[at] > scores[at + 1] for at in range(0, len(scores), 2))
print(json.dumps({"seconds": took, "right": right, "scores": scores}))

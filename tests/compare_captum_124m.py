"""Compares attnviz with captum on a real-sized checkpoint: numbers and seconds. Nothing is written.

    python tests/compare_captum_124m.py ATTNVIZ CHECKPOINT [TEXT]

Every method that both have, on the model's own next token, as relative L2 distance; then 50-node integrated gradients side by
side: attnviz's whole process, captum's attribution alone, and captum's whole process (this one's imports and loading included),
on the clock and in processor seconds, which a busy machine does not change much. OMP_NUM_THREADS=1 where the machine is busy.
Exits with 1 if a distance is above 1e-3 (occlusion: 1e-4).
"""
import time

START = time.time()
import json
import resource
import subprocess
import sys

import torch
from captum.attr import FeatureAblation, InputXGradient, IntegratedGradients, Saliency
from transformers import GPT2LMHeadModel, GPT2TokenizerFast

PROGRAM, FOLDER = sys.argv[1:3]
TEXT = sys.argv[3] if len(sys.argv) > 3 else "The quick brown fox jumps over the lazy dog and"
LIMITS = {"gradient": 1e-3, "input-x-gradient": 1e-3, "integrated-gradients": 1e-3, "occlusion": 1e-4}


def attnviz(*args):
    start, before = time.time(), children()
    done = subprocess.run([PROGRAM, "saliency", TEXT, "-m", FOLDER, *args, "-o", "-", "--format", "json"], capture_output=True, check=True)
    return json.loads(done.stdout), (time.time() - start, children() - before)


def children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


tok = GPT2TokenizerFast.from_pretrained(FOLDER)
model = GPT2LMHeadModel.from_pretrained(FOLDER, attn_implementation="eager").eval()
model.requires_grad_(False)
ids = tok(TEXT, return_tensors="pt").input_ids
target = int(model(ids).logits[0, -1].argmax())
e = model.transformer.wte(ids).detach()
y = lambda x: model(inputs_embeds=x).logits[:, -1].log_softmax(-1)[:, target]
loaded, before = time.time(), time.process_time()
IntegratedGradients(y).attribute(e, n_steps=50, internal_batch_size=50)
captum_work = (time.time() - loaded, time.process_time() - before)
captum_whole = (time.time() - START, time.process_time())
mask = torch.arange(e.shape[1])[None, :, None].expand_as(e)
expected = {
    "gradient": Saliency(y).attribute(e, abs=False).norm(dim=-1)[0],
    "input-x-gradient": InputXGradient(y).attribute(e).sum(-1)[0],
    "integrated-gradients": IntegratedGradients(y).attribute(e, n_steps=50, internal_batch_size=50).sum(-1)[0],
    "occlusion": FeatureAblation(y).attribute(e, feature_mask=mask)[0, :, 0],
}
found, _ = attnviz("--method", ",".join(expected), "--target", str(target))
good = True
for entry in found["results"]:
    reference = expected[entry["method"]].detach()
    distance = float((torch.tensor(entry["scores"]) - reference).norm() / reference.norm())
    good &= distance <= LIMITS[entry["method"]]
    print(f"{entry['method']}: {distance:.1e} relative L2, {ids.shape[1]} tokens")
ours = min(attnviz("--method", "integrated-gradients")[1] for _ in range(3))
for name, (clock, processor) in {"attnviz, all": ours, "captum, attribution alone": captum_work, "captum, all": captum_whole}.items():
    print(f"50 nodes, {name}: {clock:.2f} s, {processor:.2f} processor seconds")
sys.exit(0 if good else 1)

"""usage: forward.py DIR N... — transformers' eager GPT-2 forward pass with output_attentions, at N seeded random tokens.

After two warm-up passes, passes are timed for about five seconds (5 at least, 50 at most); the median is printed.
No language-model head, no gradients, no key-value cache; float32; torch's own number of threads (OMP_NUM_THREADS sets it).
"""
import statistics
import sys
import time

import torch
from common import load
from transformers import GPT2Model

if len(sys.argv) < 3:
    sys.exit(__doc__)
_, model = load(sys.argv[1], GPT2Model)
for n in map(int, sys.argv[2:]):
    ids = torch.randint(0, model.config.vocab_size, (1, n), generator=torch.Generator().manual_seed(n))
    times, began = [], None
    with torch.no_grad():
        while len(times) < 7 or (time.perf_counter() - began < 5 and len(times) < 52):
            start = time.perf_counter()
            out = model(ids, output_attentions=True, use_cache=False)
            times.append(time.perf_counter() - start)
            assert len(out.attentions) == model.config.n_layer
            if len(times) == 2:
                began = time.perf_counter()
    times = times[2:]
    print(f"{n} tokens: median {statistics.median(times):.4f} s (least {min(times):.4f}, most {max(times):.4f}, "
          f"{len(times)} passes, {torch.get_num_threads()} threads)", flush=True)

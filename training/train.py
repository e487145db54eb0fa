"""Corpus in, checkpoint out.

    python train.py CORPUS OUT                       # from nothing
    python train.py CORPUS OUT --init CHECKPOINT     # go on from a checkpoint, with its shape and its tokenizer

OUT gets `state.pt` (everything, for going on after a stop: run the same command again), `log.jsonl` and `model/`, the best
checkpoint so far by held-out loss. A first Ctrl-C or SIGTERM saves and stops.
"""
import argparse
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import corpus
import model
import torch
from optimizer import Optimizer
from tokenizers import Tokenizer


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("corpus")
    p.add_argument("out", type=Path)
    p.add_argument("--init", help="checkpoint to start from")
    p.add_argument("--layers", type=int, default=5)
    p.add_argument("--heads", type=int, default=4)
    p.add_argument("--width", type=int, default=192)
    p.add_argument("--vocabulary", type=int, default=6144)
    p.add_argument("--steps", type=int, default=7200)
    p.add_argument("--warmup", type=int, default=40, help="steps of rising rate")
    p.add_argument("--decay", type=int, default=5100, help="last steps, over which the rate falls to 0")
    p.add_argument("--tokens", type=int, default=4096, help="tokens a step")
    p.add_argument("--length", type=int, default=256, help="tokens a sequence until the decay; 512 in its second half")
    p.add_argument("--muon-lr", type=float, default=8e-3, help="0: AdamW for everything")
    p.add_argument("--adam-lr", type=float, default=8e-3)
    p.add_argument("--weight-decay", type=float, default=0.1)
    p.add_argument("--repeats", type=float, default=0.2, help="share of repeating sequences until the decay")
    p.add_argument("--last-repeats", type=float, default=0.04, help="their share in the second half of the decay")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--evaluate-every", type=int, default=250)
    p.add_argument("--workers", type=int, default=2, help="CPU threads, each with a piece of the batch")
    p.add_argument("--device", default="cpu", help="cuda: bf16, one worker")
    p.add_argument("--bf16", action="store_true", help="bf16 on a CPU that has the units for it")
    return p.parse_args()


class Trainer:
    def __init__(self, config, params, args):
        self.config, self.params, self.args = config, params, args
        # Whole pieces in single-threaded workers: no barrier at every operation, so a busy machine slows it little.
        torch.set_num_threads(1)
        self.pool = ThreadPoolExecutor(args.workers, initializer=torch.set_num_threads, initargs=(1,))
        self.piece = 1024 if args.device == "cpu" else args.tokens

    def loss(self, inputs, targets):
        with torch.autocast(self.args.device, torch.bfloat16, enabled=self.args.bf16 or self.args.device != "cpu"):
            return model.loss(self.params, inputs, targets, self.config)

    def pieces(self, inputs, targets):
        inputs, targets = (torch.as_tensor(a).to(self.args.device) for a in (inputs, targets))
        rows = max(1, self.piece // inputs.shape[1])
        return list(zip(inputs.split(rows), targets.split(rows)))

    def gradients(self, inputs, targets):
        """Mean loss and its gradients; pieces are added in their order, so the result knows nothing of the workers."""
        scored = int((targets != -100).sum())
        names, values = zip(*self.params.items())

        def one(piece):
            loss = self.loss(*piece) / scored
            return loss.item(), torch.autograd.grad(loss, values)

        total, grads = 0.0, None
        for loss, part in self.pool.map(one, self.pieces(inputs, targets)):
            total += loss
            if grads is None:
                grads = list(part)
            else:
                torch._foreach_add_(grads, list(part))
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
        torch._foreach_mul_(grads, 1 / max(1.0, norm.item()))
        return total, dict(zip(names, grads)), norm.item()

    @torch.no_grad()
    def held_out(self, windows):
        """Nats a token."""
        def one(window):
            with torch.no_grad():
                return self.loss(*(torch.tensor([ids], device=self.args.device) for ids in window)).item()
        return sum(self.pool.map(one, windows)) / sum(len(targets) for _, targets in windows)


def schedule(step, args):
    """(scale of the rates, sequence length, share of repeats): warm-up, constant, linear decay to 0; repeats fade in its first half."""
    left = min(1.0, (args.steps - step) / args.decay)
    share = args.last_repeats + (args.repeats - args.last_repeats) * max(0.0, 2 * left - 1)
    return min(left, (step + 1) / args.warmup), args.length if left > 0.5 else corpus.BLOCK, share


def start(args):
    if args.init:
        config, params = model.load(args.init)
        return config, params, Tokenizer.from_file(str(Path(args.init) / "tokenizer.json"))
    path = args.out / "tokenizer.json"
    if not path.exists():
        corpus.train_tokenizer((text for _, text, _ in corpus.books(args.corpus)), args.vocabulary).save(str(path))
    tokenizer = Tokenizer.from_file(str(path))
    config = model.configuration(args.layers, args.heads, args.width, tokenizer.get_vocab_size())
    return config, model.initialise(config, args.seed), tokenizer


def main():
    args = arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    config, params, tokenizer = start(args)
    params = {name: value.to(args.device).requires_grad_() for name, value in params.items()}
    optimizer = Optimizer(params, args.muon_lr, args.adam_lr, args.weight_decay)
    trainer = Trainer(config, params, args)
    batches = corpus.Batches(corpus.pack(args.corpus, tokenizer, args.out), config["vocab_size"], args.tokens, args.seed)
    sample, size = corpus.held_out_windows(args.corpus, tokenizer, lambda window: window % 8 == 0)
    nats_to_bits = sum(len(targets) for _, targets in sample) / size / 0.6931471805599453
    first, best, used = 0, float("inf"), 0.0
    if (state_path := args.out / "state.pt").exists():
        state = torch.load(state_path, map_location=args.device)
        first, best, used, optimizer.state = state["step"], state["best"], state["cpu_seconds"], state["optimizer"]
        for name, value in state["params"].items():
            params[name].data.copy_(value)
    stop = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.append(1))

    def evaluate(step):
        nonlocal best
        nats = trainer.held_out(sample)
        if nats < best:
            best = nats
            model.save(args.out / "model", config, params, tokenizer)
        report(step=step, held_out_nats=round(nats, 4), bits_a_byte=round(nats * nats_to_bits, 4))

    def report(**figures):
        line = json.dumps(figures | {"cpu_seconds": round(used + time.process_time()), "clock": time.strftime("%H:%M:%S")})
        print(line, flush=True)
        with open(args.out / "log.jsonl", "a") as log:
            log.write(line + "\n")

    def save(step):
        part = args.out / "state.pt.part"
        torch.save({"step": step, "best": best, "cpu_seconds": used + time.process_time(), "optimizer": optimizer.state,
                    "params": {name: value.detach() for name, value in params.items()}}, part)
        part.replace(state_path)

    if first == 0:
        report(arguments={k: str(v) for k, v in vars(args).items() if k not in ("corpus", "out")},
               parameters=sum(p.numel() for p in params.values()), training_tokens=len(batches.tokens))
        evaluate(0)
    mean = None
    for step in range(first, args.steps):
        scale, length, share = schedule(step, args)
        loss, grads, norm = trainer.gradients(*batches.step(step, length, share))
        optimizer.step(grads, step, scale, trainer.pool.map)
        mean = loss if mean is None else 0.95 * mean + 0.05 * loss
        if (step + 1) % 10 == 0:
            report(step=step + 1, loss=round(mean, 4), norm=round(norm, 3), scale=round(scale, 4), length=length, repeats=round(share, 3))
        done = stop or step + 1 == args.steps
        if (step + 1) % args.evaluate_every == 0 or step + 1 == args.steps:
            evaluate(step + 1)
            save(step + 1)
        elif done:
            save(step + 1)
        if done:
            break


if __name__ == "__main__":
    main()

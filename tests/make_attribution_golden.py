"""Writes tests/fixtures/{base,inverse-layer}/attribution.safetensors: what PyTorch, transformers and captum attribute.

    python tests/make_attribution_golden.py ATTNVIZ

ATTNVIZ is the program itself: its random draws (--with draws) are recorded beside what PyTorch makes of the same draws.
Made with Python 3.11, torch 2.15.0, transformers 5.24.0, captum 0.9.0, safetensors 0.8.0, on a CPU.

For the ids of the fixture's own prompt, at its last position, with the most probable token as target and the next one as
foil, each f32 [token] unless said otherwise:
    {logit,logprob,prob}.{gradient,input-x-gradient,integrated-gradients,occlusion}   captum, zero baseline, 50 nodes
    foil.{...}                          the same of the logit difference
    endoftext.{integrated-gradients,occlusion}, mean.integrated-gradients   other baselines, log-probability
    logprob.{smoothgrad,gradient-shap}  with the draws in noise, alpha and baseline_ids
    logprob.attention-x-gradient        Chefer et al. 2021, with whole matrices
    inseq.integrated-gradients, ecco.input-x-gradient     as these tools fold them to one score a token
    inseq.occlusion                     absolute values, as inseq 0.7 takes them, over their sum
    value [3], gap [2]                  y in the three ways; the gaps of integrated-gradients and gradient-shap (log-probability)
"""
import pathlib
import subprocess
import sys
import tempfile

import torch
from captum.attr import FeatureAblation, InputXGradient, IntegratedGradients, Saliency
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel
from transformers.utils import logging

FIXTURES = pathlib.Path(__file__).resolve().parent / "fixtures"
NODES = 50


def objective(model, target, foil, of):
    def y(e):
        logits = model(inputs_embeds=e).logits[:, -1].double()
        values = {"logit": logits, "logprob": logits.log_softmax(-1), "prob": logits.softmax(-1)}[of]
        return values[:, target] - (values[:, foil] if foil is not None else 0)
    return y


def token_scores(y, e, baseline):
    mask = torch.arange(e.shape[1])[None, :, None].expand_as(e)
    return {
        "gradient": Saliency(y).attribute(e, abs=False).norm(dim=-1)[0],
        "input-x-gradient": InputXGradient(y).attribute(e).sum(-1)[0],
        "integrated-gradients": integrated(y, e, baseline).sum(-1)[0],
        "occlusion": FeatureAblation(y).attribute(e, baselines=baseline, feature_mask=mask)[0, :, 0],
    }


def integrated(y, e, baseline):
    return IntegratedGradients(y).attribute(e, baselines=baseline, n_steps=NODES, method="gausslegendre")


def gradient(y, e):
    e = e.detach().requires_grad_(True)
    return torch.autograd.grad(y(e).sum(), e)[0]


def relevance(model, e, target):
    out = model(inputs_embeds=e.detach().requires_grad_(True), output_attentions=True)
    y = out.logits[0, -1].double().log_softmax(-1)[target]
    r = torch.eye(e.shape[1])
    for a, g in zip(out.attentions, torch.autograd.grad(y, out.attentions)):
        r = r + (g * a).clamp(min=0)[0].mean(0).float() @ r
    return r[-1]


def share(vectors):
    norms = vectors.norm(dim=-1)[0]
    return norms / norms.sum()


def draws(program, folder, ids, target):
    with tempfile.TemporaryDirectory() as place:
        path = pathlib.Path(place) / "draws.safetensors"
        subprocess.run([program, "saliency", "--ids", ",".join(map(str, ids)), "-m", folder, "--target", str(target), "--method",
                        "smoothgrad,gradient-shap", "--with", "draws", "--seed", "3", "-o", path], check=True, capture_output=True)
        found = load_file(path)
    return found["smoothgrad.noise"], found["gradient-shap.alpha"], found["gradient-shap.baseline_ids"]


def build(program, folder):
    model = GPT2LMHeadModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    model.requires_grad_(False)
    ids = load_file(folder / "expected.safetensors")["ids"]
    wte = model.transformer.wte.weight
    e = wte[ids][None]
    with torch.no_grad():
        target, foil = model(ids[None]).logits[0, -1].topk(2).indices.tolist()
    zero = torch.zeros_like(e)
    end = wte[model.config.eos_token_id].expand_as(e)
    out = {"ids": ids, "target": torch.tensor([target]), "foil": torch.tensor([foil])}
    ys = {of: objective(model, target, None, of) for of in ("logit", "logprob", "prob")}
    out["value"] = torch.stack([y(e)[0] for y in ys.values()]).float()
    for name, y in {**ys, "foil": objective(model, target, foil, "logprob")}.items():
        out |= {f"{name}.{method}": scores for method, scores in token_scores(y, e, zero).items()}
    y = ys["logprob"]
    scores = token_scores(y, e, end)
    out |= {f"endoftext.{method}": scores[method] for method in ("integrated-gradients", "occlusion")}
    out["mean.integrated-gradients"] = integrated(y, e, wte.mean(0).expand_as(e)).sum(-1)[0]
    out["logprob.attention-x-gradient"] = relevance(model, e, target)
    out["inseq.integrated-gradients"] = share(integrated(ys["prob"], e, end))
    dropped = token_scores(ys["prob"], e, end)["occlusion"].abs()
    out["inseq.occlusion"] = dropped / dropped.sum()
    out["ecco.input-x-gradient"] = share(InputXGradient(ys["prob"]).attribute(e))

    noise, alpha, baseline_ids = draws(program, folder, ids.tolist(), target)
    assert abs(noise.std() / (0.15 * wte.std()) - 1) < 0.05, "the noise is not as large as it should be"
    assert baseline_ids.max() < model.config.eos_token_id and 0 <= alpha.min() and alpha.max() < 1
    out["logprob.smoothgrad"] = (e * gradient(y, e + noise).mean(0)).sum(-1)[0]
    b = wte[baseline_ids.long()]
    shap = ((e - b) * gradient(y, b + alpha[:, None, None] * (e - b))).mean(0).sum(-1)
    out["logprob.gradient-shap"] = shap
    with torch.no_grad():
        gaps = [out["logprob.integrated-gradients"].sum() - (y(e) - y(zero)), shap.sum() - (y(e) - y(b).mean())]
    out["gap"] = torch.stack([gap.squeeze() for gap in gaps])
    out |= {"noise": noise, "alpha": alpha, "baseline_ids": baseline_ids}
    save_file({k: (v if v.dtype == torch.int64 else v.detach().float()).contiguous() for k, v in out.items()},
              folder / "attribution.safetensors")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    for name in ("base", "inverse-layer"):
        build(sys.argv[1], FIXTURES / name)


if __name__ == "__main__":
    main()

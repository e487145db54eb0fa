"""Writes tests/fixtures/classifier/: a tiny GPT2ForSequenceClassification, and what PyTorch, transformers and captum make of it.

    python tests/make_classifier_golden.py

Made with Python 3.11, torch 2.15.0, transformers 5.24.0, captum 0.9.0, safetensors 0.8.0, on a CPU.

attribution.safetensors, for the ids of make_fixtures.py's text, with the likeliest class as target and the next one as foil:
    logits [3], padded [3]     by transformers, of the ids and of the ids with two more, which are padding
    {logit,logprob,prob,foil,foil-prob,each-logprob,each-prob,each-foil}.{gradient,input-x-gradient,integrated-gradients,occlusion}
        captum, zero baseline, 50 nodes; foil is of log-probabilities; `each` takes the logistic function of a logit, as
        multi_label_classification does, instead of the softmax
    logprob.attention-x-gradient        Chefer et al. 2021, with whole matrices
"""
import shutil

import torch
from make_attribution_golden import token_scores
from make_fixtures import FIXTURES, SPECIAL, TEXT, TOK, VOCAB, make, save_model, save_tokenizer
from safetensors.torch import save_file
from transformers import GPT2ForSequenceClassification
from transformers.utils import logging

LABELS = ["bad", "so <b>so</b>", "good"]
FOLDER = FIXTURES / "classifier"


def classifier():
    body = make("classifier", n_layer=2, n_embd=8, n_positions=16)
    body.config.id2label = dict(enumerate(LABELS))
    body.config.label2id = {label: i for i, label in enumerate(LABELS)}
    body.config.pad_token_id = VOCAB[SPECIAL]
    model = GPT2ForSequenceClassification(body.config)
    model.transformer = body.transformer
    model.score.weight.data = torch.randn(3, 8, generator=torch.Generator().manual_seed(3)) * 0.5
    return model.eval()


def relevance(model, e, target):
    out = model(inputs_embeds=e.detach().requires_grad_(True), output_attentions=True)
    y = out.logits[0].double().log_softmax(-1)[target]
    r = torch.eye(e.shape[1])
    for a, g in zip(out.attentions, torch.autograd.grad(y, out.attentions)):
        r = r + (g * a).clamp(min=0)[0].mean(0).float() @ r
    return r[-1]


def objective(model, of, target, foil=None):
    """Captum needs its own function of embeddings; the head and the pooling are transformers'."""
    def y(e):
        logits = model(inputs_embeds=e).logits.double()
        values = {"logit": logits, "logprob": logits.log_softmax(-1), "prob": logits.softmax(-1),
                  "each-logprob": torch.nn.functional.logsigmoid(logits), "each-prob": logits.sigmoid()}[of]
        return values[:, target] - (values[:, foil] if foil is not None else 0)
    return y


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    save_model(classifier(), FOLDER)
    save_tokenizer(FOLDER, as_pair=False)
    model = GPT2ForSequenceClassification.from_pretrained(FOLDER, dtype=torch.float32, attn_implementation="eager").eval()
    model.requires_grad_(False)
    ids = torch.tensor(TOK.encode(TEXT).ids)
    out = {"ids": ids, "logits": model(ids[None]).logits[0]}
    out["padded"] = model(torch.cat([ids, torch.tensor([VOCAB[SPECIAL]] * 2)])[None]).logits[0]
    target, foil = out["logits"].topk(2).indices.tolist()
    out |= {"target": torch.tensor([target]), "foil": torch.tensor([foil])}
    e = model.transformer.wte.weight[ids][None]
    ys = {of: objective(model, of, target) for of in ("logit", "logprob", "prob", "each-logprob", "each-prob")}
    ys |= {"foil": objective(model, "logprob", target, foil), "foil-prob": objective(model, "prob", target, foil),
           "each-foil": objective(model, "each-logprob", target, foil)}
    for name, y in ys.items():
        out |= {f"{name}.{method}": scores for method, scores in token_scores(y, e, torch.zeros_like(e)).items()}
    out["logprob.attention-x-gradient"] = relevance(model, e, target)
    save_file({k: (v if v.dtype == torch.int64 else v.detach().float()).contiguous() for k, v in out.items()},
              FOLDER / "attribution.safetensors")


if __name__ == "__main__":
    main()

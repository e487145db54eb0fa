"""Writes docs/schema.json, the JSON Schema of the .json files, out of the table below; tests/suite/schema.rs holds it against what every
command writes.

    python tests/make_schema.py

A field is "AXES TYPE: what it is". Types: n number (null is one that is not there, such as the surprisal of the first token), i integer,
s string, b true or false, o object; with ? or null. Axes are lists within lists, outermost first.
"""

import json
from pathlib import Path

RECORD = {
    "version": "s: The version of attnviz",
    "command": "s: What made it, such as attention",
    "options": "o: All options of the command: what it takes to make the file again",
    "line": "s: What was typed but for prompt, model and outputs; for people",
    "model": "identity: The model",
    "prompt": "s: The text that the model read",
    "token_ids": "token i: Its token ids",
    "tokens": "token s: The text of each token",
    "note": "s: What the figure says of the model's origin",
    "input": "input: The file that was read instead of running a model, or as items",
    "other": "o: The second of two that were compared",
    "others": "i: How many more models the results are of",
    "results": "result result: One for each method, model or map",
}
OBJECTS = {
    "identity": {
        "name": "s: A hub id, a folder's name, or builtin",
        "revision": "s?: Its commit on the hub",
        "hash": "s: Hashes of weights, config and tokenizer",
        "tokenizer": "s: Whose tokenizer it was, where that was another's",
        "place": "o: device and dtype, where it was not computed on the CPU in f32",
        "kv_heads": "i: How many heads its keys and values have, where fewer than its queries",
    },
    "input": {"name": "s: Its name, without its folder", "hash": "s: XXH3-128 of its bytes"},
}
TARGET = {
    "position": "i: Whose next token is meant",
    "target": "i: The token that is explained",
    "target_token": "s: Its text",
    "foil": "i?: The token that it is compared with",
    "foil_token": "s?: Its text",
    "of": "s: The number that is explained",
}
NEXT = {
    **{name: TARGET[name] for name in ("position", "target", "target_token", "foil", "foil_token")},
    "next": "token o: The likeliest next tokens: id, label and probability",
    "p_next": "token n: Their probabilities",
    "p_target": "n: The target's probability",
    "p_foil": "n: The foil's probability",
    "rank": "i: The target's place among all tokens, the likeliest 1",
}
MANY = {
    "model": "identity: The model, where there may be several",
    "limit": "i?: At most so many rows of each file",
    "seed": "i: Of what is drawn at random",
    "unusable": "row o: Rows that could not be used, and why",
}
PATCH = {
    "answer": "i?: The answer to the clean prompt",
    "foil": "i?: What it is compared with",
    "metric": "s: What is measured",
    "position": "i: Whose next token is meant",
    "clean": "n: The metric of the clean prompt",
    "corrupt": "n: The metric of the corrupt prompt",
    "corrupt_tokens": "token s: Tokens of the corrupt prompt",
}
SITE = {
    "site": "s: What is replaced",
    "by": "s: position or head",
    "direction": "s: denoising or noising",
    "rule": "s?: How an estimate's backward pass goes",
    "grid": "layer,cell n: What each replacement does, 0 as corrupt and 1 as clean where the metric is a difference",
}
ABLATE = {
    "with": "s: What takes the parts' place",
    "answer": "i: The answer",
    "answer_token": "s: Its text",
    "foil": "i?: What it is compared with",
    "foil_token": "s?: Its text",
    "position": "i: Whose next token is meant",
    "mean_positions": "i?: Positions that the mean is of",
    "other": "s?: The other prompt",
    "reference": "o?: The file of texts that means are of",
    "before": "o: Answer and foil before",
    "kl": "n: KL divergence of the next token",
}
SCORES = "previous duplicate induction sink self distance spread entropy entropy_bits confidence".split()
# Of each kind of result: the methods that are it (none where the name is made of numbers), the fields that it always has, all its fields.
RESULTS = {
    "attention": (
        [],
        ["attention", "layers", "heads", "sink"],
        {
            "attention": "layer,head,query,key n: The pattern after the softmax, as reduced",
            "layers": "layer i: Which layers",
            "heads": "head i: Which heads",
            "reduce_layers": "s?: mean or max over layers",
            "reduce_heads": "s?: mean or max over heads",
            "sink": "s: keep, mask or renorm",
            "empty_rows": "i: Rows that renorm left empty",
            "word_rule": "s?: How tokens were gathered to words",
            "words": "word s: The words that stand in the tokens' place",
            "logits": "query,vocab n: Logits",
            "hidden": "layer,query,dimension n: Hidden states before every layer and after the last",
            "scores": "layer,head,query,key n: Scaled scores before the mask",
        },
    ),
    "attention-received": (
        ["attention-received"],
        ["lift", "share"],
        {
            "words": "word s: What is ranked",
            "first_token": "word i: Where each begins",
            "last_token": "word i: Where each ends",
            "lift": "word n: Times what an even spread would give",
            "share": "word n: Of all that is received; sums to 1",
            "sink_share": "n: What the first token receives",
            "first_token_is": "s: left out, or counted",
            "queries": "s: Which queries count",
        },
    ),
    "attribution": (
        ["gradient", "input-x-gradient", "integrated-gradients", "smoothgrad", "gradient-shap", "occlusion", "attention-x-gradient"],
        ["scores", "score", "of"],
        {
            **TARGET,
            "score": "s: signed, norm or share",
            "scores": "token n: What each token contributes; of generated text a list for each written token",
            "p_target": "n: The target's probability; of generated text a list",
            "target_label": "s: The class that is explained",
            "foil_label": "s?: The class that it is compared with",
            "baseline": "s: What stands for a token that is not there",
            "steps": "i: Nodes of the integral",
            "samples": "i: Samples that were drawn",
            "seed": "i: Of the draws",
            "change": "n: What the scores should add up to",
            "gap": "n: What they miss of it, as a share",
            "noise": "sample,token,dimension n: What was drawn",
            "alpha": "sample n: Where between baseline and input",
            "baseline_ids": "sample,token n: Baselines that were drawn",
            "word_rule": "s: How tokens were gathered to words",
            "words": "word s: The words",
            "word_scores": "word n: The sums of their tokens' scores",
            "prompt_tokens": "i: Tokens of the prompt, before what was written",
            "written": "token s: What the model wrote",
            "written_ids": "token i: Its token ids",
            "choice": "s|o: How tokens were chosen",
        },
    ),
    "faithfulness": (
        ["faithfulness"],
        ["methods", "deletion", "insertion", "conclusion"],
        {
            "methods": "method s: Methods, the best first as ranking says",
            "ranking": "method s: The methods by how low deletion lies",
            "conclusion": "s: Which method is clearly better than a random order",
            "baseline": "s: What stands for a token that is removed",
            "interpolated": "b: Whether curves are between tokens",
            "random_orders": "i: How many random orders",
            "rows_after_the_methods": "s: What the rows after the methods' are",
            "shares": "point n: Shares of tokens that are removed",
            "tokens_removed": "point i: How many that is",
            "deletion": "row,point n: The number without the most important tokens",
            "insertion": "row,point n: The number with them alone",
            "deletion_aopc": "row n: Mean drop",
            "insertion_mean": "row n: Mean of insertion",
            "orders": "order,place n: Random orders",
        },
    ),
    "lens": (
        ["lens"],
        ["rows", "top", "p_top"],
        {
            "rows": "row s: embedding and the layers",
            "target": "i?: A token that is followed",
            "foil": "i?: What it is compared with",
            "followed": "position i: The token that p_target and rank are of",
            **{name: f"row,position n: {what}" for name, what in {
                "top": "The most probable token's id", "p_top": "Its probability", "p_target": "Probability of the token followed",
                "rank": "Its rank", "entropy_bits": "Entropy", "kl_bits": "KL divergence from the last row",
                "difference": "Logit of target less that of foil"}.items()},
            "best": "row,position,rank i: The most probable tokens",
            "p_best": "row,position,rank n: Their probabilities",
        },
    ),
    "direct": (
        ["direct-logit-attribution"],
        ["parts", "logit"],
        {**TARGET, "logit": "n: The logit, or the difference", "parts": "o: What embedding, position, heads, MLPs and biases wrote of it",
         "parts_centred": "o: The same less the mean over the vocabulary"},
    ),
    "norms": (
        ["norms"],
        ["rows", "norm"],
        {
            "rows": "row s: embedding and the layers",
            "norm": "row,position n: Euclidean norm of the residual",
            "largest": "row,rank n: The largest numbers",
            "largest_dimension": "row,rank i: Their dimensions",
            "largest_position": "row,rank i: Their positions",
            "median": "row n: Median size of a number",
            "first_token": "layer n: Attention on the first token",
        },
    ),
    "heads": (
        ["heads"],
        ["label", *SCORES],
        {
            "on": "s: prompt, random tokens or a corpus",
            "label": "layer,head s: The name of each head",
            **{score: "layer,head n: Mean over queries, as docs/methods.md says" for score in SCORES},
            "seed": "i: Of what is drawn",
            "sequences": "i: How many sequences",
            "all_sequences": "i: How many there were to choose from",
            "length": "i: Tokens of a sequence",
            "limit": "i?: At most so many sequences",
            "tokens": "i: Tokens in all",
            "period": "i: Tokens until random ones repeat",
            "random_ids": "sequence,token n: What was drawn",
            "examples": "head o: Examples of each fifth of its range",
        },
    ),
    "weights": (
        ["weights"],
        ["copying"],
        {
            "on": "s: weights",
            "copying": "layer,head n: Share of positive eigenvalues of the OV circuit",
            "position_share": "layer,head n: Share of position in the QK circuit",
            **{f"{side}_composition": "layer,head,layer,head n: Of a later head with an earlier one" for side in ["query", "key", "value"]},
            "chance": "n: What random weights give",
            "chance_deviation": "n: Its standard deviation",
            "draws": "i: How often",
            "seed": "i: Of the draws",
        },
    ),
    "mix": (
        ["raw", "rollout", "flow", "norm", "norm-residual", "value-zeroing", "attention-x-gradient"],
        ["row"],
        {
            **TARGET,
            "map": "position,token n: How much of each token; before layers are reduced, a list for each layer",
            "row": "token n: The same at one position",
            "reduce_heads": "s: mean, or sum of vectors",
            "residual": "n: The residual's share",
            "sink": "s: keep, mask or renorm",
            "sink_share": "n: Attention on the first token",
            "empty_rows": "i: Rows that renorm left empty",
            "all_rows": "b: Whether flow is for every position",
        },
    ),
    "agreement": (
        ["agreement"],
        ["methods", "spearman"],
        {"methods": "method s: Methods", "position": "i: Where", "spearman": "method,method n: Correlation of ranks"},
    ),
    "surprisal": (
        ["surprisal"],
        ["unit", "total"],
        {
            "unit": "s: bits, nats or bans",
            **{unit: "token n: Of each token" for unit in ["bits", "nats", "bans"]},
            "corrected": "token n: With --bow-correction",
            "words": "s|o|a?: Of each word",
            "word_rule": "s?: How tokens were gathered",
            "bow_correction": "b: Whether words are corrected for their beginning",
            "window": "i: Tokens of a window",
            "stride": "i: Tokens between windows",
            "scored": "i: Tokens with a number",
            "total": "n: Their sum",
            "mean": "n: Their mean",
            "perplexity": "n: Of a token",
            "bits_a_byte": "n: Total in bits over bytes of the text",
            "model": "identity: The model, where there are several",
            "labels": "token s: What is compared",
            "tokens": "token s: The model's own tokens",
            "compared_by": "s: token or word",
            "compared": "token n: Of what is compared",
            "difference": "token n: From the first model",
            "more_than": "o: By how much more than the first model, with interval",
        },
    ),
    "qk": (
        ["qk"],
        ["parts", "score"],
        {
            "layer": "i: The layer", "head": "i: The head", "query": "i: The query", "key": "i: The key",
            "score": "n: The score", "apart": "n: What parts miss of it",
            "writers": "writer s: Who wrote",
            "parts": "writer,writer n: Writer at the query by writer at the key",
            "parts_centred": "writer,writer n: The same less what all keys share",
            "key_scores": "key n: The score of each key", "key_attention": "key n: Its attention",
            "by_key_writer": "key,writer n: Each key's score by writer",
        },
    ),
    "difference": (
        [],
        ["difference", "ranking", "same", "tol"],
        {
            "of": "s: What is compared", "sign": "s: B less A", "tol": "n: What may differ", "same": "b: Whether no number differs by more",
            "sink": "s: keep, mask or renorm", "reduce_layers": "s?: Over layers", "reduce_heads": "s?: Over heads", "word_rule": "s?: Words",
            "layers": "layer i: Which layers", "heads": "head i: Which heads", "axis": "token s: The union of both sides' tokens",
            "alignment": "token,side n: Which token of each side, null where it has none",
            "compared_queries": "i: Queries that both have", "ranking": "head a: Heads that changed most",
            "difference": "layer,head,query,key n: B less A",
            **{name: f"layer,head n: {what}" for name, what in {"changed": "Total variation distance", "max_abs": "Largest difference",
               "removed": "On keys that only A has", "added": "On keys that only B has"}.items()},
        },
    ),
    "patching": (["patching"], ["grid", "clean", "corrupt"], {**PATCH, **SITE}),
    "attribution-patching": (["attribution-patching"], ["grid", "confirmed"], {**PATCH, **SITE, "confirmed": "cell o: Cells that were patched"}),
    "patching-pairs": (
        ["patching-pairs", "attribution-patching-pairs"],
        ["grid", "low", "high", "pairs"],
        {**MANY, **SITE, "metric": "s: What is measured", "cells": "cell s: Names of the cells", "pairs": "pair o: Each pair's metrics",
         "confirmed": "cell o: Cells that were patched",
         "low": "layer,cell n: Lower end of 95 %", "high": "layer,cell n: Upper end"},
    ),
    "eap-ig": (
        ["eap-ig"],
        ["edges", "curve"],
        {**PATCH, "steps": "i: Places of the gradient", "circuit": "i: Edges that were asked for", "kept": "i: Edges that lead anywhere",
         "faithfulness": "n: Of the circuit", "edges": "edge o: From, to, score, effect", "curve": "point o: Faithfulness by number of edges",
         "readers": "reader s: Who reads", "writers": "writer s: Who writes"},
    ),
    "ablation": (
        ["ablation"],
        ["ablated", "before", "after"],
        {**ABLATE, "ablated": "part s: What was taken out", "after": "o: Answer and foil after", "jensen_shannon_bits": "n: Of the next token",
         "gained": "token o: More probable", "lost": "token o: Less probable", "next_before": "token o: Most probable before",
         "next_after": "token o: Most probable after", "surprisal_before": "token n: Bits", "surprisal_after": "token n: Bits"},
    ),
    "ablation-each": (
        ["ablation-each"],
        ["ranking", "change"],
        {**ABLATE, "metric": "s: What is measured", "ranking": "part o: The largest changes first",
         **{name: "layer,part n: The heads, then the MLP" for name in
            ["change", "logit_change", "logprob_change", "logit_difference_change", "kl", "rank"]}},
    ),
    "pairs": (
        ["pairs"],
        ["levels"],
        {**MANY, "convention": "s: How sentences are scored", "levels": "level o: Accuracy with interval, of all, phenomena and paradigms",
         "most_wrong": "pair o: The pairs that go most wrong", "explained": "pair o: Who writes the gap"},
    ),
    "cloze": (
        ["cloze"],
        ["items", "accuracy"],
        {**MANY, "accuracy": "k o: Accuracy at k with interval", "items": "item o: Each prompt's answers and their rank"},
    ),
    "template": (
        ["template"],
        ["template"],
        {"model": "identity: The model", "template": "s: The template", "prompts": "prompt s: Its fillings", "labels": "prompt s: Their names",
         "fill": "slot o: What goes into it", "top": "prompt,rank i: Most probable tokens", "p_top": "prompt,rank n: Their probabilities",
         "groups": "group s: The two groups", "more_in_first": "token o: More probable in the first", "more_in_second": "token o: In the second",
         "jensen_shannon_bits": "n: Between the groups", "same_as_first": "i: Same first tokens as the first model",
         "does_not_show": "s: What this does not show"},
    ),
    "linear": (
        ["linear"],
        ["sites", "majority"],
        {**MANY, "label": "s: Which label", "pool": "s: How tokens become one", "seeds": "seed i: Of the splits", "best": "s: The best site",
         "classes": "class o: How many of each", "examples": "i: Examples", "items": "i: Items", "types": "i: Different words",
         "unlabelled": "i: Words without label", "in_no_token": "i: Words that begin in no token", "majority": "o: The largest class alone",
         "sites": "site o: Accuracy, control and selectivity with intervals"},
    ),
    "bias": (
        ["bias"],
        ["categories", "suite"],
        {**MANY, "suite": "s: Which suite", "convention": "s: How sentences are scored", "tie": "n: What counts as none",
         "permutations": "i: Of the test", "categories": "category o: Shares and gaps with intervals", "most_lopsided": "pair o: The largest gaps",
         "remarks": "remark s: What is assumed", "does_not_show": "s: What this does not show"},
    ),
    "circuit-check": (
        ["circuit-check"],
        ["holds", "quantities"],
        {"circuit": "s: Which circuit", "holds": "b: Whether the model has it", "count": "i: Prompts", "seed": "i: Of the prompts",
         "prompts": "prompt s: The prompts", "quantities": "quantity o: Each beside its range"},
    ),
    "explain": (["explain"], ["sentences"], {"sentences": "sentence o: The text, and the panel that it is of"}),
    "next-token": (["next-token"], ["next", "p_next", "p_target"], NEXT),
    "contrast": (["contrast"], ["next", "p_next", "prompt"], {**NEXT, "prompt": "s: The other prompt"}),
}
TYPES = {"n": ["number", "null"], "i": ["integer"], "s": ["string"], "b": ["boolean"], "o": ["object"], "a": ["array"]}


def field(told: str) -> dict:
    """What a field's line says, as a schema."""
    kind, what = told.split(": ", 1)
    axes, kind = kind.rsplit(" ", 1) if " " in kind else ("", kind)
    if kind.rstrip("?|") in ("identity", "input", "result"):
        schema = {"$ref": f"#/$defs/{kind}"}
    else:
        types = sum((TYPES[part] for part in kind.rstrip("?").split("|")), []) + ["null"] * kind.endswith("?")
        schema = {"type": types if len(types) > 1 else types[0]}
    if kind == "n" and not axes and "of generated text" in what:
        schema = {"type": ["number", "null", "array"]}
    names = axes.split(",") if axes else []
    for name in reversed(names):
        inner = {**schema, "type": [*schema["type"], "array"]} if isinstance(schema.get("type"), list) and "a list for each" in what else schema
        schema = {"type": "array", "items": inner}
    return {**schema, "description": what + (f" [{', '.join(names)}]" if names else "")}


def thing(fields: dict, required: list, **more: dict) -> dict:
    """An object that has these fields and no others."""
    properties = {**more, **{name: field(told) for name, told in fields.items()}}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def main() -> None:
    """Writes the file."""
    definitions = {name: thing(fields, ["name", "hash"]) for name, fields in OBJECTS.items()}
    common = {
        "bos": {"type": "boolean", "description": "Whether it begins with the model's own beginning-of-text token"},
        "model": field("identity: The model, where several are on one page"),
        "tokens": field("token s: Its tokens, where they are not those of the file"),
    }
    for name, (methods, required, fields) in RESULTS.items():
        method = {"enum": methods} if methods else {"type": "string", "description": f"{name}, or {name}-LAYER-HEAD of a head named alone"}
        definitions[name] = thing(fields, ["method", *required], method=method, **common)
    definitions["result"] = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in RESULTS]}
    always = ["version", "command", "options", "model", "prompt", "token_ids", "tokens", "results"]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What attnviz writes as JSON",
        "description": "Numbers that are not there are null. docs/methods.md says what each method computes.",
        **thing(RECORD, always),
        "$defs": definitions,
    }
    path = Path(__file__).resolve().parent.parent / "docs/schema.json"
    path.write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

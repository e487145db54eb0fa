"""The Python package says what the program says. Needs the package (python/ on the path and ATTNVIZ naming the program, or the wheel) and
NumPy; compares with transformers where that is installed.

    PYTHONPATH=python ATTNVIZ=target/debug/attnviz python tests/python_package.py
"""

import ast
import importlib.util
import json
import os
import subprocess
import tempfile
import unittest
import warnings
from pathlib import Path
from unittest import mock

import attnviz
import numpy as np

TREE = Path(__file__).resolve().parent.parent
TEXT = "The fox met the"


def skipped(reason):
    """Says what is left out, where tests are counted."""
    if name := os.environ.get("ATTNVIZ_SKIPPED"):
        with open(name, "a", encoding="utf-8") as file:
            file.write(f"skipped: tests/python_package.py: {reason}\n")
    raise unittest.SkipTest(reason)


class Package(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def typed(self, *arguments):
        """What the program itself writes as JSON."""
        run = [attnviz.program(), *arguments, "-m", "builtin", "-q", "-o", "-", "--format", "json"]
        return json.loads(subprocess.run(run, check=True, capture_output=True).stdout)

    def test_arrays_are_those_of_the_command(self):
        for command, array in [
            ("attention", "attention"),
            ("saliency", "scores"),
            ("lens", "p_top"),
            ("heads", "induction"),
            ("surprisal", "bits"),
        ]:
            found = getattr(attnviz, command)(TEXT, model="builtin")
            typed = self.typed(command, TEXT)
            expected = np.array(typed["results"][0][array], np.float32)
            np.testing.assert_array_equal(found[array], expected, command)
            self.assertEqual(found.tokens, typed["tokens"])
            self.assertEqual(found.record["command"], command)
        found = attnviz.mix(TEXT, model="builtin", method=["raw", "rollout"])
        expected = [result["map"] for result in self.typed("mix", TEXT, "--method=raw,rollout")["results"][:2]]
        np.testing.assert_array_equal([found["raw.map"], found["rollout.map"]], np.array(expected, np.float32))
        self.assertEqual(attnviz.heads(model="builtin", weights=True).tokens, [])

    def test_options_are_flags(self):
        found = attnviz.attention(TEXT, model="builtin", layer=[0, -1], head=2, bos=False, with_=["logits", "hidden"], theme="dark")
        self.assertEqual(found["attention"].shape[:2], (2, 1))
        self.assertTrue({"logits", "hidden"} <= set(found))
        self.assertEqual((found.results[0]["layers"], found.results[0]["heads"]), ([0, 4], [2]))
        saliency = attnviz.saliency(TEXT, model="builtin", target=" crow", position=-1)
        self.assertEqual(saliency.record["options"]["target"]["position"], -1)
        words = attnviz.attention("The crows", model="builtin", words=True)
        self.assertEqual((words.words, words["attention"].shape[-1]), (["The", "crows"], 2))

    def test_texts_arrive_as_they_are(self):
        for text in ["\ufeffé\r\n\n", "-", "--help", "mix"]:
            self.assertEqual(attnviz.surprisal(text, model="builtin").record["prompt"], text)
        ids = attnviz.attention(TEXT, model="builtin")["token_ids"]
        np.testing.assert_array_equal(attnviz.attention(ids, model="builtin")["token_ids"], ids)

    def test_errors_are_exceptions_with_a_hint(self):
        for failing, code in [
            (lambda: attnviz.attention("x", model="./nothing-here"), 1),
            (lambda: attnviz.attention("x", model="builtin", nonsense=1), 2),
            (lambda: attnviz.attention("", model="builtin"), 2),
            (lambda: attnviz.attention("a\0b", model="builtin", layer=99), 2),
            (lambda: attnviz.render([np.full((1, 1, 2, 2), -1.0)]), 1),
            (lambda: attnviz.render([]), 1),
            (lambda: attnviz.render((None, None)), 1),
        ]:
            with self.assertRaises(attnviz.AttnvizError) as caught:
                failing()
            error = caught.exception
            self.assertTrue(len(error.message) > 8 and len(error.hint) > 8 and "\n" not in error.message, error)
            self.assertEqual((str(error), error.code), (f"{error.message}\nhint: {error.hint}", code))
        with mock.patch.dict(os.environ, ATTNVIZ="/nowhere/attnviz"), self.assertRaisesRegex(attnviz.AttnvizError, "does not start"):
            attnviz.heads(model="builtin")

    def test_what_is_assumed_is_a_warning(self):
        with mock.patch.dict(os.environ, HF_HUB_OFFLINE="1", HF_HOME=self.folder.name):
            with self.assertWarnsRegex(attnviz.AttnvizWarning, "built-in model"):
                found = attnviz.attention("Once upon a time")
        self.assertTrue(any("built-in" in remark for remark in found.remarks))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            attnviz.attention("Once upon a time", model="builtin")

    def test_a_notebook_shows_the_figure_and_files_are_those_of_the_program(self):
        found = attnviz.attention(TEXT, model="builtin", layer=4, head=3)
        self.assertIn("·fox", found._repr_svg_())
        self.assertRegex(found._repr_html_(), r'^<img [^>]*alt="attnviz attention: The fox met[^>]*base64,[A-Za-z0-9+/=]+">$')
        saved = attnviz.render(found["attention"], found.tokens)
        for result, name in [(found, "a.html"), (found, "a.svg"), (saved, "b.png"), (saved, "b.npz")]:
            path = Path(self.folder.name, name)
            self.assertEqual(result.save(path), path)
            self.assertGreater(path.stat().st_size, 100)
        self.assertIn("attention [1, 1, 4, 4]", repr(found))

    def test_attention_from_elsewhere_is_drawn_as_it_is(self):
        attention = attnviz.attention(TEXT, model="builtin")
        layers = tuple(layer[None] for layer in attention["attention"].astype(np.float64))
        for given in [layers, np.stack(layers), [layer[0] for layer in layers]]:
            found = attnviz.render(given, [token.replace(" ", "Ġ") for token in attention.tokens])
            np.testing.assert_array_equal(found["attention"], attention["attention"])
            self.assertEqual(found.tokens, attention.tokens)
        self.assertEqual(attnviz.render(layers).tokens, [str(at) for at in range(len(attention.tokens))])

    def test_numbers_are_those_of_transformers(self):
        if not importlib.util.find_spec("transformers") or not importlib.util.find_spec("torch"):
            skipped("transformers and torch are not installed")
        import torch
        from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast

        folder = TREE / "assets/model"
        model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
        ids = torch.tensor([tokenizer.encode(TEXT)])
        outputs = model(ids, output_attentions=True)  # with gradients: they are left behind
        ours = attnviz.attention(TEXT, model=str(folder), with_="logits")
        theirs = torch.stack(outputs.attentions)[:, 0].detach().numpy()
        np.testing.assert_allclose(ours["attention"], theirs, atol=1e-5)
        np.testing.assert_allclose(ours["logits"], outputs.logits[0].detach().numpy(), atol=1e-3)
        for precision in [torch.float32, torch.float64, torch.bfloat16]:
            drawn = attnviz.render(tuple(layer.to(precision) for layer in outputs.attentions), tokenizer.convert_ids_to_tokens(ids[0]))
            np.testing.assert_allclose(drawn["attention"], theirs, atol=1e-6 if precision != torch.bfloat16 else 4e-3)
            self.assertEqual(drawn.tokens, ours.tokens)
        probabilities = torch.log_softmax(outputs.logits[0].detach(), -1)[:-1].gather(1, ids[0, 1:, None])[:, 0]
        bits = attnviz.surprisal(TEXT, model=str(folder))["bits"]
        np.testing.assert_allclose(bits[1:], -probabilities.numpy() / np.log(2), atol=1e-4)
        self.assertTrue(np.isnan(bits[0]))

    def test_the_notebook_runs_from_top_to_bottom(self):
        notebook = json.loads((TREE / "examples/attention.ipynb").read_text(encoding="utf-8"))
        names, shown = {}, []
        before = os.getcwd()
        os.chdir(self.folder.name)
        self.addCleanup(os.chdir, before)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                self.assertEqual(cell["outputs"], [], "the notebook is kept without outputs")
                tree = ast.parse("".join(cell["source"]))
                last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
                exec(compile(tree, "cell", "exec"), names)
                if last:
                    shown.append(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
        self.assertGreaterEqual(sum(hasattr(value, "_repr_svg_") for value in shown), 3)


if __name__ == "__main__":
    unittest.main()

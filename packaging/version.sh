#!/usr/bin/env bash
# The version, from Cargo.toml, where alone it is written. With a tag: whether this tree is what the tag says, with a section of the
# changelog; that section is printed then.
#     packaging/version.sh            0.1.0
#     packaging/version.sh v0.1.0     the changelog of 0.1.0
set -euo pipefail
cd "$(dirname "$0")/.."
fail() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}
version="$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)"
[ $# -gt 0 ] || { echo "$version"; exit 0; }
[ "$1" = "v$version" ] || fail "the tag is $1, and Cargo.toml says $version" "tag v$version, or change the version in Cargo.toml"
grep -A1 -x 'name = "attnviz"' Cargo.lock | grep -qx "version = \"$version\"" ||
  fail "Cargo.lock has another version than $version" "run cargo check, and commit Cargo.lock"
notes="$(awk -v head="## $version " 'index($0 " ", head) == 1 { on = 1; next } /^## / { on = 0 } on' CHANGELOG.md)"
[ -n "${notes//[[:space:]]/}" ] || fail "CHANGELOG.md has no section \"## $version\"" "name the section \"Unreleased\" so, with the date"
echo "$notes"

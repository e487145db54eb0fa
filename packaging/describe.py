"""Descriptions of a release for package managers, all from one place: the version in Cargo.toml and the hashes of what was built.

    python packaging/describe.py https://github.com/OWNER/attnviz dist

`dist` holds the archives with their .sha256 (packaging/archive.py) and the source distribution of Python (maturin sdist). Written into it:
attnviz.rb, a formula for a Homebrew tap, out of the archives; recipe.yaml, for conda-forge, from the source.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
BREW = {
    ("macos", "arm"): "aarch64-apple-darwin",
    ("macos", "intel"): "x86_64-apple-darwin",
    ("linux", "arm"): "aarch64-unknown-linux-gnu",
    ("linux", "intel"): "x86_64-unknown-linux-gnu",
}


def crate() -> dict:
    """What Cargo.toml says of this crate."""
    asked = ["cargo", "metadata", "--no-deps", "--format-version", "1", "--manifest-path", TREE / "Cargo.toml"]
    return json.loads(subprocess.run(asked, check=True, stdout=subprocess.PIPE).stdout)["packages"][0]


def formula(about: dict, url: str, dist: Path) -> str:
    """A Homebrew formula that takes the archives of a release."""
    version, lines = about["version"], []
    for system in ["macos", "linux"]:
        lines.append(f"  on_{system} do")
        for processor in ["arm", "intel"]:
            name = f"attnviz-v{version}-{BREW[system, processor]}.tar.gz"
            digest = (dist / f"{name}.sha256").read_text(encoding="ascii").split()[0]
            lines += [
                f"    on_{processor} do",
                f'      url "{url}/releases/download/v{version}/{name}"',
                f'      sha256 "{digest}"',
                "    end",
            ]
        lines.append("  end")
    archives = "\n".join(lines)
    return f"""\
class Attnviz < Formula
  desc "Show what each attention head of GPT-2 looks at"
  homepage "{url}"
  version "{version}"
  license any_of: ["MIT", "Apache-2.0"]

{archives}

  def install
    bin.install "attnviz"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/attnviz.bash" => "attnviz"
    zsh_completion.install "completions/_attnviz"
    fish_completion.install "completions/attnviz.fish"
  end

  test do
    system bin/"attnviz", "-m", "builtin", "Once upon a time", "-o", "a.png"
    assert_path_exists testpath/"a.png"
  end
end
"""


def recipe(about: dict, url: str, dist: Path) -> str:
    """A recipe for conda-forge (rattler-build's format) that builds the wheel from the source distribution."""
    source = dist / f"attnviz-{about['version']}.tar.gz"
    return f"""\
schema_version: 1

context:
  version: "{about["version"]}"

package:
  name: attnviz
  version: ${{{{ version }}}}

source:
  url: https://pypi.org/packages/source/a/attnviz/attnviz-${{{{ version }}}}.tar.gz
  sha256: {hashlib.sha256(source.read_bytes()).hexdigest()}

build:
  number: 0
  script:
    - cargo-bundle-licenses --format yaml --output THIRDPARTY.yml
    - python -m pip install . -vv --no-deps --no-build-isolation

requirements:
  build:
    - ${{{{ stdlib("c") }}}}
    - ${{{{ compiler("c") }}}}
    - ${{{{ compiler("rust") }}}}
    - cargo-bundle-licenses
  host:
    - python
    - pip
    - maturin >=1.9,<2
  run:
    - python
    - numpy

tests:
  - python:
      imports: [attnviz]
  - script:
      - attnviz -m builtin "Once upon a time" -o a.png

about:
  homepage: {url}
  summary: {about["description"]}
  license: {about["license"]}
  license_file: [LICENSE-MIT, LICENSE-APACHE, THIRDPARTY.yml]
"""


def main() -> None:
    """Reads the arguments, writes the two files."""
    if len(sys.argv) != 3 or not sys.argv[1].startswith("https://"):
        sys.exit(__doc__)
    url, dist, about = sys.argv[1].rstrip("/"), Path(sys.argv[2]), crate()
    for name, text in [("attnviz.rb", formula(about, url, dist)), ("recipe.yaml", recipe(about, url, dist))]:
        (dist / name).write_text(text, encoding="utf-8", newline="\n")
        print(dist / name)


if __name__ == "__main__":
    main()

"""Whether every link and picture of a site leads to a file and a heading that are there: python packaging/book/links.py FOLDER"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """What a page leads to, and what can be led to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.leads, self.names = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value and tag in ("a", "img", "script", "link"):
                self.leads.append(value)
            if name == "id" or (name == "name" and tag == "a"):
                self.names.add(value)


def main() -> None:
    """Checks the pages of the book; those of cargo doc are only led to."""
    site = Path(sys.argv[1]).resolve()
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html") if "api" not in path.relative_to(site).parts}
    lost, count = [], 0
    for path, page in pages.items():
        for lead in page.leads:
            url = urlsplit(lead)
            if url.scheme or url.netloc or path.name in ("404.html", "toc.html"):
                continue
            count += 1
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            target = target / "index.html" if target.is_dir() and (target / "index.html").exists() else target
            if not target.exists() or (url.fragment and target in pages and unquote(url.fragment) not in pages[target].names):
                lost.append(f"error: {path.relative_to(site)} leads to {lead}\nhint: see what it is called now")
    print(f"{len(pages)} pages, {count} links")
    if lost or len(pages) < 10:
        sys.exit("\n".join(lost) or f"error: {site} holds hardly a page\nhint: build it with packaging/book.sh")


if __name__ == "__main__":
    main()

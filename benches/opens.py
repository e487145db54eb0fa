"""How long a page takes a reader: until it is open, until all its small maps are drawn, and from a click on a head until that head is on
the screen. A new Chromium for each run, without a window; prints a table of medians.

    attnviz attention --file benches/peers/long.txt -m MODEL -o page.html
    python benches/opens.py page.html [RUNS]           5 runs unless given; needs Chromium and Python, nothing else
"""
import itertools
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HEADS = 24  # clicks in each run
# Resolves when what was asked for has been painted: a frame has begun, and the task after it.
PAINTED = "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
STARTED = "!document.getElementById('explorer')?.hidden && document.getElementById('status')?.textContent"
SMALL = "[...document.querySelectorAll('#heads button')].every((head) => head.firstChild)"
CLICK = f"""(async () => {{
  const heads = document.querySelectorAll('#heads button');
  const spent = [];
  for (let at = 0; at < {HEADS}; at++) {{
    const begun = performance.now();
    heads[(at * 37) % heads.length].click();
    await {PAINTED};
    spent.push(performance.now() - begun);
  }}
  return spent;
}})()"""


class Browser:
    """One page, over the pipes that `--remote-debugging-pipe` reads and writes."""

    def __init__(self, folder):
        name = next((found for name in ("chromium", "google-chrome") if (found := shutil.which(name))), None)
        if name is None:
            sys.exit("no Chromium is installed")
        (theirs, to), (self.source, back) = os.pipe(), os.pipe()
        self.to, self.rest, self.numbers = to, b"", itertools.count(1)

        def pipes():  # they are expected as 3 and 4; neither may be in the other's way
            high = [os.dup2(end, place) for end, place in ((theirs, 60), (back, 61))]
            for end, place in zip(high, (3, 4)):
                os.dup2(end, place)

        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe", "--window-size=1280,900"]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen([name, *flags, f"--user-data-dir={folder}/profile"], close_fds=False, preexec_fn=pipes,
                                        stdin=quiet, stdout=quiet, stderr=quiet)
        os.close(theirs)
        os.close(back)
        self.session = None
        target = self.asks("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.asks("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def asks(self, method, **params):
        number = next(self.numbers)
        session = {"sessionId": self.session} if self.session else {}
        os.write(self.to, json.dumps({"id": number, "method": method, "params": params, **session}).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                more = os.read(self.source, 1 << 16)
                if not more:
                    sys.exit("the browser went away")
                self.rest += more
            message, self.rest = self.rest.split(b"\0", 1)
            answer = json.loads(message)
            if answer.get("id") == number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]

    def says(self, expression):
        found = self.asks("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            sys.exit(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def waits(self, expression):
        while not self.says(f"Boolean({expression})"):
            time.sleep(0.01)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.source)


def measured(page):
    """Seconds until the page is drawn and until its small maps are, milliseconds of each click, MiB that the script holds."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(folder)
        begun = time.perf_counter()
        browser.asks("Page.navigate", url=page.resolve().as_uri())
        browser.waits(STARTED)
        browser.says(PAINTED)
        drawn = time.perf_counter() - begun
        browser.waits(SMALL)
        small = time.perf_counter() - begun
        clicks = browser.says(CLICK)
        browser.close()
    return drawn, small, clicks


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    page, runs = pathlib.Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    drawn, small, clicks = zip(*(measured(page) for _ in range(runs)))
    clicks = sorted(itertools.chain(*clicks))
    print("| page | open and drawn | all small maps | a click on a head: median, 95th of 100, longest |\n|---|---|---|---|")
    print(f"| {page.stat().st_size / 2**20:.1f} MiB | {statistics.median(drawn):.2f} s ({min(drawn):.2f} to {max(drawn):.2f}) | {statistics.median(small):.2f} s | "
          f"{statistics.median(clicks):.0f}, {clicks[int(0.95 * len(clicks))]:.0f}, {clicks[-1]:.0f} ms |")


if __name__ == "__main__":
    main()

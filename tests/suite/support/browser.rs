//! A real browser, driven over a pair of pipes by the protocol of its own tools.

use super::shell::Shell;
use super::skip::skip;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
const NAMES: [&str; 2] = ["chromium", "google-chrome"];

/// One page of a browser without a window. What the page says to its console, what it asks the network for, and what its policy forbids
/// is kept.
pub struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    session: String,
    number: u64,
    /// Everything that a page should not do.
    pub faults: Vec<String>,
    _home: tempfile::TempDir,
}

impl Browser {
    /// A browser; where none starts, the test that asks is skipped.
    #[track_caller]
    pub fn or_skip(shell: &Shell, size: [u32; 2]) -> Option<Self> {
        let found = Self::start(shell, size);
        if found.is_none() {
            skip("no Chromium is installed that starts here");
        }
        found
    }

    /// A browser; none where none is installed that starts here.
    pub fn start(shell: &Shell, size: [u32; 2]) -> Option<Self> {
        let name = NAMES.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok())?;
        let home = tempfile::tempdir().unwrap();
        let [to, from] = ["to", "from"].map(|name| home.path().join(name));
        for pipe in [&to, &from] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        // Letters are as wide as the font says, and no machine's screen has a say.
        let flags = "--headless=new --no-sandbox --disable-gpu --no-first-run --remote-debugging-pipe \
                     --font-render-hinting=none --force-color-profile=srgb --hide-scrollbars";
        let line = format!(
            "exec {name} {flags} --window-size={},{} --user-data-dir={}/profile 3<{} 4>{} 2>/dev/null >/dev/null",
            size[0],
            size[1],
            home.path().display(),
            to.display(),
            from.display()
        );
        let child = shell.program("sh").args(["-c", &line]).env("HOME", home.path()).spawn().unwrap();
        let to = File::options().write(true).open(to).unwrap();
        let from = BufReader::new(File::open(from).unwrap());
        let (session, faults) = (String::new(), Vec::new());
        let mut browser = Self { child, to, from, session, number: 0, faults, _home: home };
        browser.answers()?;
        let target = browser.asks("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.asks("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Runtime", "Log", "Network", "Page"] {
            browser.asks(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Whether it is there at all.
    fn answers(&mut self) -> Option<()> {
        write!(self.to, "{}\0", json!({ "id": 0, "method": "Browser.getVersion" })).ok()?;
        let mut bytes = Vec::new();
        (self.from.read_until(0, &mut bytes).ok()? > 0).then_some(())
    }

    /// One command of the protocol, and its answer.
    pub fn asks(&mut self, method: &str, params: Value) -> Value {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": params });
        if !self.session.is_empty() {
            message["sessionId"] = self.session.clone().into();
        }
        write!(self.to, "{message}\0").unwrap();
        let number = self.number;
        loop {
            let heard = self.hear();
            if heard["id"] == number {
                assert!(heard["error"].is_null(), "{method}: {heard}");
                return heard["result"].clone();
            }
        }
    }

    fn hear(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).unwrap();
        bytes.pop();
        let heard: Value = serde_json::from_slice(&bytes).expect("the browser went away");
        let params = &heard["params"];
        match heard["method"].as_str() {
            Some("Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded") => {
                self.faults.push(params.to_string());
            }
            Some("Network.requestWillBeSent") => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                if !["file:", "data:", "blob:"].iter().any(|own| url.starts_with(own)) {
                    self.faults.push(format!("asked the network for {url}"));
                }
            }
            _ => (),
        }
        heard
    }

    /// Opens a file, at a fragment.
    pub fn opens(&mut self, path: &Path, fragment: &str) {
        self.asks("Page.navigate", json!({ "url": "about:blank" }));
        self.asks("Page.navigate", json!({ "url": format!("file://{}{fragment}", path.display()) }));
        self.waits("document.readyState === 'complete'");
    }

    /// Opens a page with an explorer, and waits until that is there.
    pub fn starts(&mut self, path: &Path, fragment: &str) {
        self.opens(path, fragment);
        self.waits("!document.getElementById('explorer').hidden && document.getElementById('status').textContent");
    }

    /// The window's width from now on, and whether what is shown is light or dark.
    pub fn wears(&mut self, width: u32, scheme: &str) {
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.asks("Emulation.setDeviceMetricsOverride", size);
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.asks("Emulation.setEmulatedMedia", media);
    }

    /// All of the page, as PNG.
    pub fn picture(&mut self) -> Vec<u8> {
        let size = self.asks("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let taken = self.asks("Page.captureScreenshot", json!({ "captureBeyondViewport": true, "clip": clip }));
        STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
    }

    /// The page as it is printed, as PDF.
    pub fn prints(&mut self) -> Vec<u8> {
        let printed = self.asks("Page.printToPDF", json!({ "printBackground": true }));
        STANDARD.decode(printed["data"].as_str().unwrap()).unwrap()
    }

    /// What a button of the page saves, as base64.
    fn saved(&mut self, button: &str) -> Vec<u8> {
        let got = self.says(&format!(
            "(async () => {{ let got; const make = URL.createObjectURL; URL.createObjectURL = (blob) => make.call(URL, (got = blob)); \
             document.getElementById('{button}').click(); while (!got) await new Promise((next) => setTimeout(next, 5)); \
             URL.createObjectURL = make; const read = new FileReader(); read.readAsDataURL(got); \
             await new Promise((done) => (read.onload = done)); return read.result.split(',')[1]; }})()"
        ));
        STANDARD.decode(got.as_str().unwrap()).unwrap()
    }

    /// The text that a button of the page saves.
    pub fn saves(&mut self, button: &str) -> String {
        String::from_utf8(self.saved(button)).unwrap()
    }

    /// The picture that a button of the page saves.
    pub fn saves_picture(&mut self, button: &str) -> Vec<u8> {
        self.saved(button)
    }

    /// What an expression of the page is.
    pub fn says(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let result = self.asks("Runtime.evaluate", params);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn waits(&mut self, expression: &str) {
        let started = Instant::now();
        while self.says(&format!("Boolean({expression})")) != true {
            assert!(started.elapsed() < PATIENCE, "{expression} did not come true");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Presses a key.
    pub fn presses(&mut self, key: &str) {
        for kind in ["rawKeyDown", "keyUp"] {
            self.asks("Input.dispatchKeyEvent", json!({ "type": kind, "key": key, "code": key }));
        }
    }

    /// Chooses one of a list's choices.
    pub fn chooses(&mut self, list: &str, value: &str) {
        self.says(&format!(
            "(() => {{ const e = document.getElementById('{list}'); e.value = '{value}'; e.dispatchEvent(new Event('change')); }})()"
        ));
    }

    /// Moves the pointer to a place in an element, from its right and lower ends where that is below 0.
    pub fn points(&mut self, selector: &str, place: [f64; 2]) {
        self.clicks(selector, place, 0, 0);
    }

    /// Clicks at a place in an element so often, with these keys held (8 is shift).
    pub fn clicks(&mut self, selector: &str, [x, y]: [f64; 2], times: u32, held: u32) {
        let place = self.says(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView(); const b = e.getBoundingClientRect(); \
             return [{x} < 0 ? b.right + {x} : b.left + {x}, {y} < 0 ? b.bottom + {y} : b.top + {y}]; }})()"
        ));
        let mut event = |kind: &str, count: u32| {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": if count > 0 { "left" } else { "none" },
                "clickCount": count, "modifiers": held });
            self.asks("Input.dispatchMouseEvent", event);
        };
        event("mouseMoved", 0);
        for count in 1..=times {
            event("mousePressed", count);
            event("mouseReleased", count);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

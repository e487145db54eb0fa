//! A real browser, driven over a pair of pipes by the protocol of its own tools.

use super::shell::Shell;
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
    /// A browser; none where none is installed that starts here.
    pub fn start(shell: &Shell, size: [u32; 2]) -> Option<Self> {
        let name = NAMES.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok())?;
        let home = tempfile::tempdir().unwrap();
        let [to, from] = ["to", "from"].map(|name| home.path().join(name));
        for pipe in [&to, &from] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        let flags = "--headless=new --no-sandbox --disable-gpu --no-first-run --remote-debugging-pipe";
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

    /// Moves the pointer to a place in an element, and clicks there if asked to.
    pub fn points(&mut self, selector: &str, [x, y]: [f64; 2], click: bool) {
        let place = self.says(&format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView(); \
             const b = e.getBoundingClientRect(); return [b.left + {x}, b.top + {y}]; }})()"
        ));
        let event =
            |kind: &str| json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
        self.asks("Input.dispatchMouseEvent", json!({ "type": "mouseMoved", "x": place[0], "y": place[1] }));
        for kind in ["mousePressed", "mouseReleased"].iter().filter(|_| click) {
            self.asks("Input.dispatchMouseEvent", event(kind));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

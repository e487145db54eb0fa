//! A folder of pages has a page that leads to them, the same however the folder came about.

use super::support::browser::Browser;
use super::support::shell::{Shell, names};
use std::path::Path;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    names(folder).into_iter().map(|name| (name.clone(), std::fs::read(folder.join(&name)).unwrap())).collect()
}

/// The addresses in a page.
fn links(html: &str) -> Vec<&str> {
    html.split("<a href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn a_folder_of_pages_has_one_that_leads_to_them() {
    let shell = Shell::new();
    let hostile = "<img src=x onerror=alert(1)> \"'";
    shell.write("p.txt", format!("the cat\n{hostile}\n{}\nsat & on\n", "a ".repeat(3000)));
    let ran = shell.run(&["batch", "p.txt", "--out", "d", "-m", FIXTURE, "--format", "html,json", "-q"]);
    assert_eq!(ran.code, Some(1), "the third is too long: {}", ran.err);
    let index = shell.text("d/index.html");
    assert!(index.contains("<h1>attention of 4 prompts</h1>") && index.contains("failed: "), "{index}");
    assert!(!index.contains("<img src=x") && index.contains("&lt;img src=x"), "{index}");
    assert_eq!(links(&index).len(), 3 * 2);
    for link in links(&index) {
        assert!(shell.path("d").join(link).exists(), "{link}");
    }
    assert_eq!(index.matches("<img src=\"data:image/png;base64,iVBOR").count(), 3);
    // A folder without pages has none.
    shell.write("q.txt", "the cat\n");
    shell.ok(&["batch", "q.txt", "--out", "e", "-m", FIXTURE, "--format", "json", "-q"]);
    assert!(!shell.path("e/index.html").exists());

    let Some(mut browser) = Browser::or_skip(&shell, [900, 700]) else { return };
    browser.opens(&shell.path("d/index.html"), "#search=CAT+the");
    let shown =
        "[...document.querySelectorAll('#prompts li')].filter((item) => !item.hidden).map((item) => item.value)";
    assert_eq!(browser.says(shown), serde_json::json!([0]));
    assert_eq!(browser.says("document.getElementById('found').textContent"), "1 of 4 prompts");
    browser.says("(() => { const e = document.getElementById('search'); e.value = 'on'; e.dispatchEvent(new Event('input')); })()");
    assert_eq!(browser.says(shown), serde_json::json!([1, 3]));
    assert_eq!(browser.says("location.hash"), "#search=on");
    browser.waits("[...document.images].every((image) => image.complete && image.naturalWidth > 0)");
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn shards_and_what_is_resumed_come_to_the_same_index() {
    let shell = Shell::new();
    let prompts: String = (0..70).map(|i| format!("the cat {}\n", i % 11)).collect();
    shell.write("p.txt", prompts);
    let run = |out: &str, flags: &[&str]| {
        let args = ["batch", "p.txt", "--out", out, "-m", FIXTURE, "--run", "lens", "--format", "html", "-q"];
        shell.ok(&[&args[..], flags].concat());
    };
    run("whole", &[]);
    run("a", &["--shard", "1/2"]);
    run("b", &["--shard", "2/2"]);
    assert_eq!(links(&shell.text("a/index.html")).len(), 64);
    shell.ok(&["batch", "--merge", "b", "a", "--out", "merged", "-q"]);
    assert!(contents(&shell.path("whole")) == contents(&shell.path("merged")));
    let before = contents(&shell.path("whole"));
    std::fs::remove_file(shell.path("whole/index.html")).unwrap();
    std::fs::remove_file(shell.path("whole").join(&before[3].0)).unwrap();
    run("whole", &["--resume"]);
    assert!(contents(&shell.path("whole")) == before);
}

//! The page that leads to a folder's pages: made of its manifest and of the signs in the pages, so that it is the same whoever makes it.

use super::MANIFEST;
use super::list::List;
use super::manifest::{Entry, Outcome, ResultFile};
use crate::error::{Error, Result};
use crate::export::{unwritten, write_own};
use crate::findings::{PAGE_SIGN, page_head};
use crate::format::Format;
use crate::named::Named;
use crate::plain;
use crate::render::visible;
use crate::text::{count, excerpt, path_segment, xml};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Its name.
pub(super) const INDEX: &str = "index.html";

const SCRIPT: &str = include_str!("../../assets/page/index.js");
/// Characters of a prompt that are shown.
const SHOWN: usize = 300;
/// How much of a page is read for its sign, and how long that may be.
const BEGINNING: u64 = 64 << 10;
const LONGEST: usize = 32 << 10;
/// Prompts with a sign; of more the list would take long to open.
const SIGNS: usize = 2000;

/// Writes the page into a finished folder, if it is one of pages.
///
/// # Errors
/// A list that cannot be read, or a folder that cannot be written.
pub(super) fn write(folder: &Path) -> Result<()> {
    let open = || -> Result<List> {
        let path = folder.join(MANIFEST);
        let failed = |error| Error::failed(format!("cannot read {}: {error}", path.display())).hint("run it again");
        Ok(List::new(&path, plain::open_own(&path).map_err(failed)?, u64::MAX))
    };
    let (mut list, mut prompts, mut run) = (open()?, 0, None);
    while let Some(block) = list.block()? {
        prompts += block.entries.len();
        run = run.or_else(|| block.entries.into_iter().find_map(|entry| entry.run));
    }
    let Some(run) = run.filter(|run| run.formats.iter().any(|format| format == Format::Html.name())) else {
        return Ok(());
    };
    let mut list = open()?;
    write_own(&folder.join(INDEX), |out| {
        let title = format!("{} of {}", run.command, count(prompts, "prompt"));
        let model = xml(&visible(&run.model.name));
        let more = if prompts > SIGNS { format!("; the first {SIGNS} with their maps") } else { String::new() };
        let search = "<p id=\"searching\" class=\"controls\" hidden><label>search <input id=\"search\" type=\"search\"></label> \
                      <span id=\"found\" role=\"status\" aria-live=\"polite\"></span></p>";
        let head = page_head(&xml(&title), SCRIPT, "");
        let lead = format!(
            "{head}<p class=\"said\">{model}{more}</p>\n</header>\n{search}\n<ol id=\"prompts\" class=\"prompts\" start=\"0\">\n"
        );
        out.write_all(lead.as_bytes()).map_err(unwritten)?;
        let mut signs = SIGNS;
        while let Some(block) = list.block()? {
            for entry in block.entries {
                let sign = if signs > 0 { sign(folder, &entry) } else { None };
                signs = signs.saturating_sub(1);
                out.write_all(item(&entry, sign.as_deref()).as_bytes()).map_err(unwritten)?;
            }
        }
        write!(out, "</ol>\n</main>\n<script type=\"module\">{SCRIPT}</script>\n</body>\n</html>\n").map_err(unwritten)
    })
}

/// A prompt with links to its files.
fn item(entry: &Entry, sign: Option<&str>) -> String {
    let text = xml(&visible(&excerpt(entry.prompt.as_deref().unwrap_or("(no text)"), SHOWN)));
    let files = match &entry.outcome {
        Outcome::Ok { files } => files,
        Outcome::Error { error, .. } => {
            let error = xml(&visible(&excerpt(error, SHOWN)));
            return format!(
                "<li value=\"{}\"><span>{text}</span> <strong>failed: {error}</strong></li>\n",
                entry.index
            );
        }
    };
    let image = match sign {
        Some(sign) => format!("<img src=\"data:image/png;base64,{sign}\" alt=\"\" width=\"48\" height=\"48\">"),
        None => String::new(),
    };
    let (pages, others): (Vec<_>, Vec<_>) = files.iter().partition(|file| is_page(file));
    let link = |file: &ResultFile, shown: &str| format!("<a href=\"{}\">{shown}</a>", path_segment(&file.name));
    let first = match &pages[..] {
        [page] => link(page, &format!("{image}<span>{text}</span>")),
        _ => format!("{image}<span>{text}</span>"),
    };
    let more = pages.iter().filter(|_| pages.len() > 1).chain(&others);
    let more: String = more.map(|file| format!(" {}", link(file, &xml(&visible(&file.name))))).collect();
    format!("<li value=\"{}\">{first}<small>{more}</small></li>\n", entry.index)
}

fn is_page(file: &ResultFile) -> bool {
    file.name.ends_with(".html")
}

/// The sign of a prompt's first page, as it stands there. A folder is not trusted: what is no sign is none.
fn sign(folder: &Path, entry: &Entry) -> Option<String> {
    let file = entry.files().iter().find(|file| is_page(file) && file.is_named_well())?;
    let page: File = plain::open_own(&folder.join(&file.name)).ok()?;
    let mut beginning = Vec::new();
    page.take(BEGINNING).read_to_end(&mut beginning).ok()?;
    let text = String::from_utf8_lossy(&beginning);
    let (sign, _) = text.split_once(PAGE_SIGN)?.1.split_once('"')?;
    let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    (sign.len() <= LONGEST && sign.chars().all(is_letter)).then(|| sign.to_owned())
}

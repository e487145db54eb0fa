//! What stderr shows of a download: its size at once, a bar on a terminal, nothing where quiet is asked for.

use super::output::remark;
use attnviz::checkpoint::hub::{Event, Hub, Snapshot};
use attnviz::error::Result;
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

const BAR: &str = "{wide_bar} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
/// How often a spinner moves.
const TICK: Duration = Duration::from_millis(100);

/// A folder in the cache that `get` asks the hub for, and what is going on meanwhile.
pub fn fetch(
    hub: &Hub,
    quiet: bool,
    get: impl FnOnce(&mut dyn FnMut(Event<'_>)) -> Result<Snapshot>,
) -> Result<Snapshot> {
    let bar = visible(quiet);
    if let Ok(style) = ProgressStyle::with_template(BAR) {
        bar.set_style(style);
    }
    let say = |text: String| {
        if !quiet {
            bar.suspend(|| remark(&text));
        }
    };
    let snapshot = get(&mut |event| match event {
        Event::Announce { id, files, bytes, present } => {
            let part =
                if present > 0 { format!(", {} of it here already", DecimalBytes(present)) } else { String::new() };
            let many = if files == 1 { "file" } else { "files" };
            say(format!("downloading {id} from {}: {} in {files} {many}{part}", hub.host(), DecimalBytes(bytes)));
            bar.set_length(bytes);
            bar.set_position(present);
            bar.reset_eta();
        }
        Event::Moved { done, .. } => bar.set_position(done),
        Event::Waiting { file } => say(format!("another process is downloading {file}: waiting for it")),
        Event::Retrying { file, reason, wait } => {
            say(format!("{file}: {reason}; trying again in {:.1} s", wait.as_secs_f32()));
        }
    });
    bar.finish_and_clear();
    snapshot
}

/// Does what may take a few seconds without a word from the hub.
pub fn asking<T>(hub: &Hub, quiet: bool, ask: impl FnOnce() -> T) -> T {
    let spinner = visible(quiet || hub.is_offline());
    spinner.set_message(format!("asking {}", hub.host()));
    spinner.enable_steady_tick(TICK);
    let answer = ask();
    spinner.finish_and_clear();
    answer
}

fn visible(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() { ProgressBar::hidden() } else { ProgressBar::no_length() }
}

//! A look at the figure, right on the terminal: as an image where it shows images, else in characters.

use attnviz::figure::{Figure, Theme};
use attnviz::render::{Colour, Fonts, Terminal, png, terminal};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use std::io::{IsTerminal, Write};

/// The figure on a terminal, if a person is looking.
pub fn preview<'a>(figure: &dyn Fn() -> &'a Figure, fonts: &Fonts) {
    if !std::io::stdout().is_terminal() || !std::io::stderr().is_terminal() {
        return;
    }
    let figure = figure();
    let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
    let screen = Screen::of(&|name| std::env::var(name).unwrap_or_default());
    let image = screen.images.and_then(|protocol| Some(inline(&png(figure, fonts).ok()?, protocol, width)));
    let text = image.unwrap_or_else(|| {
        let Screen { colour, theme, ascii, .. } = screen;
        terminal(figure, &Terminal { width, colour, theme, ascii })
    });
    let _ = std::io::stderr().write_all(text.as_bytes()); // a preview is a courtesy
}

/// How a terminal takes images inside its text.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Protocol {
    /// <https://sw.kovidgoyal.net/kitty/graphics-protocol/>
    Kitty,
    /// <https://iterm2.com/documentation-images.html>
    Iterm2,
}

/// What the terminal can do, as far as its environment says.
#[derive(Debug, PartialEq)]
struct Screen {
    colour: Colour,
    theme: Theme,
    ascii: bool,
    images: Option<Protocol>,
}

impl Screen {
    /// `variable` answers with the value of an environment variable, empty if it is not set.
    fn of(variable: &dyn Fn(&str) -> String) -> Self {
        let colour = colour(variable);
        // The last number of `15;0` is the background; 7 and 15 are white.
        let background = variable("COLORFGBG");
        let light = matches!(background.rsplit(';').next(), Some("7" | "15"));
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable).into_iter().find(|value| !value.is_empty());
        let ascii = locale.is_some_and(|locale| !locale.to_lowercase().replace('-', "").contains("utf8"));
        Self {
            colour,
            theme: if light { Theme::Light } else { Theme::Dark },
            ascii,
            images: protocol(variable).filter(|_| colour != Colour::None),
        }
    }
}

/// How many colours there are: <https://no-color.org>, <https://bixense.com/clicolors>, `COLORTERM`, and the terminal's name.
fn colour(variable: &dyn Fn(&str) -> String) -> Colour {
    let set = |name: &str| !matches!(variable(name).as_str(), "" | "0");
    let term = variable("TERM");
    if !variable("NO_COLOR").is_empty() {
        return Colour::None;
    }
    let named = |names: &[&str]| names.iter().any(|name| term.contains(name));
    let program = variable("TERM_PROGRAM");
    let found = match variable("COLORTERM").as_str() {
        _ if term == "dumb" || variable("CLICOLOR") == "0" => Colour::None,
        "truecolor" | "24bit" => Colour::True,
        _ if named(&["direct", "kitty", "ghostty", "alacritty"]) || set("WT_SESSION") => Colour::True,
        _ if matches!(program.as_str(), "iTerm.app" | "WezTerm" | "ghostty" | "vscode") => Colour::True,
        _ if named(&["256"]) => Colour::Indexed,
        _ if named(&["color", "xterm", "screen", "tmux", "rxvt", "linux", "ansi", "cygwin", "putty"]) => Colour::Basic,
        _ => Colour::None,
    };
    if found == Colour::None && set("CLICOLOR_FORCE") { Colour::Basic } else { found }
}

/// Whether the terminal shows images. Sixel is not asked for: no variable tells which terminals have it.
fn protocol(variable: &dyn Fn(&str) -> String) -> Option<Protocol> {
    let (term, program) = (variable("TERM"), variable("TERM_PROGRAM"));
    let multiplexed = ["TMUX", "STY", "ZELLIJ"].iter().any(|name| !variable(name).is_empty());
    if multiplexed || term.starts_with("screen") || term.starts_with("tmux") || term == "dumb" {
        return None; // it would swallow the image, or garble it
    }
    if !variable("KITTY_WINDOW_ID").is_empty() || matches!(term.as_str(), "xterm-kitty" | "xterm-ghostty") {
        return Some(Protocol::Kitty);
    }
    match program.as_str() {
        "ghostty" => Some(Protocol::Kitty),
        "iTerm.app" | "WezTerm" => Some(Protocol::Iterm2),
        _ if variable("LC_TERMINAL") == "iTerm2" => Some(Protocol::Iterm2),
        _ => None,
    }
}

/// A PNG inside the escape sequences of a protocol, no wider than so many columns.
fn inline(png: &[u8], protocol: Protocol, width: usize) -> String {
    /// A column of most terminals is at least so many pixels wide: an image keeps its size, or loses some.
    const COLUMN: usize = 8;
    /// kitty takes so much base64 in one sequence.
    const CHUNK: usize = 4096;
    let data = BASE64_STANDARD.encode(png);
    // A PNG says its width in bytes 16 to 19.
    let pixels = png.get(16..20).map_or(0, |b| b.iter().fold(0usize, |n, b| n << 8 | usize::from(*b)));
    let columns = pixels.div_ceil(COLUMN).clamp(1, width.max(1));
    match protocol {
        Protocol::Iterm2 => {
            format!("\x1b]1337;File=inline=1;size={};width={columns};preserveAspectRatio=1:{data}\x07\n", png.len())
        }
        Protocol::Kitty => {
            let mut out = String::with_capacity(data.len() + data.len() / 200 + 64);
            let chunks: Vec<&str> =
                data.as_bytes().chunks(CHUNK).filter_map(|chunk| std::str::from_utf8(chunk).ok()).collect();
            for (i, chunk) in chunks.iter().enumerate() {
                // q=2: the terminal does not answer, since nobody would read it.
                let keys = if i == 0 { format!("a=T,f=100,q=2,c={columns},") } else { String::new() };
                out += &format!("\x1b_G{keys}m={};{chunk}\x1b\\", u8::from(i + 1 < chunks.len()));
            }
            out + "\n"
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn screen(variables: &[(&str, &str)]) -> Screen {
        Screen::of(&|name| variables.iter().find(|v| v.0 == name).map_or(String::new(), |v| v.1.to_owned()))
    }

    #[test]
    fn a_terminal_gets_the_colours_that_it_has() {
        let colours = [
            (Colour::None, &[][..]),
            (Colour::None, &[("TERM", "dumb"), ("COLORTERM", "truecolor")]),
            (Colour::None, &[("TERM", "xterm-256color"), ("NO_COLOR", "1")]),
            (Colour::None, &[("TERM", "xterm-256color"), ("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]),
            (Colour::None, &[("TERM", "xterm-256color"), ("CLICOLOR", "0")]),
            (Colour::None, &[("TERM", "vt100")]),
            (Colour::Basic, &[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")]),
            (Colour::Basic, &[("TERM", "linux")]),
            (Colour::Basic, &[("TERM", "xterm")]),
            (Colour::Indexed, &[("TERM", "xterm-256color"), ("NO_COLOR", "")]),
            (Colour::Indexed, &[("TERM", "tmux-256color")]),
            (Colour::True, &[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")]),
            (Colour::True, &[("TERM", "xterm-kitty")]),
        ];
        for (wanted, variables) in colours {
            assert_eq!(screen(variables).colour, wanted, "{variables:?}");
        }
    }

    #[test]
    fn images_go_where_they_are_shown_and_never_through_a_multiplexer() {
        let images = [
            (None, &[("TERM", "xterm-256color")][..]),
            (Some(Protocol::Kitty), &[("TERM", "xterm-kitty")]),
            (Some(Protocol::Kitty), &[("TERM", "xterm-256color"), ("KITTY_WINDOW_ID", "1")]),
            (Some(Protocol::Kitty), &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "ghostty")]),
            (Some(Protocol::Iterm2), &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")]),
            (Some(Protocol::Iterm2), &[("TERM", "xterm-256color"), ("LC_TERMINAL", "iTerm2")]),
            (Some(Protocol::Iterm2), &[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")]),
            (None, &[("TERM", "tmux-256color"), ("KITTY_WINDOW_ID", "1")]),
            (None, &[("TERM", "xterm-kitty"), ("TMUX", "/socket,1,0")]),
            (None, &[("TERM", "screen.xterm-256color"), ("LC_TERMINAL", "iTerm2")]),
            (None, &[("TERM", "xterm-kitty"), ("NO_COLOR", "1")]),
        ];
        for (wanted, variables) in images {
            assert_eq!(screen(variables).images, wanted, "{variables:?}");
        }
    }

    #[test]
    fn a_locale_without_unicode_gets_ascii() {
        assert!(screen(&[("LANG", "C")]).ascii);
        assert!(screen(&[("LC_ALL", "de_DE.ISO-8859-1"), ("LANG", "de_DE.UTF-8")]).ascii);
        assert!(!screen(&[("LANG", "C.UTF-8")]).ascii);
        assert!(!screen(&[("LC_CTYPE", "en_GB.utf8"), ("LANG", "C")]).ascii);
        assert!(!screen(&[]).ascii);
    }

    #[test]
    fn a_light_terminal_gets_light_maps() {
        assert_eq!(screen(&[("COLORFGBG", "0;15")]).theme, Theme::Light);
        assert_eq!(screen(&[("COLORFGBG", "15;default;0")]).theme, Theme::Dark);
        assert_eq!(screen(&[]).theme, Theme::Dark);
    }

    #[test]
    fn an_image_arrives_whole() {
        let mut png = vec![0u8; 10_000];
        png[16..20].copy_from_slice(&400u32.to_be_bytes());
        let text = inline(&png, Protocol::Kitty, 80);
        let parts: Vec<&str> = text.trim_end().split("\x1b_G").skip(1).collect();
        assert!(parts[0].starts_with("a=T,f=100,q=2,c=50,m=1;") && parts[1].starts_with("m=1;"));
        assert!(parts[3].starts_with("m=0;") && parts.len() == 4);
        let data: String = parts
            .iter()
            .map(|part| part.split_once(';').unwrap().1.strip_suffix("\x1b\\").unwrap())
            .inspect(|data| assert!(data.len() <= 4096))
            .collect();
        assert_eq!(BASE64_STANDARD.decode(data).unwrap(), png);

        let text = inline(&png, Protocol::Iterm2, 24);
        let (keys, data) = text.split_once(':').unwrap();
        assert_eq!(keys, "\x1b]1337;File=inline=1;size=10000;width=24;preserveAspectRatio=1");
        assert_eq!(BASE64_STANDARD.decode(data.strip_suffix("\x07\n").unwrap()).unwrap(), png);
    }
}

//! Numbers and prompts in few characters.

/// Characters of a prompt that a figure quotes, and how many of them stand before the first that differs.
const MOST: usize = 120;
const BEFORE: usize = 40;

/// A number with three digits.
pub(super) fn short(x: f32) -> String {
    let text = match x.abs() {
        0.0 => "0".into(),
        size if (1e-3..1e6).contains(&size) => format!("{x:.*}", (2 - size.log10().floor() as i32).max(0) as usize),
        size if size.is_infinite() => "∞ (a number on one side only)".into(),
        _ => format!("{x:.2e}"),
    };
    match text.contains('.') && !text.contains('e') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.replace(".00e", "e"),
    }
}

/// Two prompts in one line each; of long ones, where they begin to differ.
pub(super) fn excerpts(a: &str, b: &str) -> [String; 2] {
    let [a, b] = [a, b].map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let alike = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let start = if a != b && alike > MOST - BEFORE { alike - BEFORE } else { 0 };
    [a, b].map(|text| {
        let count = text.chars().count();
        let start = if count <= MOST { 0 } else { start };
        let shown: String = text.chars().skip(start).take(MOST).collect();
        let (before, after) = (if start > 0 { "…" } else { "" }, if start + MOST < count { "…" } else { "" });
        format!("{before}{shown}{after}")
    })
}

//! Numbers as a reader sees them on figures.

/// A number with as many decimals as `largest` needs for so many digits: numbers of one column end under one another.
pub(crate) fn decimals(value: f32, largest: f32, digits: i32) -> String {
    if !value.is_finite() || !(1e-4..1e6).contains(&largest) {
        return number(value);
    }
    let decimals = (digits - 1 - largest.log10().floor() as i32).max(0) as usize;
    let text = format!("{value:.decimals$}");
    let zero = text.bytes().all(|b| matches!(b, b'-' | b'0' | b'.'));
    if zero { "0".into() } else { text.replace('-', "−") }
}

/// A number for a reader: three significant digits, no padding, a true minus sign.
pub(crate) fn number(value: f32) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "–".into() } else { if value > 0.0 { "∞" } else { "−∞" }.into() };
    }
    let size = value.abs();
    let text = if size == 0.0 {
        "0".into()
    } else if !(1e-4..1e6).contains(&size) {
        let text = format!("{value:.2e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        format!("{}e{exponent}", trim(digits))
    } else {
        let decimals = (2 - size.log10().floor() as i32).max(0) as usize;
        trim(&format!("{value:.decimals$}")).to_owned()
    };
    text.replace('-', "−")
}

fn trim(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.25, 1.0, 0.1234, 1234.5, -0.5, 1e-7].map(number), ["0.25", "1", "0.123", "1234", "−0.5", "1e−7"]);
    }
}

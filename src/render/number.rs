//! The text of a double as servers write it: the parser keeps the number only.

use std::fmt::Write as _;

/// The shortest text, or `%.17g` as Redis before 7.2 writes it; `inf`, `-inf` and `nan` as in RESP3.
pub fn double_text(number: f64, wide: bool) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = if wide { format!("{number:.16e}") } else { format!("{number:e}") };
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    // C's %g leaves the plain form below 1e-4 and at the precision; servers with a shortest form of their own at 1e21.
    let plain_until = if wide { 17 } else { 21 };
    if (-4..plain_until).contains(&exponent) {
        format!("{sign}{}", plain(digits, exponent))
    } else {
        let mut text = format!("{sign}{}", &digits[..1]);
        if digits.len() > 1 {
            let _ = write!(text, ".{}", &digits[1..]);
        }
        let _ = write!(text, "e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
        text
    }
}

/// `digits` with the point where `exponent` puts it.
fn plain(digits: &str, exponent: i32) -> String {
    let Ok(before) = usize::try_from(exponent + 1) else {
        return format!("0.{}{digits}", "0".repeat(usize::try_from(-exponent - 1).unwrap_or_default()));
    };
    if before == 0 {
        format!("0.{digits}")
    } else if digits.len() <= before {
        format!("{digits}{}", "0".repeat(before - digits.len()))
    } else {
        format!("{}.{}", &digits[..before], &digits[before..])
    }
}

//! The text of a double as servers write it.

use std::fmt::Write as _;

/// The shortest text that gives the number back, as Redis 7.2 and Valkey write it; `inf`, `-inf` and `nan` as in RESP3.
pub fn double_text(number: f64) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    // A number beyond this is written with an exponent.
    if (-4..21).contains(&exponent) {
        return format!("{sign}{}", plain(&digits, exponent));
    }
    let mut text = format!("{sign}{}", &digits[..1]);
    if digits.len() > 1 {
        let _ = write!(text, ".{}", &digits[1..]);
    }
    let _ = write!(text, "e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    text
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

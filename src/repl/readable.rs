//! Values that a person can read: what a number of seconds, of milliseconds or of bytes is, a point in time, and text
//! that is JSON (contract section 10). Shown grey beside the value, never in place of it.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::command::request::{Request, quote};
use crate::reply::{Frame, Kind};
use crate::text::{self, Escape, printable, width};

/// What a command's integer counts.
#[derive(Clone, Copy)]
enum Unit {
    Seconds,
    Milliseconds,
    /// Seconds, or milliseconds, since 1970.
    Time,
    TimeInMilliseconds,
    Bytes,
}

/// The commands whose reply is one number that is no mere count.
const NUMBERS: [(&str, Unit); 11] = [
    ("TTL", Unit::Seconds),
    ("PTTL", Unit::Milliseconds),
    ("OBJECT IDLETIME", Unit::Seconds),
    ("EXPIRETIME", Unit::Time),
    ("PEXPIRETIME", Unit::TimeInMilliseconds),
    ("LASTSAVE", Unit::Time),
    ("MEMORY USAGE", Unit::Bytes),
    ("HTTL", Unit::Seconds),
    ("HPTTL", Unit::Milliseconds),
    ("HEXPIRETIME", Unit::Time),
    ("HPEXPIRETIME", Unit::TimeInMilliseconds),
];

/// What a reply means, to be shown behind it; none where it says all itself.
pub fn note(request: &Request, frame: Frame<'_>) -> Option<String> {
    if request.is(0, "TIME") {
        let seconds = integer(frame.children().next()?)?;
        return time(seconds, 0);
    }
    let (_, unit) = NUMBERS.iter().find(|(name, _)| request.begins_with(name))?;
    let number = u64::try_from(integer(single(frame)?)?).ok()?;
    match unit {
        Unit::Seconds => (number >= 60).then(|| duration(Duration::from_secs(number))),
        Unit::Milliseconds => (number >= 1000).then(|| duration(Duration::from_millis(number))),
        Unit::Time => time(i64::try_from(number).ok().filter(|number| *number > 0)?, 0),
        Unit::TimeInMilliseconds => {
            let number = i64::try_from(number).ok().filter(|number| *number > 0)?;
            time(number / 1000, number % 1000)
        }
        Unit::Bytes => (number >= 1024).then(|| size(number)),
    }
}

/// A reply of one number, or of an array of one.
fn single(frame: Frame<'_>) -> Option<Frame<'_>> {
    if !frame.kind().is_aggregate() {
        return Some(frame);
    }
    let mut children = frame.children();
    let only = children.next()?;
    children.next().is_none().then_some(only)
}

fn integer(frame: Frame<'_>) -> Option<i64> {
    let head = frame.head();
    if matches!(head.kind, Kind::Integer | Kind::Bulk) { text::number(head.text) } else { None }
}

/// How many elements of an array are looked at for one that is JSON text.
const LOOKED_AT: usize = 100;

/// The elements of an array of strings, JSON text among them indented; none where there is no such.
pub fn pretty_elements(frame: Frame<'_>) -> Option<impl Iterator<Item = String> + use<'_>> {
    let is_flat = || frame.children().all(|element| element.is_nil() || element.kind() == Kind::Bulk);
    let is_json = |element: Frame<'_>| element.kind() == Kind::Bulk && pretty(element.head().text).is_some();
    if frame.kind() != Kind::Array || !frame.children().take(LOOKED_AT).any(is_json) || !is_flat() {
        return None;
    }
    let digits = frame.head().count.to_string().len();
    Some(frame.children().zip(1_u64..).map(move |(element, at)| {
        let text = element.head().text;
        let mut shown = String::new();
        match pretty(text) {
            _ if element.is_nil() => shown.push_str("(nil)"),
            Some(pretty) => shown.push_str(&printable(&pretty, Escape::Lines)),
            None => quote(text, &mut shown),
        }
        let indent = " ".repeat(digits + 2);
        format!("{at:>digits$}) {}\n", shown.replace('\n', &format!("\n{indent}")))
    }))
}

/// A line that fits.
pub fn cut(line: &str, columns: usize) -> String {
    const DOTS: &str = "...";
    if width(line) <= columns {
        return line.to_owned();
    }
    let room = columns.saturating_sub(DOTS.len());
    let mut used = 0;
    let fits = |c: &char| {
        used += width(c.encode_utf8(&mut [0; 4]));
        used <= room
    };
    let mut shown: String = line.chars().take_while(fits).collect();
    shown.push_str(&DOTS[..columns.min(DOTS.len())]);
    shown
}

/// A duration in its two largest units: `2 h 5 min`.
pub fn duration(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let seconds = duration.as_secs();
    if seconds < 10 {
        return format!("{:.1} s", duration.as_secs_f64());
    }
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[first];
    let mut text = format!("{} {name}", seconds / unit);
    if let Some((smaller, name)) = UNITS.get(first + 1)
        && seconds % unit / smaller > 0
    {
        let _ = write!(text, " {} {name}", seconds % unit / smaller);
    }
    text
}

/// A number of bytes in the unit that fits: `1.5 MB`, of 1024 each.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A point in time, as it is here.
pub fn time(seconds: i64, milliseconds: i64) -> Option<String> {
    let at = Timestamp::from_second(seconds).ok()?;
    let shown = at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    Some(if milliseconds > 0 { format!("{shown}.{milliseconds:03}") } else { shown })
}

/// Text that is a JSON object or array, indented; none where it is something else. Each token stays as it is written.
pub fn pretty(text: &[u8]) -> Option<String> {
    const INDENT: usize = 2;
    if !matches!(text.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return None;
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(text).ok()?;
    let text = std::str::from_utf8(text).ok()?;
    let mut pretty = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_string, mut is_escaped, mut is_empty) = (0_usize, false, false, false);
    let line = |pretty: &mut String, depth: usize| {
        pretty.push('\n');
        pretty.extend(std::iter::repeat_n(' ', depth * INDENT));
    };
    for c in text.chars() {
        if in_string {
            pretty.push(c);
            in_string = is_escaped || c != '"';
            is_escaped = c == '\\' && !is_escaped;
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        if matches!(c, '}' | ']') {
            depth -= 1;
            if !is_empty {
                line(&mut pretty, depth);
            }
        } else if is_empty {
            line(&mut pretty, depth);
        }
        pretty.push(c);
        is_empty = matches!(c, '{' | '[');
        match c {
            '{' | '[' => depth += 1,
            ',' => line(&mut pretty, depth),
            ':' => pretty.push(' '),
            '"' => in_string = true,
            _ => {}
        }
    }
    Some(pretty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_short() {
        let seconds = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!((seconds(59), seconds(60), seconds(7505)), ("59 s".into(), "1 min".into(), "2 h 5 min".into()));
        assert_eq!((seconds(86_400), seconds(90_000)), ("1 d".into(), "1 d 1 h".into()));
        assert_eq!(duration(Duration::from_millis(1500)), "1.5 s");
        assert_eq!((size(1023), size(1536), size(3 << 30)), ("1023 bytes".into(), "1.5 kB".into(), "3.0 GB".into()));
    }

    #[test]
    fn json_is_indented_and_its_tokens_stay() {
        let text = br#" {"b":[1.10,{}, [] ,"a\"{,:\\"],"a":12345678901234567890123}"#;
        let shown = "{\n  \"b\": [\n    1.10,\n    {},\n    [],\n    \"a\\\"{,:\\\\\"\n  ],\n  \"a\": 12345678901234567890123\n}";
        assert_eq!(pretty(text).as_deref(), Some(shown));
        for other in ["", "1", "\"{}\"", "{", "{}x", "[1,]"] {
            assert_eq!(pretty(other.as_bytes()), None, "{other}");
        }
    }
}

//! What replies of records are made of: names with values, numbers, strings that are shown.

use std::time::Duration;

use crate::command::request::quote;
use crate::repl::readable::duration;
use crate::reply::{Frame, Kind};
use crate::text;

/// The bytes of a scalar that is no error.
pub fn string(frame: Frame<'_>) -> Option<&[u8]> {
    let head = frame.head();
    let is_scalar = matches!(
        head.kind,
        Kind::Bulk | Kind::Simple | Kind::Integer | Kind::Double | Kind::Verbatim | Kind::Boolean | Kind::BigNumber
    );
    is_scalar.then_some(head.text)
}

/// A scalar as it may be shown; `-` for nil.
pub fn shown(frame: Frame<'_>) -> Option<String> {
    if frame.is_nil() { Some("-".to_owned()) } else { string(frame).map(plain) }
}

/// Bytes as they may be shown on a line.
pub fn plain(bytes: &[u8]) -> String {
    text::printable_bytes(bytes, text::Escape::Line).into_owned()
}

/// Bytes in quotes.
pub fn quoted(bytes: &[u8]) -> String {
    let mut text = String::new();
    quote(bytes, &mut text);
    text
}

/// A number that is not negative.
pub fn number(frame: Frame<'_>) -> Option<u64> {
    text::number(string(frame)?)
}

/// The elements of an array; none of anything else.
pub fn elements(frame: Frame<'_>) -> Option<impl Iterator<Item = Frame<'_>>> {
    (frame.kind() == Kind::Array).then(|| frame.children())
}

/// Words with blanks between them: of a set or an array.
pub fn words(frame: Frame<'_>) -> Option<String> {
    let words: Option<Vec<String>> = frame.children().map(|word| string(word).map(plain)).collect();
    words.map(|words| words.join(" "))
}

/// Names with values: a map, or an array of one behind the other.
pub fn pairs(frame: Frame<'_>) -> Option<Vec<(&[u8], Frame<'_>)>> {
    let children: Vec<Frame<'_>> = frame.children().collect();
    let is_pairs = matches!(frame.kind(), Kind::Map | Kind::Array) && children.len().is_multiple_of(2);
    is_pairs.then(|| children.chunks_exact(2).map(|pair| Some((string(pair[0])?, pair[1]))).collect())?
}

/// The value under a name.
pub fn under<'a>(pairs: &[(&'a [u8], Frame<'a>)], name: &str) -> Option<Frame<'a>> {
    pairs.iter().find(|(found, _)| *found == name.as_bytes()).map(|(_, value)| *value)
}

/// A duration that is mostly short.
pub fn took(micros: u64) -> String {
    let took = Duration::from_micros(micros);
    if took < Duration::from_secs(1) { format!("{:.3} ms", took.as_secs_f64() * 1000.0) } else { duration(took) }
}

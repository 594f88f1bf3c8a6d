//! What a reply declares to come, and the words for what memory has no room for (contract section 1).

use std::fmt;

use super::framer::read_length;

/// What memory has no room for, in words: the reply that these bytes begin.
pub fn describe_no_room(bytes: &[u8]) -> String {
    describe(bytes, None)
}

/// The part that memory has no room for and the reply that begins these bytes, in words.
pub fn describe(bytes: &[u8], part: Option<Declared>) -> String {
    match (part, Declared::first(bytes)) {
        (Some(part), Some(whole)) if part.to_string() != whole.to_string() => {
            format!("memory has no room for {part} in {whole}")
        }
        (Some(one), _) | (None, Some(one)) => format!("memory has no room for {one}"),
        (None, None) => format!("memory has no room for a line of more than {} bytes", bytes.len()),
    }
}

/// What was declared to come.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// The first byte of its line.
    pub mark: u8,
    /// How many bytes, elements or pairs.
    pub length: usize,
}

impl Declared {
    /// What the first line declares.
    fn first(bytes: &[u8]) -> Option<Self> {
        let [mark, line @ .., b'\r'] = &bytes[..memchr::memchr(b'\n', bytes)?] else { return None };
        let length = read_length(line, *mark).ok()??;
        matches!(mark, b'$' | b'=' | b'!' | b'*' | b'~' | b'>' | b'%' | b'|').then_some(Self { mark: *mark, length })
    }
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, unit) = match self.mark {
            b'*' => ("an array", "elements"),
            b'~' => ("a set", "elements"),
            b'>' => ("a push", "elements"),
            b'%' => ("a map", "pairs"),
            b'|' => ("an attribute", "pairs"),
            _ => ("a string", "bytes"),
        };
        write!(f, "{what} of {} {unit}", self.length)
    }
}

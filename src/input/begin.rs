//! The first bytes of an input: a byte order mark is passed over, RESP is told from text, and what is in UTF-16 is
//! refused (contract section 3).

/// What an input begins with.
#[derive(Debug, PartialEq, Eq)]
pub enum Begin {
    /// Lines, behind so many bytes of a mark.
    Lines(usize),
    /// RESP, behind so many bytes of a mark.
    Resp(usize),
    /// An encoding that cannot be read.
    Foreign(&'static str),
    /// Too few bytes to tell.
    Unclear,
}

/// How many bytes tell.
pub const ENOUGH: usize = 4;

const MARK: &[u8] = b"\xef\xbb\xbf";

/// Looks at the first bytes; `is_all` says that no more will come.
pub fn look(bytes: &[u8], is_all: bool) -> Begin {
    let first = &bytes[..bytes.len().min(ENOUGH)];
    let is_enough = is_all || first.len() == ENOUGH;
    // No command ends here: whoever waits for an answer sends more first.
    if !is_enough && (first.len() < 2 || first.contains(&0) || MARK.starts_with(first)) {
        return Begin::Unclear;
    }
    if let Some(encoding) = foreign(first) {
        // UTF-32 may begin as UTF-16 does.
        return if is_enough { Begin::Foreign(encoding) } else { Begin::Unclear };
    }
    let mark = if first.starts_with(MARK) { MARK.len() } else { 0 };
    if bytes.get(mark) == Some(&b'*') { Begin::Resp(mark) } else { Begin::Lines(mark) }
}

/// The encoding that these bytes are the beginning of, if it is one whose characters have NUL bytes. Without a mark the
/// first characters tell it, which are ASCII in every command; no command's name has such NULs.
fn foreign(first: &[u8]) -> Option<&'static str> {
    if matches!(first, [0xff, 0xfe, 0, 0] | [0, 0, 0xfe, 0xff]) {
        return Some("UTF-32");
    }
    if first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff") {
        return Some("UTF-16");
    }
    let nuls = first.iter().fold(0, |nuls, byte| nuls << 1 | u8::from(*byte == 0));
    match (first.len(), nuls) {
        (4, 0b0111 | 0b1110) => Some("UTF-32"),
        (4, 0b0101 | 0b1010) | (2, 0b01 | 0b10) => Some("UTF-16"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of these bytes once it is clear, when they come one by one, and how many were needed.
    fn clear(bytes: &[u8]) -> (Begin, usize) {
        (1..bytes.len())
            .map(|count| (look(&bytes[..count], false), count))
            .find(|(begin, _)| *begin != Begin::Unclear)
            .unwrap_or((look(bytes, true), bytes.len()))
    }

    #[test]
    fn a_mark_is_passed_over_however_it_comes() {
        for (rest, begin) in [("PING\n", Begin::Lines(3)), ("*1\r\n", Begin::Resp(3)), ("", Begin::Lines(3))] {
            let bytes = [MARK, rest.as_bytes()].concat();
            assert_eq!((&look(&bytes, true), &clear(&bytes).0), (&begin, &begin));
        }
    }

    #[test]
    fn a_short_line_is_told_at_once() {
        for line in ["a\n", "\n\n", "# \n", "é\n", "\u{ffff}\n"] {
            assert_eq!(clear(line.as_bytes()).0, Begin::Lines(0), "{line:?}");
            assert!(clear(line.as_bytes()).1 <= line.len(), "{line:?}");
        }
        assert_eq!(clear(b"*1\r\n"), (Begin::Resp(0), 2));
        assert_eq!(look(b"", true), Begin::Lines(0));
        assert_eq!(look(b"\xef\xbb", true), Begin::Lines(0));
    }

    #[test]
    fn encodings_with_nul_bytes_are_known_with_and_without_a_mark() {
        for text in ["PING\n", "*1\r\n", "#", "[\"SET\",\"é\",\"1\"]\n", "\u{feff}é\n", "\n\n"] {
            for (encoding, bytes) in [
                ("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()),
                ("UTF-16", text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
                ("UTF-32", text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()),
                ("UTF-32", text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect()),
            ] {
                assert_eq!(look(&bytes, true), Begin::Foreign(encoding), "{text:?} as {bytes:x?}");
                assert_eq!(clear(&bytes).0, Begin::Foreign(encoding), "{text:?} as {bytes:x?} in single bytes");
            }
        }
    }
}

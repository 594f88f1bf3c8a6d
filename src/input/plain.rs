//! Lines with nothing special, as most of a bulk load are: each is looked at once, by eight bytes at a time, and packed
//! while it is looked at. Any other is for the careful way of `text`: one with quotes, blanks other than single spaces,
//! or without its end, and what may be empty, a comment or JSON.

use crate::command::request::{Request, push_array_header, push_bulk};
use crate::word;

/// A line that was packed.
#[derive(Debug, PartialEq, Eq)]
pub struct Plain<'l> {
    /// Its first word.
    pub name: &'l [u8],
    /// How many words it has.
    pub words: usize,
    /// How many bytes it takes, its end included.
    pub taken: usize,
}

/// The words of the first line, one after the other, where it is plain; where it is not, anything may come. What stands
/// at the end of all that was read may be left out, as such lines are for the careful way.
#[derive(Debug)]
pub struct Words<'l>(&'l [u8]);

impl<'l> Words<'l> {
    /// What begins with the line.
    pub fn of(bytes: &'l [u8]) -> Self {
        Self(&bytes[..bytes.len().min(LONGEST)])
    }
}

impl<'l> Iterator for Words<'l> {
    type Item = &'l [u8];

    #[inline]
    fn next(&mut self) -> Option<&'l [u8]> {
        let eights = self.0.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight));
        let mut ends = eights.map(|eight| word::same(eight, b' ') | word::same(eight, b'\n')).enumerate();
        let (at, found) = ends.find(|(_, found)| *found != 0)?;
        let (word, behind) = self.0.split_at(8 * at + word::first(found));
        self.0 = behind.strip_prefix(b" ").unwrap_or_default();
        Some(word)
    }
}

/// Longer lines are asked for memory first.
const LONGEST: usize = 4096;
/// A word of at most so many bytes is copied as one piece of this size.
const SHORT: usize = 16;
/// The longest header of such a word, and its end.
const AROUND: usize = 5 + 2;
/// So many bytes of packed words are put together before they are copied to where they go.
const ROOM: usize = 128;

/// Puts the words of the first line into `request`: how many bytes it takes, its end included. None where it is not
/// plain; of what is then in `request` nothing is of use.
#[inline]
pub fn parse(bytes: &[u8], request: &mut Request) -> Option<usize> {
    request.clear();
    let (packed, places) = request.parts();
    pack_words(bytes, packed, |start, end| places.push((start, end))).map(|plain| plain.taken)
}

/// Appends the first line as a packed command to `packed`. None where it is not plain, and then nothing is appended.
#[inline(always)]
#[expect(clippy::inline_always, reason = "called for every command, from one place")]
pub fn pack<'l>(bytes: &'l [u8], packed: &mut Vec<u8>) -> Option<Plain<'l>> {
    let begin = packed.len();
    push_array_header(packed, 0);
    let Some(plain) = pack_words(bytes, packed, |_, _| ()) else {
        packed.truncate(begin);
        return None;
    };
    match u8::try_from(plain.words) {
        Ok(words @ 0..10) => packed[begin + 1] = b'0' + words,
        _ => lengthen_header(packed, begin, plain.words),
    }
    Some(plain)
}

/// Puts the header of many words in the place of the one for none.
#[cold]
fn lengthen_header(packed: &mut Vec<u8>, begin: usize, words: usize) {
    let mut header = Vec::new();
    push_array_header(&mut header, words);
    packed.splice(begin..begin + 4, header);
}

/// Appends each word of the first line as a bulk string; `note` is told where the bytes of each begin and end.
#[inline(always)]
#[expect(clippy::inline_always, reason = "called for every command, from two places")]
fn pack_words<'l>(bytes: &'l [u8], packed: &mut Vec<u8>, mut note: impl FnMut(usize, usize)) -> Option<Plain<'l>> {
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    if !bytes.first()?.is_ascii_alphanumeric() {
        return None;
    }
    // Words are put into room that is there: to append them byte by byte would ask for room as often.
    let mut end = packed.len();
    packed.extend_from_slice(&[0; ROOM]);
    let (mut start, mut words, mut name) = (0, 0, &bytes[..0]);
    let mut passed = 0;
    // What is left at the end of all that was read is for the careful way.
    for eight in bytes.as_chunks().0 {
        let mut found = word::below(u64::from_le_bytes(*eight), b'\'' + 1);
        while found != 0 {
            let at = passed + word::first(found);
            found &= found - 1;
            let byte = bytes[at];
            // An empty word stands between two blanks.
            if (byte == b' ' || byte == b'\n') && start < at {
                let length = at - start;
                let room = packed[end..].first_chunk_mut();
                match (room, bytes[start..].first_chunk()) {
                    (Some(room), Some(beginning)) if length <= SHORT => {
                        end += put_short(room, beginning, length);
                    }
                    _ => {
                        packed.truncate(end);
                        push_bulk(packed, &bytes[start..at]);
                        end = packed.len();
                        packed.extend_from_slice(&[0; ROOM]);
                    }
                }
                note(end - 2 - length, end - 2);
                if words == 0 {
                    name = &bytes[..at];
                }
                words += 1;
                start = at + 1;
                if byte == b'\n' {
                    packed.truncate(end);
                    return Some(Plain { name, words, taken: start });
                }
            } else if matches!(byte, b'\t'..=b'\r' | b' ' | b'"' | b'\'') {
                return None;
            }
        }
        passed += eight.len();
    }
    None
}

/// Puts a word of so many bytes there, at most [`SHORT`], with its header and its end: how many that is. Behind them
/// anything may stand.
#[inline(always)]
fn put_short(room: &mut [u8; SHORT + AROUND], beginning: &[u8; SHORT], length: usize) -> usize {
    const ONE_DIGIT: u64 = u64::from_le_bytes(*b"$0\r\n\0\0\0\0");
    const TEENS: u64 = u64::from_le_bytes(*b"$10\r\n\0\0\0");
    let length = length.min(SHORT);
    let (begin, header) =
        if length < 10 { (ONE_DIGIT + ((length as u64) << 8), 4) } else { (TEENS + ((length as u64 - 10) << 16), 5) };
    room[..8].copy_from_slice(&begin.to_le_bytes());
    room[header..header + SHORT].copy_from_slice(beginning);
    room[header + length..header + length + 2].copy_from_slice(b"\r\n");
    header + length + 2
}

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::*;

    /// What the careful way makes of the first line.
    fn carefully(bytes: &[u8]) -> Option<(Request, usize)> {
        let end = memchr::memchr(b'\n', bytes)?;
        let line = &bytes[..end];
        let mut request = Request::default();
        text::parse(line.strip_suffix(b"\r").unwrap_or(line), &mut request, text::Quotes::Strict).ok()?;
        Some((request, end + 1))
    }

    /// Both ways to take a plain line are what the careful way makes of it; whether it is plain.
    fn check(bytes: &[u8]) -> bool {
        let text = bytes.escape_ascii();
        let mut request = Request::new(["left"]);
        let mut packed = b"before".to_vec();
        let Some(taken) = parse(bytes, &mut request) else {
            assert_eq!(pack(bytes, &mut packed), None, "{text}");
            assert_eq!(packed, b"before", "{text}");
            return false;
        };
        let mut expected = b"before".to_vec();
        request.pack(&mut expected);
        assert_eq!(
            pack(bytes, &mut packed),
            Some(Plain { name: request.arg(0), words: request.len(), taken }),
            "{text}"
        );
        assert_eq!(packed, expected, "{text}");
        assert!(Words::of(&[bytes, b"\nbehind it"].concat()).eq(request.args()), "{text}");
        assert_eq!(carefully(bytes), Some((request, taken)), "{text}");
        true
    }

    #[test]
    fn a_plain_line_is_what_the_careful_way_makes_of_it() {
        let pieces: [&[u8]; 14] = [
            b"SET",
            b"k:1",
            b" ",
            b"  ",
            b"\n",
            b"\r\n",
            b"\t",
            b"\"a b\"",
            b"'",
            b"\x0b",
            b"#",
            b"[",
            b"\xff\xc3\xa9",
            b"",
        ];
        let mut plain = 0;
        for number in 0..pieces.len().pow(4) {
            let chosen = (0..4).map(|at| pieces[number / pieces.len().pow(at) % pieces.len()]);
            plain += usize::from(check(&[chosen.collect::<Vec<_>>().concat(), b"\n".to_vec()].concat()));
        }
        assert!(plain > 100, "{plain}");
    }

    #[test]
    fn words_of_every_length_and_number_are_packed() {
        for length in 1..40 {
            for words in (1..12).chain([98, 99, 100, 101]) {
                for behind in ["", "PING\n", "a line that is longer than any piece\n"] {
                    let line = vec!["x".repeat(length); words].join(" ");
                    let is_plain = check(format!("{line}\n{behind}").as_bytes());
                    assert_eq!(is_plain, line.len() + 1 < 8 * ((line.len() + 1 + behind.len()) / 8) + 1, "{line}");
                }
            }
        }
    }

    #[test]
    fn what_is_special_or_not_wholly_there_is_for_the_careful_way() {
        let long = format!("SET k {}\n", "x".repeat(5000));
        for line in
            ["", "PING", "#x\n", "[\"PING\"]\n", " PING\n", "PING \n", "SET  k v\n", "PING\r\n", "\n", long.as_str()]
        {
            assert!(!check(line.as_bytes()), "{line:?}");
        }
    }
}

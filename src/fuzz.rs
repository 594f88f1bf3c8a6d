//! What must hold whatever comes in, as functions over bytes that panic where it does not. `fuzz/` gives them what a
//! fuzzer makes up, a test what was kept of that (`tests/corpus/`). Each stands in a `fuzz.rs` beside what it checks.
#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a check ends by panicking")]

#[cfg(test)]
mod replay;

pub use crate::command::table::fuzz::{keys, table};
pub use crate::config::fuzz::{profiles, url};
pub use crate::input::fuzz::{input, template};
pub use crate::net::fuzz::{cluster_replies, redirects, sentinels};
pub use crate::render::fuzz::{message, monitor, render};
pub use crate::reply::fuzz::{entries, framer};

use crate::reply::{Framer, OwnedFrame};

/// Bytes from a fuzzer, taken as decisions: where there are no more, each is 0.
pub struct Decisions<'a>(pub &'a [u8]);

impl<'a> Decisions<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or_default()
    }

    /// Whether something is to be so.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// So many bytes, fewer than `limit`.
    pub fn text(&mut self, limit: u8) -> &'a [u8] {
        let length = usize::from(self.byte() % limit).min(self.0.len());
        self.0.split_off(..length).unwrap_or_default()
    }

    /// A reply of any kind.
    pub fn reply(&mut self) -> OwnedFrame {
        const DEPTH: u8 = 12;
        let mut bytes = Vec::new();
        self.element(DEPTH, &mut bytes);
        let found = Framer::default().find_end(&bytes);
        let Ok(Some(found)) = found else { panic!("{found:?}: {}", bytes.escape_ascii()) };
        assert_eq!(found.length, bytes.len(), "{}", bytes.escape_ascii());
        OwnedFrame::new(bytes, found.has_error())
    }

    fn element(&mut self, depth: u8, out: &mut Vec<u8>) {
        const NUMBERS: [&str; 8] = ["0", "-0", "007", "42", "-9223372036854775808", "9223372036854775807", "+5", "-12"];
        const DOUBLES: [&str; 12] =
            ["0", "-0", "1.", ".5", "1e5", "1E+05", "inf", "-inf", "nan", "+1.5", "17.25", "infinity"];
        const LIMIT: u8 = 40;
        let kind = self.byte() % if depth == 0 { 10 } else { 15 };
        let mut put = |text: String| out.extend_from_slice(text.as_bytes());
        match kind {
            0 => put("_\r\n".to_owned()),
            1 => put("$-1\r\n".to_owned()),
            2 => put(format!(":{}\r\n", NUMBERS[usize::from(self.byte() % 8)])),
            3 => put(format!(",{}\r\n", DOUBLES[usize::from(self.byte() % 12)])),
            4 => put(format!("#{}\r\n", if self.flag() { 't' } else { 'f' })),
            5..=7 => {
                out.push(b"+-("[usize::from(kind - 5)]);
                // A big number has no exponent: one of thousands is JSON, but no number to the parser that checks it.
                let is_out = |byte: u8| byte == b'\n' || kind == 7 && byte.eq_ignore_ascii_case(&b'e');
                out.extend(self.text(LIMIT).iter().map(|byte| if is_out(*byte) { b' ' } else { *byte }));
                out.extend_from_slice(b"\r\n");
            }
            8 | 9 => {
                let text = self.text(LIMIT);
                let (mark, format) = [("$", ""), ("!", ""), ("=", "txt:"), ("$", "")][usize::from(self.byte() % 4)];
                put(format!("{mark}{}\r\n{format}", format.len() + text.len()));
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
            }
            _ => {
                let count = self.byte() % 6;
                out.push(b"*~>%|"[usize::from(kind - 10)]);
                out.extend_from_slice(format!("{count}\r\n").as_bytes());
                // Maps have pairs; an attribute is followed by what it belongs to.
                let elements = if kind < 13 { count } else { 2 * count } + u8::from(kind == 14);
                for _ in 0..elements {
                    self.element(depth - 1, out);
                }
            }
        }
    }
}

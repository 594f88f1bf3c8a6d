//! Room in memory for a command that was read, before it is taken apart.

use crate::memory::has_room;

/// Whether memory has room for what is made of a command: it is taken apart, packed, and may be kept for a block.
pub fn is_there_for(size: usize, args: usize, copies: usize) -> bool {
    // What is kept of an argument beside its bytes.
    const ARG: usize = 64;
    has_room(size.saturating_mul(copies).saturating_add(args.saturating_mul(ARG)))
}

/// The same for a line, whose blanks and commas tell how many arguments it has at most. JSON has texts of its own.
pub fn is_there_for_line(line: &[u8]) -> bool {
    const LARGE: usize = 1 << 20;
    if line.len() < LARGE {
        return true;
    }
    let is_json = line.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let args = line.iter().filter(|byte| **byte <= b' ' || **byte == b',').count();
    is_there_for(line.len(), args, if is_json { 6 } else { 4 })
}

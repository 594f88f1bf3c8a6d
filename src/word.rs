//! Eight bytes looked at at once: what is asked of each of them is answered by its high bit. For what every command,
//! reply and message passes.

/// One in every byte.
pub const ONES: u64 = u64::MAX / 255;
/// The high bit of every byte.
pub const HIGH: u64 = ONES << 7;

/// Which of the bytes are this one. Above the first that is, there may be more that are not.
#[inline]
pub fn same(word: u64, byte: u8) -> u64 {
    let differs = word ^ (ONES * u64::from(byte));
    differs.wrapping_sub(ONES) & !differs & HIGH
}

/// Which of the bytes are not ASCII or are to be escaped in JSON. Above the first that is, there may be more that are not.
#[inline]
pub fn escaped_in_json(word: u64) -> u64 {
    // With this bit turned the quote stands next to the control characters.
    let below = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
    (below | backslash | word) & HIGH
}

/// Whether all of them are digits.
#[inline]
pub fn are_digits(word: u64) -> bool {
    let high_halves = ONES * 0xf0;
    // What is above nine is carried into the high half, and nothing further: none of them is larger than 0x3f.
    word & high_halves == ONES * 0x30 && (word + ONES * 0x06) & high_halves == ONES * 0x30
}

/// Which of the bytes are below this one, which is ASCII.
#[inline]
pub fn below(word: u64, byte: u8) -> u64 {
    !(((word | HIGH) - ONES * u64::from(byte)) | word) & HIGH
}

/// Where a byte is first seen. The search that is fast on long texts asks the processor what it can do when it is called
/// for the first time, which takes a fiftieth of what one command takes: few bytes do not need it.
#[inline]
pub fn find(byte: u8, bytes: &[u8]) -> Option<usize> {
    const FEW: usize = 16;
    if bytes.len() < FEW { bytes.iter().position(|other| *other == byte) } else { memchr::memchr(byte, bytes) }
}

/// The place of the first byte that was found.
#[inline]
pub fn first(found: u64) -> usize {
    found.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_byte_is_found_in_few_and_in_many() {
        for length in 0..40 {
            for at in 0..length {
                let mut bytes = vec![b'x'; length];
                bytes[at..].fill(b'a');
                assert_eq!(find(b'a', &bytes), Some(at));
                assert_eq!(find(b'b', &bytes), None);
            }
        }
    }

    #[test]
    fn bytes_are_found_wherever_they_stand() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                let mut bytes = [b'~'; 8];
                bytes[at] = byte;
                let word = u64::from_le_bytes(bytes);
                let found = below(word, b'(');
                assert_eq!(found, if byte < b'(' { 0x80 << (8 * at) } else { 0 }, "{byte:#x} at {at}");
                let found = same(word, b'"');
                assert_eq!((found != 0).then(|| first(found)), (byte == b'"').then_some(at), "{byte:#x} at {at}");
                let found = escaped_in_json(word);
                let is_escaped = !matches!(byte, b' '..=0x7f) || matches!(byte, b'"' | b'\\');
                assert_eq!((found != 0).then(|| first(found)), is_escaped.then_some(at), "{byte:#x} at {at}");
                let mut bytes = *b"01234567";
                bytes[at] = byte;
                assert_eq!(are_digits(u64::from_le_bytes(bytes)), byte.is_ascii_digit(), "{byte:#x} at {at}");
            }
        }
    }
}

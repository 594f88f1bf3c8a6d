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

/// Which of the bytes are below this one, which is ASCII.
#[inline]
pub fn below(word: u64, byte: u8) -> u64 {
    !(((word | HIGH) - ONES * u64::from(byte)) | word) & HIGH
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
            }
        }
    }
}

//! The slot of a key, asked for every command of a pipeline over a cluster (contract section 11).

use crc::{CRC_16_XMODEM, Crc, Table};

use crate::word;

/// How many slots a cluster has.
pub const SLOTS: u16 = 16384;

/// The slot of a key, or of a shard channel: that of its hash tag, where it has one.
pub fn slot_of(key: &[u8]) -> u16 {
    static SUM: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_XMODEM);
    let key = hash_tag(key);
    // Sixteen bytes are summed up at once, where fewer would wait for each other. The sum begins with zero, so zeros
    // before a key change nothing.
    let (head, blocks) = key.split_at(key.len() % BLOCK);
    let mut first = [0; BLOCK];
    first[BLOCK - head.len()..].copy_from_slice(head);
    let mut sum = SUM.digest();
    sum.update(&first);
    sum.update(blocks);
    sum.finalize() % SLOTS
}

const BLOCK: usize = 16;

/// The part of a key that counts: its tag, where it has one.
#[inline]
fn hash_tag(key: &[u8]) -> &[u8] {
    // Most keys have none, and are too short for a faster search to pay.
    let has_brace = |eight: &[u8; 8]| word::same(u64::from_le_bytes(*eight), b'{') != 0;
    let may_have_tag = match key.last_chunk() {
        Some(last) => has_brace(last) || key.as_chunks().0.iter().any(has_brace),
        None => key.contains(&b'{'),
    };
    if may_have_tag { tag_of(key).unwrap_or(key) } else { key }
}

/// What is between the first `{` and the next `}`, unless that is nothing.
fn tag_of(key: &[u8]) -> Option<&[u8]> {
    let rest = &key[memchr::memchr(b'{', key)? + 1..];
    let tag = &rest[..memchr::memchr(b'}', rest)?];
    (!tag.is_empty()).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_servers() {
        // What CLUSTER KEYSLOT answers.
        for (key, slot) in [("foo", 12182), ("bar", 5061), ("{foo}bar", 12182), ("a{}b", 13694), ("", 0)] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        assert_eq!(slot_of(b"x{foo}{bar}"), slot_of(b"foo"));
        assert_eq!(slot_of(b"{{foo}"), slot_of(b"{foo"));
        for before in 0..20 {
            assert_eq!(slot_of(&[&b"x".repeat(before)[..], b"{foo}behind"].concat()), 12182, "{before}");
        }
    }

    #[test]
    fn keys_of_every_length_are_summed_up_byte_by_byte() {
        let bitwise = Crc::<u16, crc::NoTable>::new(&CRC_16_XMODEM);
        for length in 0..70 {
            let key: Vec<u8> = (200..=255).cycle().take(length).collect();
            assert_eq!(slot_of(&key), bitwise.checksum(&key) % SLOTS, "{length}");
        }
    }
}

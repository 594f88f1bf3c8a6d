//! Whether a snapshot is one, and whole: its first bytes say what it is, its last eight are a CRC-64 of all before.

use crc::{CRC_64_REDIS, Crc, Digest, Table};

use crate::text;

/// The widest table of the crate: the sum keeps up with any network.
static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);
/// How long the checksum is.
const LENGTH: usize = 8;
/// `REDIS0011`, `VALKEY080`.
const HEADER: usize = 9;
/// Older versions have no checksum.
const FIRST_VERSION: u32 = 5;

pub struct Checksum {
    digest: Digest<'static, u64, Table<16>>,
    /// The first bytes.
    head: Vec<u8>,
    /// The last ones, which may be the checksum.
    last: Vec<u8>,
    /// How many there were.
    pub count: u64,
}

impl Default for Checksum {
    fn default() -> Self {
        Self { digest: CRC.digest(), head: Vec::new(), last: Vec::new(), count: 0 }
    }
}

impl Checksum {
    /// Takes the next bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        let missing = HEADER.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        self.count += bytes.len() as u64;
        if let Some(more) = bytes.len().checked_sub(LENGTH) {
            self.digest.update(&self.last);
            self.digest.update(&bytes[..more]);
            self.last.clear();
            self.last.extend_from_slice(&bytes[more..]);
        } else {
            self.last.extend_from_slice(bytes);
            let more = self.last.len().saturating_sub(LENGTH);
            self.digest.update(&self.last[..more]);
            self.last.drain(..more);
        }
    }

    /// Says what is wrong with what has come. A server that keeps no checksum writes 0.
    pub fn check(&self) -> Result<(), String> {
        let version = [&b"REDIS"[..], b"VALKEY"].iter().find_map(|name| self.head.strip_prefix(*name));
        let Some(version) = version.and_then(text::number::<u32>) else {
            return Err("what came is no snapshot".to_owned());
        };
        let Ok(told) = <[u8; LENGTH]>::try_from(self.last.as_slice()) else {
            return Err(format!("the snapshot has {} bytes only", self.count));
        };
        let (told, own) = (u64::from_le_bytes(told), self.digest.clone().finalize());
        if version < FIRST_VERSION || told == 0 || told == own {
            return Ok(());
        }
        Err(format!("the snapshot is damaged: its checksum is {told:016x}, that of its bytes {own:016x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], step: usize) -> Result<(), String> {
        let mut checksum = Checksum::default();
        bytes.chunks(step).for_each(|chunk| checksum.add(chunk));
        assert_eq!(checksum.count, bytes.len() as u64);
        checksum.check()
    }

    #[test]
    fn a_snapshot_is_checked_however_it_is_cut() {
        let data = b"REDIS0011\xfa\x09redis-ver\x057.2.4\xff";
        let whole = [data.as_slice(), &CRC.checksum(data).to_le_bytes()].concat();
        let zero = [data.as_slice(), &[0; 8]].concat();
        for step in 1..=whole.len() {
            assert_eq!(check(&whole, step), Ok(()), "{step}");
            assert_eq!(check(&zero, step), Ok(()), "{step}");
            let mut damaged = whole.clone();
            damaged[12] ^= 1;
            let told = check(&damaged, step);
            assert!(told.as_ref().is_err_and(|why| why.starts_with("the snapshot is damaged")), "{told:?}");
        }
        // The value that the servers' own test has.
        assert_eq!(CRC.checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn what_is_no_snapshot_is_told() {
        for bytes in [&b"hello, world, hello"[..], b"REDIS", b"REDISabcd0000000", b"VALKEY080"] {
            assert!(check(bytes, 3).is_err() || bytes == b"VALKEY080", "{bytes:?}");
        }
        assert_eq!(check(b"REDIS0004\xff", 4), Ok(()));
    }
}

//! Room in memory, asked for before it is taken: an allocation that fails ends the process without a word.

use std::borrow::BorrowMut;
use std::collections::TryReserveError;
use std::hint::black_box;
use std::io;

/// Whether there is room for this many bytes now, where what takes them cannot be told that there is none.
pub fn has_room(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    // What nobody looks at would not be asked for in an optimized build.
    black_box(&mut room).try_reserve_exact(bytes).is_ok()
}

/// A copy of the bytes.
pub fn copy(bytes: &[u8]) -> Result<Vec<u8>, TryReserveError> {
    let mut copied = Vec::new();
    copied.try_reserve_exact(bytes.len())?;
    copied.extend_from_slice(bytes);
    Ok(copied)
}

/// Writes into a vector; what there is no room for is an error, and the vector as it was before that write.
#[derive(Debug, Default)]
pub struct Growing<V: BorrowMut<Vec<u8>>>(pub V);

impl<V: BorrowMut<Vec<u8>>> io::Write for Growing<V> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let grown = self.0.borrow_mut();
        grown.try_reserve(bytes.len())?;
        grown.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_told() {
        assert!(has_room(1) && has_room(1 << 20));
        assert!(!has_room(usize::MAX / 4) && !has_room(usize::MAX));
    }
}

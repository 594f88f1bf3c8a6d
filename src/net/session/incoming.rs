//! Bytes that came from the server: the frame that was given out last, and what waits behind it.

use std::io::{self, Read as _};

use super::super::transport::Transport;
use crate::memory;

/// Bytes that came from the server. Those from `start` to `end` are in use.
pub struct Incoming {
    pub buffer: Vec<u8>,
    pub start: usize,
    pub end: usize,
    /// How many bytes, from `start` on, the frame that was given out last has. They stay until the next is asked for.
    pub given: usize,
    /// All that was ever received, in bytes.
    pub total: u64,
    /// Whether the last read took all there was: until the next sleep another would only say so.
    pub is_drained: bool,
}

/// One reply to one command fits; the buffer of a busy connection grows.
const RECEIVE_BUFFER: usize = 16 * 1024;
const LARGEST_RECEIVE_BUFFER: usize = 64 * 1024;

impl Incoming {
    /// Nothing came yet.
    pub fn new(is_drained: bool) -> Self {
        Self { buffer: vec![0; RECEIVE_BUFFER], start: 0, end: 0, given: 0, total: 0, is_drained }
    }

    /// What was received of the frame that is still coming.
    pub fn waiting(&self) -> &[u8] {
        &self.buffer[self.start + self.given..self.end]
    }

    /// Reads once. `least` is how many bytes the frame that is being received has at least.
    pub fn fill(&mut self, transport: &mut Transport, least: usize) -> io::Result<usize> {
        if self.is_drained {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.make_room(least)?;
        let space = self.buffer.len() - self.end;
        let count = transport.read(&mut self.buffer[self.end..])?;
        self.is_drained = 0 < count && count < space && transport.tells_when_drained();
        self.end += count;
        self.total += count as u64;
        if self.end == self.buffer.len() && self.end < LARGEST_RECEIVE_BUFFER {
            self.buffer.resize(LARGEST_RECEIVE_BUFFER, 0);
        }
        Ok(count)
    }

    /// Moves what waits to the front, and grows the buffer where that leaves no room: to twice its size, but never
    /// beyond what is known to come and little more. Nothing is kept for what has not arrived.
    fn make_room(&mut self, least: usize) -> io::Result<()> {
        // A long frame that comes in pieces is moved once at most: nothing stands before it any more.
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let size = self.buffer.len();
        if self.end == 0 && size > LARGEST_RECEIVE_BUFFER {
            self.buffer = vec![0; LARGEST_RECEIVE_BUFFER];
        } else if self.end == size {
            let enough = if least > size { least.saturating_add(RECEIVE_BUFFER) } else { usize::MAX };
            let grown = size.saturating_mul(2).min(enough);
            // All that is known to come has its place at once, so that none of it is moved; pages that nothing was
            // written to take no memory.
            let more = if least > size { enough } else { grown } - size;
            memory::ask(|| self.buffer.try_reserve_exact(more))?;
            self.buffer.resize(grown, 0);
        }
        Ok(())
    }

    /// The bytes of the frame that was given out last, where they are many and nothing else is held: taken out, not
    /// copied.
    pub fn take_given(&mut self) -> Option<Vec<u8>> {
        if self.given <= LARGEST_RECEIVE_BUFFER || self.start > 0 || self.given < self.end {
            return None;
        }
        let mut bytes = std::mem::replace(&mut self.buffer, vec![0; RECEIVE_BUFFER]);
        bytes.truncate(self.end);
        (self.end, self.given) = (0, 0);
        Some(bytes)
    }

    /// Lets go of what memory has no room for, so that there is room for the words about it.
    pub fn give_up(&mut self) {
        (self.buffer, self.start, self.end, self.given) = (Vec::new(), 0, 0, 0);
    }
}

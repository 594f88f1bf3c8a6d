//! Bytes that came from the server and were not decoded yet.

use std::io::{self, Read as _};

use super::super::transport::Transport;

/// Bytes that came from the server and were not decoded yet.
pub struct Incoming {
    /// Those that are not used yet are from `start` to `end`.
    pub buffer: Vec<u8>,
    pub start: usize,
    pub end: usize,
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
        Self { buffer: vec![0; RECEIVE_BUFFER], start: 0, end: 0, total: 0, is_drained }
    }

    /// Makes room for more than the rest of an unended line, and reads once.
    pub fn fill(&mut self, transport: &mut Transport) -> io::Result<usize> {
        // A long line that comes in pieces is moved once at most: nothing stands before it any more.
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.try_reserve_exact(self.end)?;
            self.buffer.resize(self.end * 2, 0);
        }
        if self.is_drained {
            return Err(io::ErrorKind::WouldBlock.into());
        }
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

    /// Lets go of a line that memory has no room for, so that there is room for these words about it.
    pub fn give_up(&mut self) -> String {
        let came = self.end;
        (self.buffer, self.start, self.end) = (Vec::new(), 0, 0);
        format!("memory has no room for a line of more than {came} bytes")
    }
}

//! Bytes that are no frames, as a snapshot comes: what waits, and reading on.

use std::io;

use super::super::error::Lost;
use super::Session;

impl Session {
    /// The bytes that have arrived behind the last frame.
    pub(in crate::net) fn waiting(&self) -> &[u8] {
        self.incoming.waiting()
    }

    /// Passes over so many of them.
    pub(in crate::net) fn pass(&mut self, count: usize) {
        let incoming = &mut self.incoming;
        incoming.start = (incoming.start + std::mem::take(&mut incoming.given) + count).min(incoming.end);
    }

    /// Sends what is packed, and waits for more bytes.
    pub(in crate::net) fn await_bytes(&mut self) -> Result<(), Lost> {
        loop {
            let unsendable = self.send().err();
            match self.incoming.fill(&mut self.transport, 0) {
                Ok(0) => return Err(unsendable.unwrap_or_else(|| self.ended(Lost::Closed))),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.wait(None, self.silence_ends())?.expired {
                        return Err(self.silent());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.ended(Lost::Broken(error))),
            }
        }
    }
}

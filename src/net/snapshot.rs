//! A server's snapshot by SYNC, as a replica gets it: with its length told before, or with a mark behind it. What it
//! holds is nobody's business here.

use memchr::memmem;

use super::error::Lost;
use super::session::Session;
use crate::command::request::Request;
use crate::reply::ErrorReply;
use crate::text;

/// How long the mark is.
const MARK: usize = 40;
/// No answer to SYNC is longer.
const LONGEST_LINE: usize = 16 * 1024;

/// How its end is told.
enum End {
    /// By what is left of it.
    Left(u64),
    /// By what stands behind it.
    Mark(Vec<u8>),
}

pub struct Snapshot {
    session: Session,
    end: End,
    /// How many bytes were given out last.
    given: usize,
    is_over: bool,
}

impl Snapshot {
    /// Asks a server for it and waits until it comes; the inner error is what SYNC is answered, or the demand for
    /// functions alone.
    pub fn ask(mut session: Session, only_functions: bool) -> Result<Result<Self, ErrorReply>, Lost> {
        if only_functions {
            // A server that does not know it would give all keys.
            let answer = session.call(&Request::new(["REPLCONF", "rdb-filter-only", "functions"]))?;
            if let Some(error) = ErrorReply::of(answer.frame()) {
                return Ok(Err(error));
            }
        }
        // A server that does not know these gives more than is wanted, which is not read, or tells the length.
        session.call(&Request::new(["REPLCONF", "rdb-only", "1"]))?;
        session.call(&Request::new(["REPLCONF", "capa", "eof"]))?;
        session.begin(&Request::new(["SYNC"]));
        let line = read_line(&mut session)?;
        if let Some(error) = line.strip_prefix(b"-") {
            return Ok(Err(ErrorReply::new(error)));
        }
        let end = match line.strip_prefix(b"$EOF:") {
            Some(mark) => (mark.len() == MARK).then(|| End::Mark(mark.to_vec())),
            None => length_of(&line).map(End::Left),
        };
        let undecodable = || Lost::Undecodable("SYNC was answered with no snapshot".to_owned());
        let end = end.ok_or_else(undecodable)?;
        Ok(Ok(Self { session, end, given: 0, is_over: false }))
    }

    /// How many bytes it has, where that is told before.
    pub fn length(&self) -> Option<u64> {
        match self.end {
            End::Left(length) => Some(length),
            End::Mark(_) => None,
        }
    }

    /// Waits for its next bytes; none at its end.
    pub fn read(&mut self) -> Result<Option<&[u8]>, Lost> {
        self.session.pass(std::mem::take(&mut self.given));
        while !self.is_over {
            (self.given, self.is_over) = self.end.take(self.session.waiting());
            if self.given > 0 {
                return Ok(Some(&self.session.waiting()[..self.given]));
            }
            if !self.is_over {
                self.session.await_bytes()?;
            }
        }
        Ok(None)
    }
}

impl End {
    /// How many of these bytes belong to it, and whether they are the last.
    fn take(&mut self, waiting: &[u8]) -> (usize, bool) {
        match self {
            Self::Left(left) => {
                let count = usize::try_from(*left).map_or(waiting.len(), |left| left.min(waiting.len()));
                *left -= count as u64;
                (count, *left == 0)
            }
            Self::Mark(mark) => match memmem::find(waiting, mark) {
                Some(at) => (at, true),
                // The beginning of the mark may be there already.
                None => (waiting.len().saturating_sub(MARK - 1), false),
            },
        }
    }
}

/// The answer to SYNC. Until the snapshot begins the server sends empty lines, as signs of life.
fn read_line(session: &mut Session) -> Result<Vec<u8>, Lost> {
    loop {
        let waiting = session.waiting();
        let empty = waiting.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let rest = &waiting[empty..];
        if let Some(length) = memchr::memchr(b'\n', rest) {
            let line = rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]).to_vec();
            session.pass(empty + length + 1);
            return Ok(line);
        }
        if rest.len() > LONGEST_LINE {
            return Err(Lost::Undecodable("the answer to SYNC has no end".to_owned()));
        }
        session.pass(empty);
        session.await_bytes()?;
    }
}

fn length_of(line: &[u8]) -> Option<u64> {
    text::number(line.strip_prefix(b"$")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_found_wherever_it_is_cut() {
        let mark = vec![b'm'; MARK];
        let whole = [b"data mmm".as_slice(), &[b'x'; 100], &mark, b"more"].concat();
        for cut in 1..whole.len() {
            let mut end = End::Mark(mark.clone());
            let (mut got, mut from) = (Vec::new(), 0);
            for until in [cut, whole.len()] {
                let (count, is_over) = end.take(&whole[from..until]);
                got.extend_from_slice(&whole[from..from + count]);
                from += count;
                if is_over {
                    break;
                }
            }
            assert_eq!(got, whole[..108], "{cut}");
        }
    }

    #[test]
    fn a_length_is_taken_to_the_byte() {
        let mut end = End::Left(5);
        assert_eq!(end.take(b"abc"), (3, false));
        assert_eq!(end.take(b"defg"), (2, true));
        assert_eq!((length_of(b"$12"), length_of(b"$-1"), length_of(b"+OK")), (Some(12), None, None));
    }
}

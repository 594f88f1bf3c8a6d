//! MULTI … EXEC in one write, so that a block runs as a whole or not at all (contract section 7).

use redis::{ServerError, Value};

use super::session::{Lost, Session};
use crate::request::Request;

/// How a block ended.
#[derive(Debug)]
pub enum Transacted {
    /// It ran: a reply for each command, errors in their places.
    Executed(Vec<Value>),
    /// A watched key had changed: nothing ran.
    Aborted,
    /// Commands were refused while queueing, named by their place in the block, and EXEC for that: nothing ran.
    Refused(Vec<(usize, ServerError)>, ServerError),
    /// MULTI or EXEC itself was refused: nothing ran.
    Denied(ServerError),
}

/// A connection lost while a block was with the server.
#[derive(Debug)]
pub struct LostBlock {
    /// Why.
    pub lost: Lost,
    /// Whether the server may have got all of it, EXEC included.
    pub may_have_run: bool,
}

impl From<Lost> for LostBlock {
    /// The connection was lost, or not there, before the block was sent.
    fn from(lost: Lost) -> Self {
        Self { lost, may_have_run: false }
    }
}

impl Session {
    /// Makes sure that this user may use MULTI. Were it refused in the write that carries the block, the commands
    /// after it would run one by one. Asked once a session, and before any WATCH, which DISCARD would undo.
    pub fn check_multi(&mut self) -> Result<Result<(), ServerError>, Lost> {
        if self.may_multi {
            return Ok(Ok(()));
        }
        self.ask_for_multi();
        self.hear_of_multi()
    }

    /// WATCHes the keys, if there are any, and makes sure of MULTI as [`Self::check_multi`] does, in one write.
    /// The error is that of whichever was refused.
    pub fn watch<K: AsRef<[u8]>>(&mut self, keys: &[K]) -> Result<Result<(), ServerError>, Lost> {
        self.watch_behind(None, keys)
    }

    /// The same with a command before WATCH in the same write: the ASKING that a slot on its way to this node needs.
    pub fn watch_behind<K: AsRef<[u8]>>(
        &mut self,
        first: Option<&Request>,
        keys: &[K],
    ) -> Result<Result<(), ServerError>, Lost> {
        let asks = !self.may_multi;
        if asks {
            self.ask_for_multi();
        }
        if let Some(first) = first {
            first.pack(self.outgoing());
        }
        if !keys.is_empty() {
            let mut watch = Request::new(["WATCH"]);
            for key in keys {
                watch.push(key.as_ref());
            }
            watch.pack(self.outgoing());
        }
        let allowed = if asks { self.hear_of_multi()? } else { Ok(()) };
        if first.is_some() {
            self.answer()?;
        }
        let watched = if keys.is_empty() { Value::Okay } else { self.answer()? };
        Ok(match watched {
            Value::ServerError(error) => allowed.and(Err(error)),
            _ => allowed,
        })
    }

    fn ask_for_multi(&mut self) {
        Request::new(["MULTI"]).pack(self.outgoing());
        Request::new(["DISCARD"]).pack(self.outgoing());
    }

    fn hear_of_multi(&mut self) -> Result<Result<(), ServerError>, Lost> {
        let multi = self.answer()?;
        let _ = self.answer()?;
        if let Value::ServerError(error) = multi {
            return Ok(Err(error));
        }
        self.may_multi = true;
        Ok(Ok(()))
    }

    /// Sends the block as MULTI … EXEC in one write and reads every reply.
    pub fn transact<'a>(&mut self, block: impl ExactSizeIterator<Item = &'a Request>) -> Result<Transacted, LostBlock> {
        self.transact_behind(None, block)
    }

    /// The same with a command before MULTI in the same write: the ASKING that a slot on its way to this node needs.
    pub fn transact_behind<'a>(
        &mut self,
        first: Option<&Request>,
        block: impl ExactSizeIterator<Item = &'a Request>,
    ) -> Result<Transacted, LostBlock> {
        match self.check_multi() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Ok(Transacted::Denied(error)),
            Err(lost) => return Err(LostBlock { lost, may_have_run: false }),
        }
        let count = block.len();
        if let Some(first) = first {
            first.pack(self.outgoing());
        }
        Request::new(["MULTI"]).pack(self.outgoing());
        for request in block {
            request.pack(self.outgoing());
        }
        Request::new(["EXEC"]).pack(self.outgoing());
        let read = first.map_or(Ok(()), |_| self.answer().map(drop)).and_then(|()| self.read_block(count));
        read.map_err(|lost| LostBlock { lost, may_have_run: self.unsent() == 0 })
    }

    fn read_block(&mut self, count: usize) -> Result<Transacted, Lost> {
        let multi = self.answer()?;
        let mut refused = Vec::new();
        for index in 0..count {
            if let Value::ServerError(error) = self.answer()? {
                refused.push((index, error));
            }
        }
        let exec = self.answer()?;
        Ok(match (multi, exec) {
            (Value::ServerError(error), _) => Transacted::Denied(error),
            (_, Value::ServerError(error)) if !refused.is_empty() => Transacted::Refused(refused, error),
            (_, Value::ServerError(error)) => Transacted::Denied(error),
            (_, Value::Nil) => Transacted::Aborted,
            (_, Value::Array(replies)) if replies.len() == count => Transacted::Executed(replies),
            _ => return Err(Lost::Undecodable(format!("no array of {count} replies"))),
        })
    }
}

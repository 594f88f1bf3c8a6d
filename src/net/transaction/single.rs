//! MULTI … EXEC on one connection, so that a block runs as a whole or not at all (contract section 7).

use super::super::error::{Lost, LostBlock};
use super::super::session::Session;
use super::Transacted;
use crate::command::request::Request;
use crate::reply::{ErrorReply, Kind, OwnedFrame};

impl Session {
    /// WATCHes the keys, if there are any; `first` is a command before that in the same write: the ASKING that a slot on its
    /// way to this node needs.
    pub fn watch<K: AsRef<[u8]>>(
        &mut self,
        first: Option<&Request>,
        keys: &[K],
    ) -> Result<Result<(), ErrorReply>, Lost> {
        if keys.is_empty() {
            return Ok(Ok(()));
        }
        let mut watch = Request::new(["WATCH"]);
        for key in keys {
            watch.push(key.as_ref());
        }
        self.pack_behind(first, &watch);
        Ok(ErrorReply::of(self.answer_behind(first)?.frame()).map_or(Ok(()), Err))
    }

    /// Runs the block and reads every reply. Were MULTI refused in the write that carries the block, the commands after
    /// it would run one by one: so the first MULTI of a connection goes alone, and the rest in one write once it is
    /// answered. After that MULTI is known to be allowed, and a block is one write. `first` goes before MULTI in the same
    /// write, as with [`Self::watch`].
    pub fn transact<'a>(
        &mut self,
        first: Option<&Request>,
        block: impl ExactSizeIterator<Item = &'a Request>,
    ) -> Result<Transacted, LostBlock> {
        self.pack_behind(first, &Request::new(["MULTI"]));
        let is_first = !self.may_multi;
        if is_first {
            if let Some(error) = ErrorReply::of(self.answer_behind(first)?.frame()) {
                return Ok(Transacted::Denied(error));
            }
            self.may_multi = true;
        }
        let count = block.len();
        for request in block {
            self.begin(request);
        }
        Request::new(["EXEC"]).pack(self.outgoing());
        let denied =
            if is_first { Ok(None) } else { self.answer_behind(first).map(|multi| ErrorReply::of(multi.frame())) };
        denied
            .and_then(|denied| self.read_block(denied, count))
            .map_err(|lost| LostBlock { lost, may_have_run: self.has_sent_all() })
    }

    fn pack_behind(&mut self, first: Option<&Request>, request: &Request) {
        if let Some(first) = first {
            first.pack(self.outgoing());
        }
        request.pack(self.outgoing());
    }

    fn answer_behind(&mut self, first: Option<&Request>) -> Result<OwnedFrame, Lost> {
        if first.is_some() {
            self.answer()?;
        }
        self.answer()
    }

    fn read_block(&mut self, denied: Option<ErrorReply>, count: usize) -> Result<Transacted, Lost> {
        let mut refused = Vec::new();
        for index in 0..count {
            if let Some(error) = ErrorReply::of(self.answer()?.frame()) {
                refused.push((index, error));
            }
        }
        let exec = self.answer()?;
        let ran_apart = refused.len() < count;
        if let Some(error) = denied {
            return Ok(if ran_apart { Transacted::Unbound(error) } else { Transacted::Denied(error) });
        }
        if let Some(error) = ErrorReply::of(exec.frame()) {
            return Ok(Transacted::Refused(refused, error));
        }
        let head = exec.frame().head();
        match head.kind {
            Kind::Nil => Ok(Transacted::Aborted),
            Kind::Array if head.count == count as u64 => Ok(Transacted::Executed(exec)),
            _ => Err(Lost::Undecodable(format!("no array of {count} replies"))),
        }
    }
}

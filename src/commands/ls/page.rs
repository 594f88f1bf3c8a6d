//! The keys of one reply to SCAN about which something is asked, until all of it is answered. Rows are written one by
//! one as their last answers come, so that no more than the keys is held.

use super::looks::{Facts, Look, Looks, Told};
use super::output::Output;
use super::walk::Halt;
use crate::net::Redirect;
use crate::reply::{ErrorReply, Frame};

#[derive(Debug, Default)]
pub struct Page {
    /// The keys as bulk strings, one behind the other.
    bulks: Vec<u8>,
    keys: Vec<Key>,
    facts: Vec<Facts>,
    is_first: bool,
    /// The key that is answered next, which of its questions, and whether an answer before said that it is gone.
    at: usize,
    look: usize,
    is_gone: bool,
    /// Whether the ASKING before that question is answered.
    is_let_in: bool,
    /// How many bytes the answers had so far.
    pub answered: usize,
}

/// Where a key stands: its bulk string begins, then the key itself, and it ends.
#[derive(Clone, Copy, Debug)]
struct Key {
    bulk: usize,
    start: usize,
    end: usize,
    /// Whether its slot is only on its way here: then every question is to be let in by ASKING.
    asks: bool,
}

const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

/// What is to be done with a page now.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Further answers come.
    Waits,
    /// The second stage is to be asked.
    Asks,
    /// Every row is written.
    Done,
}

impl Page {
    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        let Self { bulks, keys, facts, answered, .. } = self;
        bulks.clear();
        keys.clear();
        facts.clear();
        *answered = 0;
    }

    /// Adds a key; `asks` if its slot is only on its way to the node.
    pub fn push(&mut self, key: &[u8], asks: bool) {
        let bulk = self.bulks.len();
        self.bulks.push(b'$');
        self.bulks.extend_from_slice(itoa::Buffer::new().format(key.len()).as_bytes());
        self.bulks.extend_from_slice(b"\r\n");
        let start = self.bulks.len();
        self.bulks.extend_from_slice(key);
        self.keys.push(Key { bulk, start, end: self.bulks.len(), asks });
        self.bulks.extend_from_slice(b"\r\n");
        self.facts.push(Facts::default());
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Begins with the first stage: it is to be asked.
    pub fn begin(&mut self, looks: &Looks) {
        (self.is_first, self.at) = (looks.has_first(), 0);
    }

    /// Begins the stage anew, on another connection; rows that were written are not asked for again.
    pub fn begin_again(&mut self) {
        if self.is_first {
            self.at = 0;
            self.facts.fill(Facts::default());
        }
    }

    /// Asks about the keys from the present one on.
    pub fn ask(
        &mut self,
        looks: &Looks,
        out: &mut Vec<u8>,
        output: &mut Output,
        node: usize,
    ) -> Result<Progress, Halt> {
        (self.look, self.is_gone, self.is_let_in) = (0, false, false);
        for (key, facts) in self.keys[self.at..].iter().zip(&self.facts[self.at..]) {
            let bulk = &self.bulks[key.bulk..key.end + 2];
            for look in looks.stage(self.is_first, facts) {
                if key.asks {
                    out.extend_from_slice(ASKING);
                }
                looks.pack(look, facts, bulk, out);
            }
        }
        self.settle(looks, output, node)
    }

    /// Takes the next answer, and writes the row that it completes.
    #[inline]
    pub fn take(
        &mut self,
        reply: Frame<'_>,
        looks: &mut Looks,
        output: &mut Output,
        node: usize,
    ) -> Result<Progress, Halt> {
        self.answered += reply.bytes().len();
        let Some(facts) = self.facts.get_mut(self.at) else { return Ok(Progress::Waits) };
        if self.keys[self.at].asks && !std::mem::replace(&mut self.is_let_in, true) {
            return Ok(Progress::Waits);
        }
        self.is_let_in = false;
        let Some(look) = looks.stage(self.is_first, facts).nth(self.look) else { return Ok(Progress::Waits) };
        match looks.note(look, reply, facts) {
            Told::Fact => {}
            Told::Gone => self.is_gone = true,
            Told::Refused(error) => self.is_gone |= is_left_out(look, &error, output)?,
        }
        if look == Look::Dump && !self.is_gone {
            let key = self.keys[self.at];
            let expiry = looks.expiry(&self.facts[self.at]);
            output.restore(&self.bulks[key.start..key.end], expiry, reply.head().text)?;
        }
        self.look += 1;
        let facts = &mut self.facts[self.at];
        if looks.stage(self.is_first, facts).nth(self.look).is_some() {
            return Ok(Progress::Waits);
        }
        facts.is_gone = self.is_gone;
        if look != Look::Dump {
            self.write(looks, output, node)?;
        }
        self.at += 1;
        (self.look, self.is_gone) = (0, false);
        self.settle(looks, output, node)
    }

    /// Passes over keys about which nothing is asked in this stage.
    fn settle(&mut self, looks: &Looks, output: &mut Output, node: usize) -> Result<Progress, Halt> {
        while let Some(facts) = self.facts.get(self.at) {
            if looks.stage(self.is_first, facts).next().is_some() {
                return Ok(Progress::Waits);
            }
            self.write(looks, output, node)?;
            self.at += 1;
        }
        if self.is_first {
            (self.is_first, self.at) = (false, 0);
            return Ok(Progress::Asks);
        }
        Ok(Progress::Done)
    }

    /// Writes the row of the present key, if it is complete and the key is there.
    fn write(&self, looks: &Looks, output: &mut Output, node: usize) -> Result<(), Halt> {
        let facts = &self.facts[self.at];
        if self.is_first || facts.is_gone {
            return Ok(());
        }
        let key = self.keys[self.at];
        output.row(&self.bulks[key.start..key.end], looks, facts, node)
    }
}

/// What to do where the server refuses an answer: whether the key is left out.
fn is_left_out(look: Look, error: &ErrorReply, output: &mut Output) -> Result<bool, Halt> {
    match Redirect::of_error(error) {
        // It has moved, and will be given where it is now.
        Some(Redirect::Moved(..) | Redirect::Ask(..)) if output.is_cluster => Ok(true),
        Some(Redirect::TryAgain | Redirect::Down) => Err(Halt::Later(error.reason().to_owned())),
        // Without an LFU policy there is nothing to rank.
        _ if look == Look::Freq && error.code() == "ERR" => Err(Halt::Refused(error.clone())),
        _ => {
            output.complain(look, error);
            Ok(matches!(look, Look::Dump | Look::ExpireTime))
        }
    }
}

//! What the nodes answer to what they were asked for: which confirmations are told, what moved, what is refused.

use std::sync::Arc;
use std::time::Instant;

use super::super::super::redirect::Redirect;
use super::super::super::stream::ear::Loss;
use super::super::super::stream::source::is_final;
use super::super::super::stream::{ENDED, Event, Told, Topic};
use super::super::want::{State, Want, What};
use super::Nodes;
use crate::exit::{Failure, Outcome};
use crate::reply::{ErrorReply, OwnedFrame};

/// Why what is not heard elsewhere is asked for again where there is no loss.
const LEFT: &str = "its node has left";

/// After so many tries in a row it is said that nobody gives a channel.
const QUIET_TRIES: u32 = 7;
impl Nodes {
    /// A node has what it was asked for at this place. Gives the confirmation if it is to be told.
    pub(super) fn confirm(&mut self, at: usize, index: usize, message: Option<OwnedFrame>) -> Option<OwnedFrame> {
        self.note_current(at);
        let member = &mut self.members[at];
        let want = &mut self.wants[*member.asked.get(index)?];
        want.confirmed += 1;
        let from = want.from.replace(Arc::clone(&member.name));
        let gap = want.silent_since.take().map(|since| since.elapsed());
        let was_told = std::mem::replace(&mut want.is_told, false);
        let is_first = from.is_none();
        let mut announce = |event| self.announced.push_back((Arc::clone(&member.name), Told::Event(event)));
        match (from, gap, &want.what) {
            (Some(from), Some(gap), What::Shard(subscription, _)) if from != member.name => {
                announce(Event::Moved { channel: subscription.name.clone(), from: from.to_string(), gap });
            }
            (_, Some(gap), What::Shard(subscription, _) | What::Anywhere(subscription)) if !was_told => {
                let channel = Some(subscription.name.clone());
                // Its slot was assigned anew to the node that had it, or its node has left.
                let reason = if subscription.topic == Topic::ShardChannel { ENDED } else { LEFT }.to_owned();
                announce(Event::Disconnected { channel: channel.clone(), reason, retrying: true });
                announce(Event::Reconnected { channel, gap });
            }
            (_, Some(gap), _) => member.gap = member.gap.max(Some(gap)),
            _ => {}
        }
        if member.ear.is_ready()
            && let Some(gap) = member.gap.take()
        {
            announce(Event::Reconnected { channel: None, gap });
        }
        let is_told = match want.what {
            What::Node(_) if want.confirmed == self.told + 1 => self.is_confirmed_by_all(),
            What::Node(_) => false,
            // One that was only asked for at another node is confirmed already.
            _ => is_first || was_told,
        };
        message.filter(|_| is_told)
    }

    /// Whether one more of the commands for every node is confirmed by all that can be reached.
    fn is_confirmed_by_all(&mut self) -> bool {
        let is_reached = |want: &&Want| matches!((&want.what, &want.state), (What::Node(_), State::At(_)));
        let is_it = self.wants.iter().filter(is_reached).all(|want| want.confirmed > self.told);
        self.told += usize::from(is_it);
        is_it
    }

    /// A node refuses what it was asked for at this place: it may be another's.
    pub(super) fn refuse(&mut self, at: usize, index: usize, error: &ErrorReply) -> Outcome<()> {
        let member = &self.members[at];
        let refusal = member.ear.describe_refusal(index, error);
        let Some(want) = member.asked.get(index).and_then(|want| self.wants.get_mut(*want)) else { return Ok(()) };
        let now = Instant::now();
        match Redirect::of_error(error) {
            Some(redirect) => {
                want.state = State::Homeless;
                if let Redirect::Moved(slot, node) = redirect {
                    self.moves.push((slot, node, member.address.clone()));
                }
                if self.tries.count() >= QUIET_TRIES && !std::mem::replace(&mut want.is_told, true) {
                    want.silent_since.get_or_insert(now);
                    let retrying = self.tries.may_go_on();
                    let channel = match &want.what {
                        What::Shard(subscription, _) => Some(subscription.name.clone()),
                        _ => None,
                    };
                    let lost = Told::Event(Event::Disconnected { channel, reason: refusal.clone(), retrying });
                    self.announced.push_back((Arc::clone(&self.members[at].name), lost));
                }
                self.due = Some(now + self.tries.pause());
                self.reason = refusal;
            }
            None if want.from.is_none() || is_final(error) => {
                return Err(Failure::failed(format!("{}: {refusal}", member.name)));
            }
            None => self.lose(at, Loss::now(refusal)),
        }
        Ok(())
    }
}

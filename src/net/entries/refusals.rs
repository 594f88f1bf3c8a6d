//! Errors in place of answers: slots that are elsewhere, servers that ask for patience, groups that are missing, and what
//! ends it (contract sections 1, 11 and 15).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::cluster::redirects::Redirect;
use super::super::error::Unopened;
use super::look::Look;
use super::reader::{Asked, Link};
use super::{Edge, Entries, Loss, Queued, streams_of};
use crate::reply::ErrorReply;

/// How long a server is left alone that asks for patience.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often a node may say that it does not serve, before another one is looked for: three seconds, and a failover as
/// a rule.
const LONGEST_PATIENCE: u32 = 30;
/// The same where a read was ended from outside.
const MOMENT: Duration = Duration::from_millis(10);

impl Entries {
    /// An error in place of an answer.
    pub(super) fn refuse(&mut self, at: usize, asked: &Asked, error: &ErrorReply) -> Result<(), Unopened> {
        match asked {
            Asked::New(_) | Asked::Claim(_) => self.readers[at].taken = 0,
            Asked::Acknowledge(stream) => self.cursors[*stream].send_again(),
            _ => {}
        }
        if self.is_cluster {
            match Redirect::of_error(error) {
                Some(Redirect::Moved(slot, node)) => {
                    self.hop(at, (slot, node), false);
                    return Ok(());
                }
                Some(Redirect::Ask(slot, node)) if self.has_all(at, asked) => {
                    self.hop(at, (slot, node), true);
                    return Ok(());
                }
                // Others of the slot may still be here: what is not there yet is not missing.
                Some(Redirect::Ask(..)) => {
                    self.rest(at, PATIENCE);
                    return Ok(());
                }
                Some(down @ (Redirect::TryAgain | Redirect::Down)) => {
                    let reader = &mut self.readers[at];
                    reader.refusals += 1;
                    if down == Redirect::Down && reader.refusals > LONGEST_PATIENCE {
                        return self.lose(at, Loss::now(error.reason().to_owned()));
                    }
                    self.rest(at, PATIENCE);
                    return Ok(());
                }
                None => {}
            }
        }
        let has_read = self.readers[at].has_read;
        let words = error.to_string();
        match (error.code(), asked) {
            ("BUSYGROUP", Asked::Make(stream)) => self.note_made(*stream),
            // What a server says that is none for us any more, or not yet again.
            ("LOADING" | "MASTERDOWN" | "READONLY", _) if has_read => return self.lose(at, Loss::now(words)),
            ("UNBLOCKED", _) if words.contains("instance state changed") => return self.lose(at, Loss::now(words)),
            ("UNBLOCKED", _) => {
                self.rest(at, MOMENT);
            }
            ("NOGROUP", _) if self.reading.group.as_ref().is_some_and(|group| group.create) => {
                for stream in streams_of(asked) {
                    self.cursors[*stream].is_groupless = true;
                }
            }
            ("ERR", Asked::Look(stream)) if words.contains("no such key") => {
                self.take_look(at, *stream, Look::default());
            }
            ("ERR", Asked::Group(stream)) if words.contains("no such key") => self.take_group(at, *stream, None),
            ("NOPERM" | "ERR", Asked::Look(stream)) if self.is_started(*stream) => self.may_look = false,
            ("NOPERM" | "ERR", Asked::Group(_)) => self.may_look = false,
            ("NOPERM" | "ERR", Asked::Counts(_)) => self.may_count = false,
            ("NOGROUP", Asked::Counts(_)) => {}
            _ => self.end_refused(at, asked, error),
        }
        Ok(())
    }

    /// Whether something was asked of all streams that are read over a connection.
    fn has_all(&self, at: usize, asked: &Asked) -> bool {
        let mut live = self.readers[at].streams.iter().filter(|stream| !self.cursors[**stream].is_over);
        live.all(|stream| streams_of(asked).contains(stream))
    }

    /// Whether a stream can be read without being looked at.
    fn is_started(&self, stream: usize) -> bool {
        self.cursors[stream].start.is_some() && self.reading.until != Some(Edge::Latest)
            || self.reading.group.as_ref().is_some_and(|group| !group.create)
    }

    /// A refusal that ends it.
    fn end_refused(&mut self, at: usize, asked: &Asked, error: &ErrorReply) {
        if self.is_closing {
            return;
        }
        let streams: Vec<_> =
            streams_of(asked).iter().map(|stream| String::from_utf8_lossy(&self.cursors[*stream].name)).collect();
        let hint = match (error.code(), asked) {
            ("NOGROUP", _) => "; --create makes the group where it is missing",
            ("NOPERM", Asked::Look(_)) => "; XINFO STREAM tells what $ is: --from ID does without",
            _ => error.advice(self.is_cluster),
        };
        let place = self.readers[at].link.as_ref().map_or(&self.current, |link: &Link| &link.name);
        let words = format!("{place}: {}: {}{hint}", streams.join(", "), error.reason());
        self.close();
        self.announced.push_back((Arc::clone(&self.current), Queued::Refused(words)));
    }

    fn rest(&mut self, at: usize, pause: Duration) {
        self.readers[at].rests_until = Some(Instant::now() + pause);
    }
}

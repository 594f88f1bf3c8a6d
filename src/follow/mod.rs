//! The loop that follows a stream: take what has come; when nothing waits, flush, then sleep. The prompt's views run it
//! too.

mod changes;
mod feed;
mod filter;
pub mod handler;
mod limits;
mod sink;
mod view;
mod words;

use std::time::{Duration, Instant};

pub use self::changes::{ChangeSender, Changes, Listening};
pub use self::feed::Feed;
pub use self::filter::Filter;
use self::handler::Handlers;
pub use self::limits::Limits;
use self::sink::{Sink, Taken};
use self::view::{End, asked, watched};
pub use self::view::{Output, View};
use crate::exit::{Exit, Failure, Outcome};
use crate::net::Heard;
use crate::reply::ArgPlaces;
use crate::report::report;
use crate::text::counted;

/// Between looks at the clock and at signals while messages come without a pause.
const BUSY_MESSAGES: u32 = 256;
/// How long a signal's end may read what the server has sent already. A second is all there is.
const LAST_READ: Duration = Duration::from_millis(400);
/// How long the last acknowledgements may take: a signal leaves a second.
const LAST_ACKNOWLEDGED: Duration = Duration::from_millis(500);
/// The silence after which nothing more is taken to be on its way.
const SILENCE: Duration = Duration::from_millis(20);

/// Follows a stream to its end. Every message received is written before.
pub fn follow(feed: impl Feed, view: View) -> Outcome<Exit> {
    let sink = Sink { view, refused: Exit::Done, is_short: false, places: ArgPlaces::default() };
    let mut follower = Follower { feed, sink };
    let end = follower.run();
    follower.finish(end)
}

/// What is followed, and what becomes of what it gives.
struct Follower<F: Feed> {
    feed: F,
    sink: Sink,
}

impl<F: Feed> Follower<F> {
    fn run(&mut self) -> Outcome<End> {
        let mut busy = 0;
        loop {
            // What it gives is large: it is looked at where it is.
            match self.feed.next() {
                Ok(Some(ref given)) => {
                    match self.sink.take(given)? {
                        Taken::Done => {}
                        Taken::End(end) => return Ok(end),
                        Taken::Nonsense => self.feed.distrust("the server sent what belongs to no such stream")?,
                    }
                    busy += 1;
                    if busy < BUSY_MESSAGES {
                        continue;
                    }
                    self.feed.attend()?;
                }
                Ok(None) => {
                    self.sink.flush()?;
                    self.note_done();
                    if let Some(end) = self.sleep()? {
                        return Ok(end);
                    }
                }
                Err(error) => return Err(error.into()),
            }
            busy = 0;
            if let Some(end) = asked() {
                return Ok(end);
            }
            if self.feed.has_ended() {
                return Ok(End::Done);
            }
            if self.sink.view.limits.is_over() {
                return Ok(End::Expired);
            }
        }
    }

    /// What was given is written, and the handlers are done with some of it.
    fn note_done(&mut self) {
        if let Some(handlers) = &self.sink.view.handlers {
            self.feed.note_handled(&handlers.take_done());
        }
        self.feed.note_written(self.sink.view.limits.left());
    }

    /// Sleeps until something comes, or something ends the view.
    fn sleep(&mut self) -> Outcome<Option<End>> {
        let deadline = self.sink.view.limits.deadline();
        let (others, ends) = watched(&self.sink.view);
        let end = self.feed.wait(&others, deadline)?.map(|ready| ends[ready]);
        Ok(end.and_then(|end| self.sink.heed(end)))
    }

    /// Everything received is written and handled, then the view's end is told.
    fn finish(mut self, end: Outcome<End>) -> Outcome<Exit> {
        let end = match (end, asked()) {
            // A try to connect that a signal ended is no failure of its own.
            (Ok(End::Signal(signal)), _) | (Err(_), Some(End::Signal(signal))) => {
                self.sink.view.handlers.iter().for_each(Handlers::close);
                self.feed.close();
                self.read_the_rest().map(|()| End::Signal(signal))
            }
            (end, _) => end,
        };
        // What could not be written once is not tried again.
        let is_unread = end.as_ref().is_ok_and(|end| *end == End::Unread);
        let flushed = if is_unread { Ok(()) } else { self.sink.flush() };
        if flushed.is_ok() && !is_unread && !self.sink.is_short {
            self.feed.note_written(Some(0));
        }
        let end = end.and_then(|end| flushed.map(|()| end));
        let end = self.sink.finish_handlers(end);
        self.acknowledge_the_rest();
        let end = end?;
        let also = self.sink.refused.or(self.feed.exit());
        self.exit(end).map(|exit| exit.or(also)).or_else(|failure| match failure.exit().or(also) {
            exit if exit == failure.exit() => Err(failure),
            exit => {
                failure.report();
                Ok(exit)
            }
        })
    }

    /// What a view's end means for the run.
    fn exit(&self, end: End) -> Outcome<Exit> {
        match end {
            End::Done | End::Unread => Ok(Exit::Done),
            End::Expired => self.sink.view.limits.end(),
            End::HandlerFailed => {
                let left = self.sink.view.handlers.as_ref().map_or(0, Handlers::dropped);
                Err(Failure::error_reply(format!(
                    "ended by --on-handler-error stop, with {} received and not handled",
                    counted(left as u64, "message")
                )))
            }
            End::Signal(signal) => Ok(Exit::Signal(signal)),
        }
    }

    /// Acknowledges what was written and handled at the end.
    fn acknowledge_the_rest(&mut self) {
        if let Some(handlers) = &self.sink.view.handlers {
            self.feed.note_handled(&handlers.take_done());
        }
        let left = self.feed.finish(Instant::now() + LAST_ACKNOWLEDGED);
        if left > 0 {
            report(&format!("not known to be acknowledged, and may be delivered again: {left} of the entries"));
        }
    }

    /// After a signal: what the server has sent already. The last of it may still be on its way through the network's
    /// buffers, so the end is a short silence.
    fn read_the_rest(&mut self) -> Outcome<()> {
        let until = Instant::now() + LAST_READ;
        let mut is_silent = false;
        while self.feed.is_connected() && Instant::now() < until {
            match self.feed.next() {
                Ok(Some(given)) if matches!(given.heard, Heard::Message(_) | Heard::Line(_) | Heard::Entry(_)) => {
                    is_silent = false;
                    if self.sink.take(&given)? != Taken::Done {
                        break;
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) if is_silent => break,
                Ok(None) => {
                    self.sink.flush()?;
                    let silence = Instant::now() + SILENCE;
                    if self.feed.wait(&[], Some(silence)).is_err() {
                        break;
                    }
                    is_silent = Instant::now() >= silence;
                }
                Err(_) => break,
            }
        }
        Ok(())
    }
}

//! The subscriber above the prompt: all that was subscribed in the background at one server, on one connection, as
//! redis-py's PubSub object (contract section 10). Here is what is subscribed, told by the server's confirmations, and
//! when nothing is left; the changes themselves are the stream's business.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use rustix::event::PollFd;

use super::lock;
use crate::command::request::Request;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::follow::{Changes, Feed, Limits, Listening, View, follow};
use crate::net::{Given, Heard, Source, Stream, Subscription, Topic, Unopened};
use crate::reply::{Event, Message, MessageKind};

/// What is subscribed, as both the prompt and the subscriber know it.
#[derive(Clone, Default)]
pub struct Subscribed(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What the server has confirmed, in that order.
    names: Vec<Subscription>,
    /// How many subscriptions were asked for and are neither confirmed nor refused.
    awaited: usize,
    /// Whether the last one has gone, and with it the subscriber.
    is_over: bool,
}

impl Subscribed {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Takes note of subscriptions that are about to be asked for; whether the subscriber is there to do it.
    pub fn await_more(&self, count: usize) -> bool {
        let mut state = self.lock();
        state.awaited += count;
        !state.is_over
    }

    /// Those of these names that nobody is subscribed to. What is still asked for may be one of them.
    pub fn without(&self, topic: Topic, names: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let state = self.lock();
        let is_free = |name: &&Vec<u8>| !state.names.iter().any(|own| own.topic == topic && own.name == **name);
        if state.awaited > 0 { Vec::new() } else { names.iter().filter(is_free).cloned().collect() }
    }

    /// What is subscribed, as the commands that would do it; none as long as nothing is confirmed.
    pub fn describe(&self) -> Option<String> {
        const SHOWN: usize = 500;
        let state = self.lock();
        let mut text = String::new();
        for topic in [Topic::Channel, Topic::Pattern, Topic::ShardChannel] {
            let names: Vec<&[u8]> =
                state.names.iter().filter(|own| own.topic == topic).map(|own| own.name.as_slice()).collect();
            if !names.is_empty() {
                let gap = if text.is_empty() { "" } else { "; " };
                let command = [topic.command().as_bytes()].into_iter().chain(names);
                let _ = write!(text, "{gap}{}", Request::new(command).shown(SHOWN));
            }
        }
        (!text.is_empty()).then_some(text)
    }

    fn note(&self, heard: &Heard<'_>) {
        match heard {
            Heard::Message(message) if !message.kind.is_published() => self.note_confirmation(message),
            Heard::Event(Event::Refused { .. }) => self.lock().note_answer(),
            _ => {}
        }
    }

    fn note_confirmation(&self, message: &Message<'_>) {
        let topic = match message.kind {
            MessageKind::Subscribe | MessageKind::Unsubscribe => Topic::Channel,
            MessageKind::PSubscribe | MessageKind::PUnsubscribe => Topic::Pattern,
            MessageKind::SSubscribe | MessageKind::SUnsubscribe => Topic::ShardChannel,
            _ => return,
        };
        let mut state = self.lock();
        if let Some(name) = message.channel {
            let is_same = |own: &Subscription| own.topic == topic && own.name == name;
            if message.kind.is_departure() {
                state.names.retain(|own| !is_same(own));
            } else if !state.names.iter().any(is_same) {
                state.names.push(Subscription { topic, name: name.to_vec() });
            }
        }
        if message.kind.is_departure() {
            state.end_if_nothing_is_left();
        } else {
            state.note_answer();
        }
    }
}

impl State {
    /// A subscription was confirmed or refused.
    fn note_answer(&mut self) {
        self.awaited = self.awaited.saturating_sub(1);
        self.end_if_nothing_is_left();
    }

    fn end_if_nothing_is_left(&mut self) {
        self.is_over |= self.names.is_empty() && self.awaited == 0;
    }
}

/// Follows what is subscribed and changed until nothing is left of it.
pub fn run(
    context: &Context,
    subscriptions: Vec<Subscription>,
    changes: Changes,
    subscribed: &Subscribed,
) -> Outcome<Exit> {
    let stream = Stream::open(&context.endpoint_telling(None)?, Source::Changing(subscriptions), None)?;
    let feed = Observed { feed: Listening::new(stream, Some(changes)), subscribed };
    let view = View::new(context.renderer()?, Limits::none());
    follow(feed, view)
}

/// A stream whose confirmations are taken note of.
struct Observed<'s> {
    feed: Listening,
    subscribed: &'s Subscribed,
}

impl Feed for Observed<'_> {
    fn next(&mut self) -> Result<Option<Given<'_>>, Unopened> {
        let given = self.feed.next()?;
        if let Some(given) = &given {
            self.subscribed.note(&given.heard);
        }
        Ok(given)
    }

    fn wait(&mut self, others: &[PollFd<'_>], deadline: Option<Instant>) -> Result<Option<usize>, Unopened> {
        if self.has_ended() { Ok(None) } else { self.feed.wait(others, deadline) }
    }

    fn is_connected(&self) -> bool {
        self.feed.is_connected()
    }

    fn distrust(&mut self, reason: &str) -> Result<(), Unopened> {
        self.feed.distrust(reason)
    }

    fn attend(&mut self) -> Result<(), Unopened> {
        self.feed.attend()
    }

    fn has_ended(&self) -> bool {
        self.subscribed.lock().is_over
    }

    fn exit(&self) -> Exit {
        self.feed.exit()
    }
}

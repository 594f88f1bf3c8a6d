//! Handlers: shell commands that take the messages of a channel or pattern (contract section 8).
//!
//! Messages wait in a bounded backlog, in order; [`pool`] runs the commands. Nothing of a message is ever put into the
//! text of a command: it gets the JSON line on its stdin and the names in its environment.

mod pool;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;

pub use self::pool::Handlers;

use crate::exit::{Failure, Outcome};
use crate::memory::Growing;
use crate::net::Subscription;
use crate::render::{Format, Record, Renderer, Style};
use crate::reply::{Message, Ticket};

/// What a handler takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takes {
    /// The messages of this channel or pattern.
    Messages(Vec<u8>),
    Entries,
    /// What happens to connections.
    Events,
}

/// A command for what is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    takes: Takes,
    /// What `sh -c` gets.
    command: OsString,
}

impl Handler {
    /// The command that an option gives, if it does.
    pub fn of_option(takes: Takes, name: &str, command: Option<&OsStr>) -> Outcome<Option<Self>> {
        match command {
            Some(command) if command.is_empty() => Err(Failure::usage(format!("{name}: the command is empty"))),
            command => Ok(command.map(|command| Self { takes, command: command.to_owned() })),
        }
    }

    /// What it is called, for messages about this job.
    fn title(&self, job: &Job) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match &self.takes {
            Takes::Messages(name) => format!("handler for {}", text(name)),
            Takes::Entries => {
                let names: Vec<String> = job.variables.iter().map(|(_, value)| text(value)).collect();
                format!("handler for {}", names.join(" "))
            }
            Takes::Events => "--on-disconnect".to_owned(),
        }
    }
}

/// One thing for a handler.
#[derive(Debug)]
struct Job {
    /// The place of its handler.
    handler: usize,
    line: Vec<u8>,
    /// What its environment tells beside.
    variables: Vec<(&'static str, Vec<u8>)>,
    /// The entry that it is; none for a message.
    ticket: Option<Ticket>,
}

impl Job {
    fn new(
        handler: usize,
        record: &Record<'_>,
        variables: &[(&'static str, &[u8])],
        style: &Style,
    ) -> io::Result<Self> {
        let style = Style { format: Format::Json, is_terminal: false, ..style.clone() };
        let mut line = Vec::new();
        Renderer::new(Growing(&mut line), style).write(record)?;
        let variables = variables.iter().map(|(variable, value)| (*variable, value.to_vec())).collect();
        Ok(Self { handler, line, variables, ticket: None })
    }
}

/// What the environment of its handler tells of a message.
pub fn variables_of<'m>(message: &Message<'m>) -> [(&'static str, &'m [u8]); 3] {
    [
        ("RCLI_TYPE", message.kind.name().as_bytes()),
        ("RCLI_CHANNEL", message.channel.unwrap_or_default()),
        ("RCLI_PATTERN", message.pattern.unwrap_or_default()),
    ]
}

/// Reads `NAME=COMMAND`. NAME must be subscribed to, or its messages would never come; `may_come` if names may be
/// subscribed later.
pub fn parse_handlers(given: &[OsString], subscriptions: &[Subscription], may_come: bool) -> Outcome<Vec<Handler>> {
    let mut handlers: Vec<Handler> = Vec::new();
    for text in given {
        let handler = parse(text.as_bytes(), subscriptions, may_come)
            .map_err(|reason| Failure::usage(format!("--handler: {reason}")))?;
        if handlers.iter().any(|other| other.takes == handler.takes)
            && let Takes::Messages(name) = &handler.takes
        {
            let name = String::from_utf8_lossy(name);
            return Err(Failure::usage(format!("--handler {name}: given twice; one command can do both")));
        }
        handlers.push(handler);
    }
    Ok(handlers)
}

fn parse(text: &[u8], subscriptions: &[Subscription], may_come: bool) -> Result<Handler, String> {
    let Some(first) = memchr::memchr(b'=', text) else { return Err("NAME=COMMAND is expected".to_owned()) };
    // A name may hold the sign itself: the first place is meant that makes a name which is subscribed to.
    let is_subscribed = |end: &usize| subscriptions.iter().any(|subscription| subscription.name == text[..*end]);
    let known = memchr::memchr_iter(b'=', text).find(is_subscribed);
    let Some(end) = known.or(may_come.then_some(first)) else {
        return Err(format!("{} is not subscribed to", String::from_utf8_lossy(&text[..first])));
    };
    let command = OsStr::from_bytes(&text[end + 1..]).to_owned();
    if command.is_empty() {
        return Err(format!("the command for {} is empty", String::from_utf8_lossy(&text[..end])));
    }
    Ok(Handler { takes: Takes::Messages(text[..end].to_vec()), command })
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;
    use crate::net::Topic;

    fn parse_one(text: &str) -> Result<(Vec<u8>, OsString), String> {
        let names: [&[u8]; 3] = [b"news", b"a", b"a=b"];
        let subscriptions = names.map(|name| Subscription { topic: Topic::Channel, name: name.to_vec() });
        parse_handlers(&[text.into()], &subscriptions, text.starts_with("later"))
            .map(|mut handlers| handlers.remove(0))
            .map(|handler| match handler.takes {
                Takes::Messages(name) => (name, handler.command),
                other => panic!("{other:?}"),
            })
            .map_err(Failure::into_message)
    }

    #[test]
    fn a_handler_is_a_subscribed_name_and_a_command() {
        assert_eq!(parse_one("news=x=1; cat").unwrap(), (b"news".to_vec(), "x=1; cat".into()));
        assert_eq!(parse_one("a=b").unwrap(), (b"a".to_vec(), "b".into()));
        assert_eq!(parse_one("other=cat").unwrap_err(), "--handler: other is not subscribed to");
        assert_eq!(parse_one("later=a=b").unwrap(), (b"later".to_vec(), "a=b".into()));
        assert_eq!(parse_one("news").unwrap_err(), "--handler: NAME=COMMAND is expected");
        assert_eq!(parse_one("news=").unwrap_err(), "--handler: the command for news is empty");
    }
}

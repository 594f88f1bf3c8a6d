//! `peek KEY`: what a key is and the first of what is in it, of any type, on one screen (contract section 10). It reads
//! only, and asks for so much of a key as is shown.

mod body;
mod look;

use std::time::Duration;

use self::body::Room;
use self::look::{Counted, Layout, Look, look};
use super::readable::{cut, duration, size};
use super::tables::padded;
use super::{Flow, Repl};
use crate::color::Part;
use crate::command::request::Request;
use crate::exit::{Exit, Failure, Outcome};
use crate::net::{Lost, Server};
use crate::render::{Format, Record};
use crate::reply::{ErrorReply, Frame, Kind, OwnedFrame};
use crate::report::report;
use crate::signal::{self, Signal};
use crate::text;

/// So many elements are shown where the screen has room for them.
const SHOWN: usize = 10;
/// What is asked for at most, in bytes of memory; what is larger is not asked for.
const LARGEST: u64 = 8 << 20;
/// The same of a module's type, of which there are no parts to be asked for.
const DOCUMENT: u64 = 64 << 10;

/// What is known of a key.
#[derive(Default)]
struct Known {
    kind: String,
    encoding: Option<String>,
    ttl: Option<Duration>,
    memory: Option<u64>,
    length: Option<(Counted, u64)>,
    content: Content,
    /// When the fields that are shown expire, in milliseconds, of a hash whose fields do.
    field_ttls: Vec<Option<u64>>,
}

/// What is in it.
#[derive(Default)]
enum Content {
    /// Nothing is known of that.
    #[default]
    Unknown,
    /// The first of it.
    First(Layout, OwnedFrame),
    /// It was not asked for.
    TooLarge,
    /// The server refused to tell.
    Refused(String),
}

impl Repl<'_> {
    /// Shows a key.
    pub(super) fn peek(&mut self, key: &[u8]) -> Outcome<Flow> {
        let room = Room::of_screen();
        // A server that knows no such command is not asked.
        let fields_expire = self.editor.helper().is_some_and(|helper| helper.lookup.table().find(&["HPTTL"]).is_some());
        let known = match self.shell.link().ready() {
            Ok(server) => Asking { server, key, count: room.elements().clamp(1, SHOWN), fields_expire }.ask(),
            Err(unopened) => {
                report(&Failure::from(unopened).into_message());
                return Ok(Flow::Stop);
            }
        };
        self.report_notices();
        let known = match known {
            Ok(Ok(known)) => known,
            Ok(Err(error)) => {
                self.record(&Record::Reply { frame: error.to_frame().frame(), is_report: false })?;
                return Ok(Flow::On);
            }
            Err(Lost::Interrupted(Signal::Interrupt)) => {
                signal::forget_ctrl_c();
                return Ok(Flow::Stop);
            }
            Err(Lost::Interrupted(signal)) => return Err(Failure::quiet(Exit::Signal(signal))),
            Err(lost) => {
                report(&lost.describe(&self.shell.link().place()));
                return Ok(Flow::Stop);
            }
        };
        if self.style.format != Format::Human {
            let frame = known.to_frame();
            self.record(&Record::Reply { frame: frame.frame(), is_report: false })?;
            return Ok(Flow::On);
        }
        let head = known.head();
        let room = room.below(&head);
        self.write(&format!("{}\n", self.style.colors.paint(Part::Hint, &head)))?;
        for line in known.body(room, self.settings.is_pretty, self.style.colors) {
            self.write(&format!("  {line}\n"))?;
        }
        Ok(Flow::On)
    }
}

/// What asks about a key.
struct Asking<'a, 'k> {
    server: &'a mut Server,
    key: &'k [u8],
    /// So many elements are shown.
    count: usize,
    fields_expire: bool,
}

impl Asking<'_, '_> {
    fn call(&mut self, before: &[&str], behind: &[&[u8]]) -> Result<OwnedFrame, Lost> {
        let words = before.iter().map(|word| word.as_bytes()).chain([self.key]).chain(behind.iter().copied());
        self.server.call(&Request::new(words))
    }

    /// Asks; the error is the server's about the key's type.
    fn ask(mut self) -> Result<Result<Known, ErrorReply>, Lost> {
        let kind = self.call(&["TYPE"], &[])?;
        if let Some(error) = ErrorReply::of(kind.frame()) {
            return Ok(Err(error));
        }
        let kind = String::from_utf8_lossy(kind.frame().head().text).into_owned();
        let mut known = Known { kind, ..Known::default() };
        if known.kind == "none" {
            return Ok(Ok(known));
        }
        // What may be refused is left out. The encoding comes first: what touches a key may change it.
        let encoding = self.call(&["OBJECT", "ENCODING"], &[])?;
        let head = encoding.frame().head();
        known.encoding =
            matches!(head.kind, Kind::Bulk | Kind::Simple).then(|| String::from_utf8_lossy(head.text).into_owned());
        known.memory = number(self.call(&["MEMORY", "USAGE"], &[])?.frame());
        if let Some(look) = look(&known.kind) {
            self.ask_content(&look, &mut known)?;
        }
        // A key that has expired meanwhile looks empty: that is seen last.
        let ttl = self.call(&["PTTL"], &[])?;
        if ttl.frame().bytes() == b":-2\r\n" {
            "none".clone_into(&mut known.kind);
        }
        known.ttl = number(ttl.frame()).map(Duration::from_millis);
        Ok(Ok(known))
    }

    fn ask_content(&mut self, look: &Look, known: &mut Known) -> Result<(), Lost> {
        if let Some((what, command)) = look.length {
            known.length = number(self.call(&[command], &[])?.frame()).map(|count| (what, count));
        }
        let Some(count) = self.count_of(look, known) else {
            known.content = Content::TooLarge;
            return Ok(());
        };
        let (count, last) = (count.to_string(), count.saturating_sub(1).to_string());
        let (command, behind) = look.content;
        let behind: Vec<&[u8]> = behind
            .iter()
            .map(|word| match *word {
                "COUNT_OF_THEM" => count.as_bytes(),
                "LAST_OF_THEM" => last.as_bytes(),
                word => word.as_bytes(),
            })
            .collect();
        let content = self.call(&[command], &behind)?;
        if let Some(error) = ErrorReply::of(content.frame()) {
            known.content = Content::Refused(error.to_string());
            return Ok(());
        }
        if known.kind == "hash" && self.fields_expire {
            known.field_ttls = self.ask_field_ttls(content.frame())?;
        }
        known.content = Content::First(look.layout, content);
        Ok(())
    }

    /// How many elements are asked for; none where they are too large. The server tells the memory of the whole by that
    /// of the first ones.
    fn count_of(&self, look: &Look, known: &Known) -> Option<usize> {
        let Some(memory) = known.memory else {
            return if look.is_document { None } else { Some(self.count) };
        };
        if look.is_document {
            return (memory <= DOCUMENT).then_some(self.count);
        }
        let is_packed = known.encoding.as_deref().is_some_and(|it| it.starts_with("listpack") || it == "ziplist");
        match (look.layout, known.length) {
            (Layout::Text, _) => Some(self.count),
            // What is packed is scanned at once.
            (Layout::Scan { .. }, _) if is_packed => (memory <= LARGEST).then_some(self.count),
            (_, Some((_, length @ 1..))) => {
                let each = (memory / length).max(1);
                let count = usize::try_from(LARGEST / each).unwrap_or(usize::MAX);
                Some(self.count.min(count)).filter(|count| *count > 0)
            }
            _ => Some(self.count),
        }
    }

    /// When the fields of a hash that are shown expire; nothing where none does, or the server cannot tell.
    fn ask_field_ttls(&mut self, scanned: Frame<'_>) -> Result<Vec<Option<u64>>, Lost> {
        let found = scanned.children().nth(1);
        let names: Vec<&[u8]> = found
            .into_iter()
            .flat_map(Frame::children)
            .step_by(2)
            .take(self.count)
            .map(|name| name.head().text)
            .collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let number_of = names.len().to_string();
        let behind: Vec<&[u8]> = [&b"FIELDS"[..], number_of.as_bytes()].into_iter().chain(names).collect();
        let ttls = self.call(&["HPTTL"], &behind)?;
        let ttls: Vec<Option<u64>> = ttls.frame().children().map(number).collect();
        Ok(if ttls.iter().all(Option::is_none) { Vec::new() } else { ttls })
    }
}

/// A number that is not negative.
fn number(frame: Frame<'_>) -> Option<u64> {
    let head = frame.head();
    if head.kind == Kind::Integer { text::number(head.text) } else { None }
}

impl Known {
    /// What it is, on one line.
    fn head(&self) -> String {
        if self.kind == "none" {
            return "there is no such key".to_owned();
        }
        let look = look(&self.kind);
        let kind = text::line(&self.kind).into_owned();
        let mut parts = vec![match look.as_ref().and_then(|look| look.name) {
            Some(name) => format!("{name} ({kind})"),
            None => kind,
        }];
        // Of a module's type it is always raw.
        let says = |encoding: &&str| *encoding != "raw" || self.kind == "string";
        parts.extend(self.encoding.as_deref().filter(says).map(|it| text::line(it).into_owned()));
        parts
            .extend(self.length.map(|([one, many], count)| format!("{count} {}", if count == 1 { one } else { many })));
        parts.push(self.ttl.map_or_else(|| "no expiry".to_owned(), |ttl| format!("expires in {}", duration(ttl))));
        parts.extend(self.memory.map(|memory| format!("{} of memory", size(memory))));
        parts.join(", ")
    }

    /// The same for programs.
    fn to_frame(&self) -> OwnedFrame {
        let count = |count: Option<u64>| count.map_or_else(OwnedFrame::nil, OwnedFrame::integer);
        let mut pairs = vec![("type", OwnedFrame::bulk(self.kind.as_bytes()))];
        if self.kind != "none" {
            let encoding = self.encoding.as_ref().map_or_else(OwnedFrame::nil, |it| OwnedFrame::bulk(it.as_bytes()));
            let ttl = self.ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
            let length = self.length.map(|(_, count)| count);
            let content = match &self.content {
                Content::First(_, content) => content.clone(),
                Content::Refused(error) => OwnedFrame::error(error),
                Content::Unknown | Content::TooLarge => OwnedFrame::nil(),
            };
            pairs.extend([("encoding", encoding), ("ttl_ms", count(ttl)), ("memory", count(self.memory))]);
            pairs.extend([("length", count(length)), ("content", content)]);
        }
        let pairs: Vec<_> = pairs.into_iter().map(|(name, told)| (name.to_owned(), told)).collect();
        OwnedFrame::map(&pairs)
    }
}

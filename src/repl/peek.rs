//! `peek KEY`: what a key is and the first of what is in it, of any type, on one screen (contract section 10). It reads
//! only, and asks for so much of a key as is shown.

use std::fmt::Write as _;
use std::time::Duration;

use super::readable::{cut, duration, size};
use super::{Flow, Repl, helper::columns, local::Peek};
use crate::color::Part;
use crate::command::request::{Request, quote, shown_arg};
use crate::exit::{Exit, Failure, Outcome};
use crate::net::{Lost, Server};
use crate::render::{Format, Record};
use crate::reply::{ErrorReply, Frame, Kind, OwnedFrame};
use crate::report::report;
use crate::signal::{self, Signal};
use crate::text;

/// So many elements are shown.
const SHOWN: usize = 10;
/// So many bytes of a string.
const BYTES: usize = 1000;
/// A document of a module is asked for whole where it is no larger, in bytes of memory.
const DOCUMENT: u64 = 64 * 1024;

/// What is asked about a type: its length, and what is in it.
struct Look {
    /// What the length counts, one and many, and the command that tells it.
    length: Option<(Counted, &'static str)>,
    /// The words before and behind the key.
    content: (&'static str, &'static [&'static str]),
    layout: Layout,
}

/// What a length counts: one, and many.
type Counted = [&'static str; 2];

/// How the content is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// One text.
    Text,
    /// Elements, numbered.
    List,
    /// Fields and values, or members and scores.
    Pairs,
    /// A cursor, and then elements, or pairs of them.
    Scan { in_pairs: bool },
    /// Entries of a stream.
    Entries,
}

/// What is asked about a type by its name, as TYPE tells it; none where only the type is known.
fn look(kind: &str) -> Option<Look> {
    let look = |length, content, layout| Some(Look { length: Some(length), content, layout });
    let module = |content, layout| Some(Look { length: None, content, layout });
    match kind {
        "string" => look((["byte", "bytes"], "STRLEN"), ("GETRANGE", &["0", "999"]), Layout::Text),
        "list" => look((["element", "elements"], "LLEN"), ("LRANGE", &["0", "9"]), Layout::List),
        "hash" => {
            look((["field", "fields"], "HLEN"), ("HSCAN", &["0", "COUNT", "10"]), Layout::Scan { in_pairs: true })
        }
        "set" => {
            look((["member", "members"], "SCARD"), ("SSCAN", &["0", "COUNT", "10"]), Layout::Scan { in_pairs: false })
        }
        "zset" => look((["member", "members"], "ZCARD"), ("ZRANGE", &["0", "9", "WITHSCORES"]), Layout::Pairs),
        "stream" => look((["entry", "entries"], "XLEN"), ("XREVRANGE", &["+", "-", "COUNT", "5"]), Layout::Entries),
        "vectorset" => look((["element", "elements"], "VCARD"), ("VRANDMEMBER", &["10"]), Layout::List),
        "ReJSON-RL" => module(("JSON.GET", &[]), Layout::Text),
        "MBbloom--" => module(("BF.INFO", &[]), Layout::Pairs),
        "MBbloomCF" => module(("CF.INFO", &[]), Layout::Pairs),
        "CMSk-TYPE" => module(("CMS.INFO", &[]), Layout::Pairs),
        "TopK-TYPE" => module(("TOPK.LIST", &[]), Layout::List),
        "TDIS-TYPE" => module(("TDIGEST.INFO", &[]), Layout::Pairs),
        "TSDB-TYPE" => module(("TS.INFO", &[]), Layout::Pairs),
        _ => None,
    }
}

/// What is known of a key.
struct Known {
    kind: String,
    encoding: Option<String>,
    ttl: Option<Duration>,
    memory: Option<u64>,
    length: Option<(Counted, u64)>,
    content: Option<(Layout, OwnedFrame)>,
}

impl Repl<'_> {
    /// Shows a key.
    pub(super) fn peek(&mut self, Peek(key): &Peek) -> Outcome<Flow> {
        let known = match self.shell.link().ready() {
            Ok(server) => ask(server, key),
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
        let body = known.body(columns(), self.settings.is_pretty || known.kind == "ReJSON-RL");
        self.write(&format!("{}\n{body}", self.style.colors.paint(Part::Hint, &head)))?;
        Ok(Flow::On)
    }
}

/// Asks about a key; the error is the server's about its type.
fn ask(server: &mut Server, key: &[u8]) -> Result<Result<Known, ErrorReply>, Lost> {
    let mut call = |before: &[&str], behind: &[&str]| {
        let words =
            before.iter().map(|word| word.as_bytes()).chain([key]).chain(behind.iter().map(|word| word.as_bytes()));
        server.call(&Request::new(words))
    };
    let kind = call(&["TYPE"], &[])?;
    if let Some(error) = ErrorReply::of(kind.frame()) {
        return Ok(Err(error));
    }
    let kind = String::from_utf8_lossy(kind.frame().head().text).into_owned();
    let mut known = Known { kind, encoding: None, ttl: None, memory: None, length: None, content: None };
    if known.kind == "none" {
        return Ok(Ok(known));
    }
    // What may be refused is left out. The encoding comes first: what touches a key may change it.
    let encoding = call(&["OBJECT", "ENCODING"], &[])?;
    let head = encoding.frame().head();
    known.encoding =
        matches!(head.kind, Kind::Bulk | Kind::Simple).then(|| String::from_utf8_lossy(head.text).into_owned());
    known.ttl = number(call(&["PTTL"], &[])?.frame()).map(Duration::from_millis);
    known.memory = number(call(&["MEMORY", "USAGE"], &[])?.frame());
    let Some(look) = look(&known.kind) else { return Ok(Ok(known)) };
    if let Some((what, command)) = look.length {
        known.length = number(call(&[command], &[])?.frame()).map(|count| (what, count));
    }
    if known.kind == "ReJSON-RL" && known.memory.is_none_or(|memory| memory > DOCUMENT) {
        return Ok(Ok(known));
    }
    let (command, behind) = look.content;
    let content = call(&[command], behind)?;
    if ErrorReply::of(content.frame()).is_none() {
        known.content = Some((look.layout, content));
    }
    Ok(Ok(known))
}

/// A number that is not negative.
fn number(frame: Frame<'_>) -> Option<u64> {
    let head = frame.head();
    (head.kind == Kind::Integer).then(|| std::str::from_utf8(head.text).ok()?.parse().ok()).flatten()
}

impl Known {
    /// What it is, on one line.
    fn head(&self) -> String {
        if self.kind == "none" {
            return "there is no such key".to_owned();
        }
        let mut parts = vec![text::line(&self.kind).into_owned()];
        parts.extend(
            self.encoding.as_deref().filter(|encoding| *encoding != "raw").map(|it| text::line(it).into_owned()),
        );
        parts
            .extend(self.length.map(|([one, many], count)| format!("{count} {}", if count == 1 { one } else { many })));
        parts.push(self.ttl.map_or_else(|| "no expiry".to_owned(), |ttl| format!("expires in {}", duration(ttl))));
        parts.extend(self.memory.map(|memory| format!("{} of memory", size(memory))));
        parts.join(", ")
    }

    /// The same for programs.
    fn to_frame(&self) -> OwnedFrame {
        let count = |count: Option<u64>| count.map_or_else(OwnedFrame::nil, OwnedFrame::integer);
        let mut pairs = vec![("type".to_owned(), OwnedFrame::bulk(self.kind.as_bytes()))];
        if self.kind != "none" {
            let encoding = self.encoding.as_ref().map_or_else(OwnedFrame::nil, |it| OwnedFrame::bulk(it.as_bytes()));
            pairs.push(("encoding".to_owned(), encoding));
            pairs.push((
                "ttl_ms".to_owned(),
                count(self.ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))),
            ));
            pairs.push(("memory".to_owned(), count(self.memory)));
            pairs.push(("length".to_owned(), count(self.length.map(|(_, count)| count))));
            let content = self.content.as_ref().map_or_else(OwnedFrame::nil, |(_, content)| content.frame().to_owned());
            pairs.push(("content".to_owned(), content));
        }
        OwnedFrame::map(&pairs)
    }

    /// The first of what is in it, a line each.
    fn body(&self, columns: usize, is_pretty: bool) -> String {
        let Some((layout, content)) = &self.content else { return String::new() };
        let frame = content.frame();
        let mut lines = match layout {
            Layout::Text => text_lines(frame.head().text, is_pretty),
            Layout::List => elements(frame).collect(),
            Layout::Pairs => pairs(frame),
            Layout::Scan { in_pairs } => match frame.children().nth(1) {
                Some(found) if *in_pairs => pairs(found),
                Some(found) => elements(found).collect(),
                None => Vec::new(),
            },
            Layout::Entries => frame.children().map(entry).collect(),
        };
        let limit = if *layout == Layout::Text { lines.len() } else { SHOWN };
        lines.truncate(limit);
        let mut body = String::new();
        for line in &lines {
            let _ = writeln!(body, "  {}", cut(line, columns.saturating_sub(2)));
        }
        let shown = if *layout == Layout::Text { BYTES as u64 } else { lines.len() as u64 };
        if let Some(([_, many], count)) = self.length
            && count > shown
        {
            let _ = writeln!(body, "  ... of {count} {many}");
        }
        body
    }
}

/// Text as lines of a screen; JSON is indented where that is wanted.
fn text_lines(bytes: &[u8], is_pretty: bool) -> Vec<String> {
    const MOST: usize = 20;
    if is_pretty && let Some(pretty) = super::readable::pretty(bytes) {
        let mut lines: Vec<String> = pretty.lines().take(MOST).map(str::to_owned).collect();
        if pretty.lines().nth(MOST).is_some() {
            lines.push("...".to_owned());
        }
        return lines;
    }
    let mut quoted = String::new();
    quote(bytes, &mut quoted);
    vec![quoted]
}

/// Elements as they would be typed.
fn elements(frame: Frame<'_>) -> impl Iterator<Item = String> {
    frame.children().map(|element| shown(element))
}

/// One element; what is in an aggregate stands on its line.
fn shown(frame: Frame<'_>) -> String {
    if frame.kind().is_aggregate() {
        return elements(frame).collect::<Vec<_>>().join(" ");
    }
    let head = frame.head();
    if head.kind == Kind::Nil { "(nil)".to_owned() } else { shown_arg(head.text) }
}

/// Two columns, of pairs that are arrays, a map, or one element behind the other.
fn pairs(frame: Frame<'_>) -> Vec<String> {
    let children: Vec<Frame<'_>> = frame.children().collect();
    let is_nested = frame.kind() != Kind::Map && children.iter().all(|child| child.kind().is_aggregate());
    let pairs: Vec<(String, String)> = if is_nested {
        let pair = |child: &Frame<'_>| {
            let mut elements = elements(*child);
            Some((elements.next()?, elements.next()?))
        };
        children.iter().filter_map(pair).collect()
    } else {
        children.chunks_exact(2).map(|pair| (shown(pair[0]), shown(pair[1]))).collect()
    };
    let width = pairs.iter().take(SHOWN).map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(30);
    pairs.into_iter().map(|(name, value)| format!("{name:width$}  {value}")).collect()
}

/// An entry of a stream: its id, and its fields.
fn entry(frame: Frame<'_>) -> String {
    let mut parts = frame.children();
    let (id, fields) = (parts.next().map(shown).unwrap_or_default(), parts.next());
    let fields: Vec<String> = fields.map(|fields| elements(fields).collect()).unwrap_or_default();
    let fields: Vec<String> = fields.chunks_exact(2).map(|pair| format!("{}={}", pair[0], pair[1])).collect();
    format!("{id}  {}", fields.join(" "))
}

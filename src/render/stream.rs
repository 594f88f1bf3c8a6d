//! What streams give, in each format: redis-py's dictionaries as JSON Lines, payloads only, redis-cli's frames, or those as CSV
//! (contract sections 8 and 9).

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use serde_json::value::RawValue;

use super::json::{bytes, is_plain, string, string_or_base64};
use super::{Format, Style, csv, entry, human, raw};
use crate::reply::{ClientType, Data, Event, Message, MessageKind, MonitorLine};

/// What may stand at the end of a dictionary: when it came, and from which node.
pub type Tail<'a> = (Option<Duration>, Option<&'a str>);

/// A message or confirmation. Raw output is payload only: a confirmation has none and leaves no trace.
pub fn message(out: &mut impl Write, style: &Style, message: &Message<'_>, tail: Tail<'_>) -> io::Result<()> {
    match style.format {
        Format::Json => dictionary(out, style, message, tail),
        Format::Raw if style.whole_messages => raw::reply(out, style, message.frame, false),
        Format::Raw => match &message.data {
            Data::Count(_) => Ok(()),
            Data::Payload(payload) => raw::text(out, style, payload),
        },
        Format::Csv => csv::reply(out, message.frame, false),
        Format::Human => human::reply(out, style, message.frame, false),
    }
}

/// A monitored command. Raw, human and the one field of CSV are the server's own line.
pub fn monitored(
    out: &mut impl Write,
    style: &Style,
    text: &[u8],
    monitored: &MonitorLine<'_>,
    node: Option<&str>,
) -> io::Result<()> {
    match style.format {
        Format::Json => monitored_dictionary(out, style, monitored, node),
        Format::Raw => raw::text(out, style, text),
        Format::Csv => csv::text(out, text),
        Format::Human => human::text(out, &String::from_utf8_lossy(text)),
    }
}

/// What happened to the connection. Raw output and CSV have no place for it.
pub fn event(
    out: &mut impl Write,
    style: &Style,
    event: &Event,
    time: Option<Duration>,
    server: &str,
) -> io::Result<()> {
    let from = if let Event::Moved { from, .. } = event { Some(from) } else { None };
    let (reason, channel, gap) = match event {
        Event::Reconnected { channel, gap } => (None, channel.as_ref(), Some(seconds(*gap))),
        Event::Moved { channel, gap, .. } => (None, Some(channel), Some(seconds(*gap))),
        Event::PassedOver { channel, reason } => (Some(reason), Some(channel), None),
        Event::Disconnected { channel, reason, .. } | Event::Refused { channel, reason } => {
            (Some(reason), channel.as_ref(), None)
        }
        Event::Joined | Event::Left => (None, None, None),
        Event::Resumed { gap } => (None, None, Some(seconds(*gap))),
        Event::Gap { .. } | Event::GroupMade { .. } => return entry::event(out, style, event, time, server),
    };
    let r#type = event.name();
    match style.format {
        Format::Json => {
            write!(out, "{{\"type\":\"{type}\"")?;
            if let Some(reason) = reason {
                out.write_all(b",\"reason\":")?;
                string(out, reason)?;
            }
            if let Some(channel) = channel {
                out.write_all(b",\"channel\":")?;
                bytes(out, style, channel)?;
            }
            if let Some(from) = from {
                out.write_all(b",\"from\":")?;
                string(out, from)?;
            }
            if let Some(gap) = gap {
                write!(out, ",\"gap\":{gap}")?;
            }
            out.write_all(b",\"server\":")?;
            string(out, server)?;
            end(out, (time, None))
        }
        Format::Human => {
            let told = [
                Some(format!("({type}) {server}")),
                channel.map(|channel| {
                    let name = String::from_utf8_lossy(channel);
                    from.map_or_else(|| name.to_string(), |from| format!("{name} from {from}"))
                }),
                reason.cloned(),
                gap.map(|gap| format!("after {gap} s")),
            ];
            let line = told.into_iter().flatten().collect::<Vec<_>>().join(": ");
            human::text(out, &line)
        }
        Format::Raw | Format::Csv => Ok(()),
    }
}

/// Seconds with the milliseconds kept.
fn seconds(duration: Duration) -> f64 {
    // A gap is far below 2^52 ms.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a gap fit")]
    let millis = duration.as_millis() as f64;
    millis / 1000.0
}

/// The dictionary of a message, its keys in the contract's order. Written key by key: it comes by the million.
fn dictionary(out: &mut impl Write, style: &Style, message: &Message<'_>, tail: Tail<'_>) -> io::Result<()> {
    if let (MessageKind::Message, Data::Payload(payload)) = (message.kind, message.data)
        && !style.base64
        && !style.nest_json
        && matches!(tail, (None, None))
        && let Some(channel) = message.channel
        && is_plain(channel)
        && is_plain(payload)
    {
        return plain_message(out, channel, payload);
    }
    out.write_all(b"{\"type\":\"")?;
    out.write_all(message.kind.name().as_bytes())?;
    out.write_all(b"\",\"pattern\":")?;
    match message.pattern {
        Some(pattern) => bytes(out, style, pattern)?,
        None => out.write_all(b"null")?,
    }
    out.write_all(b",\"channel\":")?;
    match message.channel {
        Some(channel) => bytes(out, style, channel)?,
        None => out.write_all(b"null")?,
    }
    out.write_all(b",\"data\":")?;
    match &message.data {
        Data::Count(count) => out.write_all(count)?,
        Data::Payload(payload) => match nested(payload, style) {
            Some(json) => out.write_all(json.as_bytes())?,
            None => bytes(out, style, payload)?,
        },
    }
    end(out, tail)
}

/// A dictionary of at most so many bytes is short.
const SHORT_LINE: usize = 384;

/// The dictionary of a monitored command: redis-py's keys, then `args`.
fn monitored_dictionary(
    out: &mut impl Write,
    style: &Style,
    line: &MonitorLine<'_>,
    node: Option<&str>,
) -> io::Result<()> {
    if line.is_plain && !style.base64 && node.is_none() {
        return plain_dictionary(out, line);
    }
    begin_line(out, line)?;
    out.write_all(b",\"client_address\":")?;
    string_or_base64(out, style, line.address)?;
    out.write_all(b",\"client_port\":")?;
    string_or_base64(out, style, line.port)?;
    out.write_all(b",\"client_type\":\"")?;
    out.write_all(line.client.name().as_bytes())?;
    out.write_all(b"\",\"command\":")?;
    string_or_base64(out, style, &line.command())?;
    out.write_all(b",\"args\":[")?;
    for (index, arg) in line.args().enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        bytes(out, style, &arg)?;
    }
    out.write_all(b"]")?;
    end(out, (None, node))
}

/// The same of a command that needs no escaping. Most are short, and put together before they are written: a writer would
/// be asked for room as often.
#[inline]
fn plain_dictionary(out: &mut impl Write, line: &MonitorLine<'_>) -> io::Result<()> {
    let mut text = [0; SHORT_LINE];
    let mut free = Free(&mut text);
    if begin_plain(&mut free, line).and_then(|()| free.write_args(line)).is_ok() {
        let left = free.0.len();
        return out.write_all(&text[..SHORT_LINE - left]);
    }
    begin_plain(out, line)?;
    for (index, arg) in line.quoted().enumerate() {
        out.write_all(if index == 0 { b"\"" } else { b"\",\"" })?;
        out.write_all(arg)?;
    }
    out.write_all(b"\"]}\n")
}

/// Time and database.
#[inline]
fn begin_line(out: &mut impl Write, line: &MonitorLine<'_>) -> io::Result<()> {
    out.write_all(b"{\"time\":")?;
    // What has its usual length is copied as one piece.
    match <&[u8; 17]>::try_from(line.time) {
        Ok(time) => out.write_all(time)?,
        Err(_) => out.write_all(line.time)?,
    }
    if line.db == 0 {
        return out.write_all(b",\"db\":0");
    }
    out.write_all(b",\"db\":")?;
    out.write_all(itoa::Buffer::new().format(line.db).as_bytes())
}

/// A message whose channel and payload need no escaping, as most do not.
#[inline]
fn plain_message(out: &mut impl Write, channel: &[u8], payload: &[u8]) -> io::Result<()> {
    out.write_all(b"{\"type\":\"message\",\"pattern\":null,\"channel\":\"")?;
    out.write_all(channel)?;
    out.write_all(b"\",\"data\":\"")?;
    out.write_all(payload)?;
    out.write_all(b"\"}\n")
}

/// A command whose text needs no escaping here either, as most do not, up to its arguments.
#[inline(always)]
#[expect(clippy::inline_always, reason = "what is put together stays in registers only where it is inlined")]
fn begin_plain(out: &mut impl Write, line: &MonitorLine<'_>) -> io::Result<()> {
    begin_line(out, line)?;
    out.write_all(b",\"client_address\":\"")?;
    out.write_all(line.address)?;
    out.write_all(b"\",\"client_port\":\"")?;
    out.write_all(line.port)?;
    match line.client {
        ClientType::Tcp => out.write_all(b"\",\"client_type\":\"tcp\",\"command\":\"")?,
        client => {
            out.write_all(b"\",\"client_type\":\"")?;
            out.write_all(client.name().as_bytes())?;
            out.write_all(b"\",\"command\":\"")?;
        }
    }
    let mut args = line.quoted();
    out.write_all(args.next().unwrap_or_default())?;
    for arg in args {
        out.write_all(b" ")?;
        out.write_all(arg)?;
    }
    out.write_all(b"\",\"args\":[")
}

/// Bytes that are not filled yet. What has no room there is an error.
struct Free<'b>(&'b mut [u8]);

impl<'b> Free<'b> {
    /// Fills the first of them with this.
    #[inline]
    fn fill(&mut self, piece: &[u8]) -> io::Result<&'b mut [u8]> {
        let Some((place, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(piece.len()) else {
            return Err(io::ErrorKind::StorageFull.into());
        };
        place.copy_from_slice(piece);
        self.0 = rest;
        Ok(place)
    }

    /// The arguments of a command that needs no escaping, and its end: as the server wrote them, but with commas between
    /// them.
    #[inline]
    fn write_args(&mut self, line: &MonitorLine<'_>) -> io::Result<()> {
        let (args, blanks) = line.args_in_quotes();
        let place = self.fill(args)?;
        for blank in blanks {
            if let Some(byte) = place.get_mut(blank) {
                *byte = b',';
            }
        }
        self.write_all(b"]}\n")
    }
}

impl Write for Free<'_> {
    #[inline]
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.fill(piece).map(|place| place.len())
    }

    #[inline]
    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        self.write(piece).map(drop)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The end of a dictionary.
pub(super) fn end(out: &mut impl Write, (time, node): Tail<'_>) -> io::Result<()> {
    if let Some(time) = time {
        // With six decimals.
        write!(out, ",\"time\":{}.{:06}", time.as_secs(), time.subsec_micros())?;
    }
    if let Some(node) = node {
        out.write_all(b",\"node\":")?;
        string(out, node)?;
    }
    out.write_all(b"}\n")
}

/// The payload as JSON on one line, every digit kept, if that is asked for and it is JSON.
#[inline]
pub(super) fn nested<'a>(payload: &'a [u8], style: &Style) -> Option<Cow<'a, str>> {
    if style.nest_json { json_of(payload) } else { None }
}

fn json_of(payload: &[u8]) -> Option<Cow<'_, str>> {
    let json = serde_json::from_slice::<&RawValue>(payload).ok()?.get();
    // In valid JSON line ends stand between tokens only, where nothing needs them.
    let has_lines = memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_some();
    Some(if has_lines { Cow::Owned(json.replace(['\n', '\r'], "")) } else { Cow::Borrowed(json) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;
    use crate::reply::ArgPlaces;

    #[test]
    fn a_plain_command_is_written_as_any_other() {
        let style = Style::plain(Format::Json);
        let lines = [r#"1.5 [0 lua] "GET" "k""#, r#"1.5 [3 [::1]:7] "a b" "" "{'x': 1}""#, "1.5 [0 unix:/s] \"A\x7f\""];
        let long =
            (0..SHORT_LINE).map(|length| format!("1795332371.970000 [0 ::1:7] \"A\" \"{}\"", "b".repeat(length)));
        for line in lines.map(str::to_owned).into_iter().chain(long) {
            let [mut places, mut others] = [ArgPlaces::default(), ArgPlaces::default()];
            let plain = MonitorLine::parse(line.as_bytes(), &mut places).unwrap();
            assert!(plain.is_plain);
            let mut careful = MonitorLine::parse(line.as_bytes(), &mut others).unwrap();
            careful.is_plain = false;
            let written = [plain, careful].map(|line| {
                let mut out = Vec::new();
                monitored_dictionary(&mut out, &style, &line, None).unwrap();
                String::from_utf8(out).unwrap()
            });
            assert_eq!(written[0], written[1]);
            assert!(serde_json::from_str::<serde_json::Value>(&written[0]).is_ok(), "{}", written[0]);
        }
    }
}

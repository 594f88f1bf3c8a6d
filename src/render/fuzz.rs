//! What must hold of what is written, whatever the server sends.
#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a check ends by panicking")]

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value as Json;

use super::{Colors, Format, Record, Renderer, Reports, Style};
use crate::command::request::Request;
use crate::command::restrictions::Report;
use crate::fuzz::Decisions;
use crate::input::parse;
use crate::memory::Growing;
use crate::reply::{ArgPlaces, Frame, Kind, Message, MonitorLine, OwnedFrame, error_words, split_code};
use crate::text::is_unprintable;

impl Style {
    /// Nothing but the format, for tests: what is in several pieces has a line for each.
    pub(super) fn plain(format: Format) -> Self {
        Self {
            format,
            element_delimiter: b"\n".to_vec(),
            reply_delimiter: b"\n".to_vec(),
            one_line_errors: false,
            base64: false,
            quoted: false,
            keeps_bytes: false,
            parses_reports: true,
            nest_json: false,
            whole_messages: false,
            quotes_keys: false,
            colors: Colors(false),
            is_terminal: false,
        }
    }
}

/// A reply, alone, with its command, in a block and as a push, in one of the ways to write it, which the first byte
/// says.
pub fn render(data: &[u8]) {
    let mut decisions = Decisions(data);
    let first = decisions.byte();
    let (is_report, base64) = (first & 1 == 1, decisions.flag());
    let request = request(&mut decisions);
    let reply = decisions.reply();
    let frame = reply.frame();
    let record = Record::Reply { frame, is_report };
    match first >> 1 & 15 {
        0 | 1 => check_value(&json_of(&record, base64), frame, base64),
        2 | 3 => check_envelope(frame, &request, base64),
        4 => check_value(&json_of(&Record::Push(frame), base64)["push"], frame, base64),
        5 => {
            let csv = written(&Record::Reply { frame, is_report: false }, style(Format::Csv, false));
            let is_line = csv.ends_with(b"\n") && csv[..csv.len() - 1].iter().all(|byte| matches!(byte, b' '..=b'~'));
            assert!(is_line, "one line of ASCII: {}", csv.escape_ascii());
            let quoted = written(&record, Style { quoted: true, ..style(Format::Json, base64) });
            assert!(is_json(&quoted), "{}", quoted.escape_ascii());
        }
        6 | 7 => check_text(&record),
        8 | 9 => check_text(&Record::Block { block: &vec![request; frame.children().count()], frame }),
        report @ 10..=14 => check_reports(usize::from(report - 10), data, frame, base64),
        _ => {
            let block = vec![request; frame.children().count()];
            let lines = written(&Record::Block { block: &block, frame }, style(Format::Json, base64));
            assert!(lines.split_inclusive(|byte| *byte == b'\n').all(is_json), "{}", lines.escape_ascii());
        }
    }
}

fn check_envelope(frame: Frame<'_>, request: &Request, base64: bool) {
    let envelope = json_of(&Record::Envelope { index: 1, request, frame, reports: Reports::None }, base64);
    assert_eq!(envelope["command"].as_array().map(Vec::len), Some(request.len()));
    check_command(&envelope["command"], request);
    if frame.is_error() {
        assert!(envelope["reply"].is_null() && envelope["error"]["code"].is_string(), "{envelope}");
    } else {
        check_value(&envelope["reply"], frame, base64);
    }
}

/// The text of a report, and a reply of any kind where one is expected.
fn check_reports(index: usize, text: &[u8], frame: Frame<'_>, base64: bool) {
    use Report::{ClientInfo, ClientList, ClusterInfo, ClusterNodes, Info};
    let report = [Info, ClientList, ClientInfo, ClusterInfo, ClusterNodes][index];
    let text = OwnedFrame::bulk(text);
    let parsed = json_of(&Record::Report { frame: text.frame(), reports: Reports::Whole(report) }, base64);
    assert!(parsed.is_object() || parsed.is_array(), "{parsed}");
    for reports in [Reports::Whole(report), Reports::OfEach(report), Reports::Items(&[(0, report), (2, report)])] {
        json_of(&Record::Report { frame, reports }, base64);
    }
}

/// A message of a subscription.
pub fn message(data: &[u8]) {
    let mut decisions = Decisions(data);
    let base64 = decisions.flag();
    let parts = ["message", "pmessage", "smessage", "subscribe", "punsubscribe"];
    let name = parts[usize::from(decisions.byte() % 5)];
    let mut words: Vec<&[u8]> = vec![name.as_bytes()];
    words.extend((0..if name == "pmessage" { 2 } else { 1 }).map(|_| decisions.text(40)));
    let mut resp = format!("*{}\r\n", words.len() + 1).into_bytes();
    for word in &words {
        bulk(word, &mut resp);
    }
    match name {
        "subscribe" | "punsubscribe" => resp.extend_from_slice(format!(":{}\r\n", decisions.byte()).as_bytes()),
        // All that is left.
        _ => bulk(decisions.0, &mut resp),
    }
    let frame = Frame::new(&resp, false);
    let Some(message) = Message::of(frame) else { panic!("{}", resp.escape_ascii()) };
    let record =
        Record::Message { message: &message, time: Some(std::time::Duration::new(1, 5000)), node: Some("h:1") };
    let json = json_of(&record, base64);
    assert_eq!((&json["type"], json["time"].as_f64()), (&Json::from(name), Some(1.000_005)));
    check_bytes(&json["channel"], words[words.len() - 1], base64);
    if let crate::reply::Data::Payload(payload) = message.data {
        check_bytes(&json["data"], payload, base64);
        let nesting = Style { nest_json: true, ..style(Format::Json, base64) };
        let line = written(&record, nesting);
        // Its depth may be too much for this parser; what is nested was a value of its own there.
        let nested = serde_json::from_slice::<Json>(payload);
        if let (Ok(nested), Ok(json)) = (nested, serde_json::from_slice::<Json>(&line)) {
            assert_eq!(json["data"], nested, "{}", payload.escape_ascii());
        }
        assert_eq!(memchr::memchr2(b'\n', b'\r', &line), Some(line.len() - 1), "one line");
    }
    check_text(&record);
}

fn bulk(word: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

/// A line of MONITOR: any text, or arguments as a server quotes them.
pub fn monitor(data: &[u8]) {
    let mut decisions = Decisions(data);
    let (base64, is_quoted) = (decisions.flag(), decisions.flag());
    let (text, args) = if is_quoted {
        let args = request(&mut decisions);
        (quoted_by_server(&args).into_bytes(), Some(args).filter(|args| !args.is_empty()))
    } else {
        (decisions.0.to_vec(), None)
    };
    let shown = text.escape_ascii();
    let mut places = ArgPlaces::default();
    let Some(line) = MonitorLine::parse(&text, &mut places) else {
        assert!(args.is_none(), "{shown}");
        return;
    };
    let found: Vec<Cow<'_, [u8]>> = line.args().collect();
    assert_eq!(*line.name(), *found[0], "{shown}");
    if let Some(args) = args {
        assert!(found.iter().map(|arg| &**arg).eq(args.args()), "{shown}");
    }
    let record = Record::Monitored { text: &text, line: &line, node: None };
    let json = json_of(&record, base64);
    for (item, arg) in json["args"].as_array().into_iter().flatten().zip(&found) {
        check_bytes(item, arg, base64);
    }
    check_bytes(&json["command"], &line.command(), false);
    assert!(json["time"].is_number() && json["db"] == line.db, "{json}");
    check_text(&record);
}

/// What `sdscatrepr` makes of arguments.
fn quoted_by_server(args: &Request) -> String {
    let mut line = "1.5 [0 127.0.0.1:7]".to_owned();
    for arg in args.args() {
        line.push_str(" \"");
        for byte in arg {
            match byte {
                b'\\' | b'"' => line.extend(['\\', char::from(*byte)]),
                b'\n' => line.push_str("\\n"),
                b'\r' => line.push_str("\\r"),
                b'\t' => line.push_str("\\t"),
                7 => line.push_str("\\a"),
                8 => line.push_str("\\b"),
                b' '..=b'~' => line.push(char::from(*byte)),
                byte => line.extend(["\\x".to_owned(), format!("{byte:02x}")]),
            }
        }
        line.push('"');
    }
    line
}

fn request(decisions: &mut Decisions<'_>) -> Request {
    let count = decisions.byte() % 5;
    Request::new((0..count).map(|_| decisions.text(20)))
}

fn style(format: Format, base64: bool) -> Style {
    Style { base64, ..Style::plain(format) }
}

fn written(record: &Record<'_>, style: Style) -> Vec<u8> {
    let mut renderer = Renderer::new(Growing::default(), style);
    assert!(renderer.write(record).is_ok(), "memory takes everything");
    renderer.written().to_vec()
}

/// The line of JSON that a record is, which says the same on a terminal.
fn json_of(record: &Record<'_>, base64: bool) -> Json {
    let line = written(record, style(Format::Json, base64));
    assert_eq!(memchr::memchr2(b'\n', b'\r', &line), Some(line.len() - 1), "one line: {}", line.escape_ascii());
    let json = serde_json::from_slice(&line);
    let Ok(json) = json else { panic!("{json:?}: {}", line.escape_ascii()) };
    let shown = written(record, Style { is_terminal: true, ..style(Format::Json, base64) });
    assert!(is_safe(&shown), "{}", shown.escape_ascii());
    let is_same = || serde_json::from_slice::<Json>(&shown).is_ok_and(|shown| shown == json);
    assert!(shown == line || is_same(), "{}", shown.escape_ascii());
    json
}

fn is_json(line: &[u8]) -> bool {
    serde_json::from_slice::<Json>(line).is_ok()
}

/// Human and raw: no more of a terminal is driven than by the colours.
fn check_text(record: &Record<'_>) {
    let human = written(record, style(Format::Human, false));
    assert!(is_safe(&human), "{}", human.escape_ascii());
    let colored = written(record, Style { colors: Colors(true), is_terminal: true, ..style(Format::Human, false) });
    assert_eq!(without_colors(&colored), String::from_utf8_lossy(&human));
    let raw = written(record, Style { is_terminal: true, ..style(Format::Raw, false) });
    assert!(is_safe(&raw), "{}", raw.escape_ascii());
    let csv = written(record, Style { is_terminal: true, ..style(Format::Csv, false) });
    assert!(is_safe(&csv), "{}", csv.escape_ascii());
    let raw = written(record, Style { reply_delimiter: Vec::new(), ..style(Format::Raw, false) });
    if let Record::Reply { frame, .. } = record
        && frame.kind() == Kind::Bulk
    {
        assert_eq!(raw, frame.head().text, "exactly the bytes of the reply");
    }
}

/// Whether it is text in which nothing drives a terminal.
fn is_safe(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    !text.replace("\r\n", "").contains(|c| is_unprintable(c) && !matches!(c, '\n' | '\t'))
}

fn without_colors(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\x1b');
    let plain = parts.next().unwrap_or_default().to_owned();
    parts.fold(plain, |plain, part| {
        let Some((code, rest)) = part.strip_prefix('[').and_then(|part| part.split_once('m')) else {
            panic!("no colour: {part:?}");
        };
        assert!(code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'), "{code}");
        plain + rest
    })
}

/// Whether the JSON says what the frame does.
fn check_value(json: &Json, frame: Frame<'_>, base64: bool) {
    let head = frame.head();
    let words = String::from_utf8_lossy(head.text);
    let is_same = match head.kind {
        Kind::Bulk => return check_bytes(json, head.text, base64),
        Kind::Simple | Kind::Verbatim => return check_bytes(json, head.text, false),
        Kind::Nil => json.is_null(),
        Kind::Boolean => *json == (head.text == b"t"),
        Kind::Integer => json.as_i64() == words.parse().ok(),
        Kind::Double => json.is_number() || *json == *words,
        Kind::BigNumber => json.is_number() || json.is_string() || json["base64"].is_string(),
        Kind::Error => {
            let words = error_words(head.text);
            let (code, message) = split_code(&words);
            *json == serde_json::json!({"error": {"code": code, "message": message}})
        }
        Kind::Array | Kind::Set | Kind::Push => {
            let Some(items) = json.as_array() else { panic!("{json}") };
            items.iter().zip(frame.children()).for_each(|(item, child)| check_value(item, child, base64));
            items.len() as u64 == head.count
        }
        Kind::Map => return check_map(json, frame, base64),
    };
    assert!(is_same, "{json} is not {}", frame.bytes().escape_ascii());
}

/// A map is an object in which every key is there, or the pairs.
fn check_map(json: &Json, frame: Frame<'_>, base64: bool) {
    let children: Vec<_> = frame.children().collect();
    match json {
        Json::Object(fields) => {
            assert_eq!(fields.len(), children.len() / 2, "{json}");
            for pair in children.chunks(2) {
                let key = pair[0].head();
                let name = match key.kind {
                    Kind::Boolean => Cow::from(if key.text == b"t" { "true" } else { "false" }),
                    _ => String::from_utf8_lossy(key.text),
                };
                let Some(value) = fields.get(&*name) else { panic!("{json} lacks {name}") };
                check_value(value, pair[1], base64);
            }
        }
        Json::Array(pairs) => {
            assert_eq!(pairs.len(), children.len() / 2, "{json}");
            for (shown, pair) in pairs.iter().zip(children.chunks(2)) {
                check_value(&shown[0], pair[0], base64);
                check_value(&shown[1], pair[1], base64);
            }
        }
        _ => panic!("{json}"),
    }
}

fn check_bytes(json: &Json, bytes: &[u8], base64: bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) if !base64 => assert_eq!(json.as_str(), Some(text)),
        _ => assert_eq!(json, &serde_json::json!({"base64": BASE64_STANDARD.encode(bytes)})),
    }
}

/// A command that was written as JSON is the same command when it is read.
fn check_command(json: &Json, request: &Request) {
    let mut read = Request::default();
    let line = json.to_string();
    assert!(request.is_empty() || parse(line.as_bytes(), &mut read).is_ok(), "{line}");
    assert_eq!(&read, request, "{line}");
}

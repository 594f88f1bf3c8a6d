//! The framer against the redis crate's parser, cut anywhere, and what is read from the frames that it finds.
#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a check ends by panicking")]

use std::ops::Range;

use redis::Value;

use super::entries::{BadForm, EntryId, Place};
use super::value::error_text;
use super::{ErrorReply, Frame, Framer, Kind, Message, OwnedFrame, value_of};
use crate::fuzz::Decisions;

/// A stream of replies; the first byte says how large the pieces are in which it comes.
pub fn framer(data: &[u8]) {
    let Some((size, bytes)) = data.split_first() else { return };
    let (frames, end) = frame_pieces(bytes, bytes.len().max(1));
    assert_eq!((&frames, end), (&frame_pieces(bytes, 1 + usize::from(*size)).0, end), "in pieces");
    let mut passed = 0;
    for frame in &frames {
        passed += frame.frame().bytes().len();
        check_frame(frame.frame());
    }
    assert!(bytes.starts_with(&frames.iter().flat_map(|frame| frame.frame().bytes().to_vec()).collect::<Vec<_>>()));
    // It also takes what is no reply, such as `_x`.
    if end != End::Bad {
        let more = redis::parse_redis_value(&bytes[passed..]);
        assert!(more.is_err(), "the crate ends it earlier: {more:?}: {}", bytes[passed..].escape_ascii());
    }
}

/// A reply to XREAD or XCLAIM: any, or one that is made of entries, each of which is found.
pub fn entries(data: &[u8]) {
    let mut decisions = Decisions(data);
    if decisions.flag() {
        let Ok(Some(found)) = Framer::default().find_end(decisions.0) else { return };
        let frame = Frame::new(&decisions.0[..found.length], found.has_error());
        for place in [Place::of_streams(frame), Place::of_entries(frame)] {
            let _ = place.and_then(|place| read_entries(frame, place));
        }
        return;
    }
    let (is_resp3, streams) = (decisions.flag(), decisions.byte() % 4);
    let (mut resp, mut expected) = (Vec::new(), Vec::new());
    header(if is_resp3 { b'%' } else { b'*' }, streams.into(), &mut resp);
    for _ in 0..streams {
        let (name, count) = (decisions.text(9), decisions.byte() % 5);
        if !is_resp3 {
            header(b'*', 2, &mut resp);
        }
        bulk(name, &mut resp);
        header(b'*', count.into(), &mut resp);
        for _ in 0..count {
            let (id, fields) = (decisions.text(9), decisions.byte() % 6);
            header(b'*', 2, &mut resp);
            bulk(id, &mut resp);
            let mut words = Vec::new();
            match fields {
                5 => header(b'*', -1, &mut words),
                fields => {
                    header(b'*', 2 * i64::from(fields), &mut words);
                    (0..2 * fields).for_each(|_| bulk(decisions.text(9), &mut words));
                }
            }
            resp.extend_from_slice(&words);
            expected.push((name.to_vec(), id.to_vec(), (fields < 5).then_some(words)));
        }
    }
    let frame = Frame::new(&resp, false);
    let found = Place::of_streams(frame).and_then(|place| read_entries(frame, place));
    assert_eq!(found.ok(), Some(expected), "{}", resp.escape_ascii());
}

fn header(mark: u8, count: i64, out: &mut Vec<u8>) {
    out.push(mark);
    out.extend_from_slice(format!("{count}\r\n").as_bytes());
}

fn bulk(word: &[u8], out: &mut Vec<u8>) {
    header(b'$', i64::try_from(word.len()).unwrap_or_default(), out);
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

/// The name of its stream, its id and its fields.
type ReadEntry = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);

fn read_entries(frame: Frame<'_>, mut place: Place) -> Result<Vec<ReadEntry>, BadForm> {
    let mut all = Vec::new();
    while let Some(found) = place.next(frame)? {
        let bytes = |range: Range<usize>| frame.bytes()[range].to_vec();
        let id = bytes(found.id);
        let _ = EntryId::parse(&id);
        all.push((bytes(found.stream), id, found.fields.map(bytes)));
    }
    Ok(all)
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// With this much of a reply.
    Part(usize),
    /// With what is no reply.
    Bad,
}

/// Frames what comes in pieces, as a connection does.
fn frame_pieces(bytes: &[u8], size: usize) -> (Vec<OwnedFrame>, End) {
    let (mut search, mut frames, mut waiting, mut least) = (Framer::default(), Vec::new(), Vec::new(), 0);
    for piece in bytes.chunks(size) {
        waiting.extend_from_slice(piece);
        loop {
            match search.find_end(&waiting) {
                Ok(Some(found)) => {
                    assert!((1..=waiting.len()).contains(&found.length), "{found:?} of {}", waiting.len());
                    assert!(least <= found.length, "{found:?}, and {least} or more were expected");
                    frames.push(OwnedFrame::new(waiting.drain(..found.length).collect(), found.has_error()));
                    least = 0;
                }
                Ok(None) => {
                    least = if waiting.is_empty() { 0 } else { search.least() };
                    break;
                }
                Err(_) => return (frames, End::Bad),
            }
        }
    }
    (frames, End::Part(waiting.len()))
}

fn check_frame(frame: Frame<'_>) {
    let shown = frame.bytes().escape_ascii();
    assert!(frame.walk().next().is_some(), "{shown}");
    assert!(frame.may_hold_errors() || frame.walk().all(|element| element.kind != Kind::Error), "{shown}");
    let children: Vec<u8> = frame.children().flat_map(|child| child.bytes().to_vec()).collect();
    assert!(frame.bytes().ends_with(&children), "{shown}");
    let _ = (Message::of(frame), ErrorReply::of(frame), value_of(frame), frame.is_push(), frame.is_ok());
    let Ok(value) = redis::parse_redis_value(frame.bytes()) else { return };
    let mut ours = String::new();
    describe(frame, &mut ours);
    assert_eq!(ours, describe_value(&value), "{shown}");
    let shorter = &frame.bytes()[..frame.bytes().len() - 1];
    assert!(redis::parse_redis_value(shorter).is_err(), "the crate ends it earlier: {shown}");
}

/// What a frame says, in a form that can be compared.
fn describe(frame: Frame<'_>, out: &mut String) {
    use std::fmt::Write as _;
    let head = frame.head();
    let text = head.text.escape_ascii();
    // In these the crate keeps no bytes that are not UTF-8.
    let utf8 = String::from_utf8_lossy(head.text);
    let utf8 = utf8.as_bytes().escape_ascii();
    let _ = match head.kind {
        Kind::Nil => write!(out, "nil"),
        Kind::Simple => write!(out, "+{text}"),
        Kind::Bulk => write!(out, "${text}"),
        Kind::Verbatim => write!(out, "={}", behind_colons(&utf8.to_string())),
        Kind::Error => write!(out, "-{utf8}"),
        Kind::Integer => write!(out, ":{:?}", std::str::from_utf8(head.text).map(str::parse::<i64>)),
        Kind::Double => write!(out, ",{:?}", std::str::from_utf8(head.text).map(str::parse::<f64>)),
        Kind::BigNumber => write!(out, "({text}"),
        Kind::Boolean => write!(out, "#{}", head.text == b"t"),
        Kind::Array | Kind::Set | Kind::Map | Kind::Push => write!(out, "{:?}[", head.kind),
    };
    if head.kind.is_aggregate() {
        if head.kind == Kind::Push && head.count == 0 {
            out.push(',');
        }
        for (at, child) in frame.children().enumerate() {
            if at == 0 && head.kind == Kind::Push {
                // The crate keeps no more of it than the text.
                let _ = write!(out, "{}", child.head().text.escape_ascii());
            } else {
                describe(child, out);
            }
            out.push(',');
        }
        out.push(']');
    }
}

/// What of a verbatim string is compared: its format has three bytes, and to the crate no colon among them.
fn behind_colons(text: &str) -> &str {
    text.rsplit(':').next().unwrap_or_default()
}

/// The same of what the crate reads.
fn describe_value(value: &Value) -> String {
    let all = |items: &[Value]| items.iter().map(|item| describe_value(item) + ",").collect::<String>();
    match value {
        Value::Nil => "nil".to_owned(),
        Value::Okay => "+OK".to_owned(),
        Value::SimpleString(text) => format!("+{}", text.as_bytes().escape_ascii()),
        Value::BulkString(bytes) => format!("${}", bytes.escape_ascii()),
        Value::VerbatimString { text, .. } => {
            format!("={}", behind_colons(&text.as_bytes().escape_ascii().to_string()))
        }
        Value::ServerError(error) => format!("-{}", error_text(error).as_bytes().escape_ascii()),
        Value::Int(number) => format!(":{:?}", Ok::<_, ()>(Ok::<_, ()>(number))),
        Value::Double(number) => format!(",{:?}", Ok::<_, ()>(Ok::<_, ()>(number))),
        Value::BigNumber(digits) => format!("({}", digits.escape_ascii()),
        Value::Boolean(is_true) => format!("#{is_true}"),
        Value::Array(items) => format!("Array[{}]", all(items)),
        Value::Set(items) => format!("Set[{}]", all(items)),
        Value::Map(pairs) => {
            let pair = |(key, value): &(Value, Value)| format!("{},{},", describe_value(key), describe_value(value));
            format!("Map[{}]", pairs.iter().map(pair).collect::<String>())
        }
        Value::Push { kind, data } => format!("Push[{},{}]", kind.to_string().as_bytes().escape_ascii(), all(data)),
        Value::Attribute { data, .. } => describe_value(data),
        other => panic!("{other:?}"),
    }
}

//! The framer against the redis crate's parser, cut anywhere, and what is read from the frames that it finds.
#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a check ends by panicking")]

use redis::Value;

use super::{ErrorReply, Frame, Framer, Kind, Message, OwnedFrame, error_text, value_of};

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

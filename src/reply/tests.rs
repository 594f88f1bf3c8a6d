//! The framer against the crate's parser, cut at every byte, and against rubbish.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use redis::Value;

use super::*;

/// Frames all of `pieces`, as a connection does: what is left over is given again, with more.
fn frame_pieces<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Result<Vec<OwnedFrame>, String> {
    let mut framer = Framer::default();
    let mut found_frames = Vec::new();
    let mut waiting = Vec::new();
    for piece in pieces {
        waiting.extend_from_slice(piece);
        while let Some(found) = framer.find_end(&waiting)? {
            found_frames.push(Frame::new(&waiting[..found.length], found.has_error()).to_owned());
            waiting.drain(..found.length);
        }
    }
    assert!(waiting.is_empty(), "left over: {}", waiting.escape_ascii());
    Ok(found_frames)
}

fn frame_whole(bytes: &[u8]) -> Result<Vec<OwnedFrame>, String> {
    frame_pieces([bytes])
}

/// One reply of each type, the shortest among them.
const REPLIES: &[&[u8]] = &[
    b"+OK\r\n",
    b"+PONG\r\n",
    b"+\r\n",
    b":-42\r\n",
    b":1\r\n",
    b"$3\r\na\r\n\r\n",
    b"$-1\r\n",
    b"*-1\r\n",
    b"_\r\n",
    b"#t\r\n",
    b"#f\r\n",
    b",3.14\r\n",
    b",inf\r\n",
    b",1\r\n",
    b"(3492890328409238509324850943850943825024385\r\n",
    b"$0\r\n\r\n",
    b"$5\r\n+OK\r\n\r\n",
    b"=8\r\ntxt:a\r\nb\r\n",
    b"=4\r\ntxt:\r\n",
    b"-ERR no\r\n",
    b"!8\r\nERR a\r\nb\r\n",
    b"!3\r\nERR\r\n",
    b"*0\r\n",
    b"*2\r\n:1\r\n*1\r\n$0\r\n\r\n",
    b"*2\r\n+OK\r\n_\r\n",
    b"~1\r\n+x\r\n",
    b"%1\r\n$1\r\nk\r\n*0\r\n",
    b"%1\r\n_\r\n+OK\r\n",
    b">2\r\n+message\r\n+hi\r\n",
    b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$11\r\nhello world\r\n",
    b"*3\r\n$7\r\nmessage\r\n*1\r\n:1\r\n$-1\r\n",
    b">1\r\n+x\r\n",
    b"|1\r\n+ttl\r\n:1\r\n:7\r\n",
    b"|1\r\n_\r\n:1\r\n+OK\r\n",
    b"*2\r\n|1\r\n+a\r\n*1\r\n+b\r\n:1\r\n-ERR in\r\n",
];

/// The value without the attributes around it, at any depth.
fn without_attributes(value: Value) -> Value {
    match value {
        Value::Attribute { data, .. } => without_attributes(*data),
        Value::Array(items) => Value::Array(items.into_iter().map(without_attributes).collect()),
        value => value,
    }
}

/// What a frame is to us, as the crate would say it.
fn read(frame: Frame<'_>) -> Value {
    let head = frame.head();
    let children = || frame.children().map(read);
    match head.kind {
        Kind::Array => Value::Array(children().collect()),
        Kind::Set => Value::Set(children().collect()),
        Kind::Map => {
            let items: Vec<_> = children().collect();
            Value::Map(items.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect())
        }
        // One scalar without what stands around it.
        _ if frame.bytes()[0] == b'|' => {
            let mut walk = frame.walk();
            let from = walk.clone().next().unwrap();
            walk.next();
            let length = frame.bytes().len() - from.text.len() - 3;
            redis::parse_redis_value(&frame.bytes()[length..]).unwrap()
        }
        _ => redis::parse_redis_value(frame.bytes()).unwrap(),
    }
}

#[test]
fn every_reply_is_framed_and_read_as_the_crate_reads_it_however_it_is_cut() {
    let bytes = REPLIES.concat();
    for size in 1..=bytes.len() {
        let frames = frame_pieces(bytes.chunks(size)).unwrap();
        let expected: Vec<_> = REPLIES.iter().map(|reply| reply.to_vec()).collect();
        let came: Vec<_> = frames.iter().map(|frame| frame.frame().bytes().to_vec()).collect();
        assert_eq!(came, expected, "in pieces of {size}");
    }
    for reply in REPLIES {
        let frame = Frame::new(reply, true);
        let expected = without_attributes(redis::parse_redis_value(reply).unwrap());
        assert_eq!(read(frame), expected, "{}", reply.escape_ascii());
    }
}

#[test]
fn what_arrives_in_part_leaves_nothing_behind_for_the_replies_after_it() {
    for first in REPLIES {
        for second in REPLIES {
            let bytes = [first, second, &b"_\r\n"[..], b":7\r\n"].concat();
            let whole = frame_whole(&bytes).unwrap();
            for cut in 1..bytes.len() {
                let frames = frame_pieces([&bytes[..cut], &bytes[cut..]]).unwrap();
                assert_eq!(frames, whole, "{} cut at {cut}", bytes.escape_ascii());
            }
        }
    }
}

#[test]
fn errors_are_found_at_any_depth_and_whatever_their_bytes() {
    let bytes = b"*3\r\n-ERR a\r\n%1\r\n+k\r\n*1\r\n!4\r\nB \xffx\r\n|1\r\n+a\r\n-ERR hidden\r\n:1\r\n";
    let frames = frame_whole(bytes).unwrap();
    let errors: Vec<_> = frames[0].frame().errors().collect();
    assert_eq!(errors, [&b"ERR a"[..], b"B \xffx"]);
    assert!(!frames[0].frame().is_error());
    let frames = frame_whole(b"-\xff\r\n*1\r\n+x\r\n").unwrap();
    assert!(frames[0].frame().is_error());
    assert_eq!(frames[1].frame().errors().count(), 0);
}

#[test]
fn a_million_levels_are_framed_and_walked() {
    let bytes = format!("{}:1\r\n", "*1\r\n".repeat(1_000_000));
    let frames = frame_whole(bytes.as_bytes()).unwrap();
    assert_eq!(frames[0].frame().walk().count(), 1_000_001);
}

#[test]
fn rubbish_is_refused() {
    for rubbish in [
        "hello\r\n",
        "H",
        "$-5\r\n",
        "*-2\r\n",
        ":x\r\n",
        ":\r\n",
        ":-\r\n",
        ":9223372036854775808\r\n",
        "#x\r\n",
        "_x\r\n",
        ",x\r\n",
        "$1\r\nab\r\n",
        "%-1\r\n",
        "=1\r\na\r\n",
        "+a\n",
        "$99999999999999999999\r\n",
        "%9223372036854775807\r\n:1\r\n*x\r\n",
        "*1\r\n%9223372036854775807\r\n|9223372036854775807\r\n",
        "\n",
        "*\r\n",
        "$18446744073709551615\r\n",
    ] {
        assert!(frame_whole(rubbish.as_bytes()).is_err(), "{rubbish:?}");
    }
}

#[test]
fn what_is_known_to_come_is_told_and_waited_for() {
    for (bytes, least) in
        [("", 3), ("*3\r\n:1\r\n", 14), ("$30000\r\nabc", 30_010), ("*3\r\n$30000\r\nabc", 30_020), ("|1\r\n", 13)]
    {
        let mut framer = Framer::default();
        assert_eq!(framer.find_end(bytes.as_bytes()), Ok(None));
        assert_eq!(framer.least(), least, "{bytes:?}");
    }
}

#[test]
fn what_memory_cannot_hold_is_refused_when_it_is_declared() {
    for (header, what) in [
        ("$9000000000000000000\r\nabc", "a string of 9000000000000000000 bytes"),
        ("=9000000000000000000\r\ntxt:", "a string of 9000000000000000000 bytes"),
        ("!9000000000000000000\r\n", "a string of 9000000000000000000 bytes"),
        ("*900000000000000000\r\n:1\r\n", "an array of 900000000000000000 elements"),
        ("~900000000000000000\r\n", "a set of 900000000000000000 elements"),
        (">900000000000000000\r\n", "a push of 900000000000000000 elements"),
        ("%4611686018427387903\r\n:1\r\n", "a map of 4611686018427387903 pairs"),
        ("|4611686018427387903\r\n", "an attribute of 4611686018427387903 pairs"),
        ("*2\r\n:1\r\n$9000000000000000000\r\n", "a string of 9000000000000000000 bytes in an array of 2 elements"),
        ("%1\r\n+k\r\n*900000000000000000\r\n", "an array of 900000000000000000 elements in a map of 1 pairs"),
    ] {
        let refused = Framer::default().find_end(header.as_bytes());
        assert_eq!(refused, Err(format!("memory has no room for {what}")), "{header:?}");
    }
}

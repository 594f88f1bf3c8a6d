//! The decoder against the crate's parser, cut at every byte, and against rubbish.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use redis::VerbatimFormat;

use super::*;

/// Decodes all of `bytes`, given in pieces of `size`.
fn decode_in_pieces(bytes: &[u8], size: usize) -> Result<Vec<Value>, String> {
    decode_pieces(bytes.chunks(size))
}

/// Decodes all of `bytes`, given in two pieces.
fn decode_cut_at(bytes: &[u8], cut: usize) -> Result<Vec<Value>, String> {
    decode_pieces([&bytes[..cut], &bytes[cut..]])
}

fn decode_pieces<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Result<Vec<Value>, String> {
    let mut decoder = Decoder::default();
    let mut values = Vec::new();
    let mut waiting = Vec::new();
    for piece in pieces {
        waiting.extend_from_slice(piece);
        loop {
            let (used, value) = decoder.decode(&waiting)?;
            waiting.drain(..used);
            match value {
                Some(value) => values.push(value),
                None => break,
            }
        }
    }
    assert!(waiting.is_empty(), "left over: {:?}", waiting.escape_ascii().to_string());
    Ok(values)
}

const EVERYTHING: &[u8] = b"+OK\r\n+PONG\r\n:-42\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n_\r\n#t\r\n#f\r\n,3.14\r\n,inf\r\n\
    (3492890328409238509324850943850943825024385\r\n=8\r\ntxt:a\r\nb\r\n*2\r\n:1\r\n*1\r\n$0\r\n\r\n~1\r\n+x\r\n\
    %1\r\n$1\r\nk\r\n*0\r\n>2\r\n+message\r\n+hi\r\n|1\r\n+ttl\r\n:1\r\n:7\r\n!8\r\nERR a\r\nb\r\n-ERR no\r\n";

#[test]
fn every_type_decodes_as_the_crate_decodes_it_however_it_is_cut() {
    let mut expected = Vec::new();
    let mut parser = redis::Parser::new();
    let mut rest = EVERYTHING;
    while let Ok(value) = parser.parse_value(&mut rest) {
        expected.push(match value {
            Value::Attribute { data, .. } => *data,
            Value::Double(number) => exact_double(&number.to_string()),
            value => value,
        });
    }
    assert_eq!(expected.len(), 20);
    for size in 1..=EVERYTHING.len() {
        assert_eq!(decode_in_pieces(EVERYTHING, size).unwrap(), expected, "in pieces of {size}");
    }
}

/// One reply of each type, the shortest among them.
const REPLIES: &[&[u8]] = &[
    b"+OK\r\n",
    b"_\r\n",
    b"+\r\n",
    b":1\r\n",
    b"#t\r\n",
    b",1\r\n",
    b"(12345678901234567890\r\n",
    b"$-1\r\n",
    b"$0\r\n\r\n",
    b"$5\r\n+OK\r\n\r\n",
    b"=4\r\ntxt:\r\n",
    b"-ERR no\r\n",
    b"!3\r\nERR\r\n",
    b"*0\r\n",
    b"*2\r\n+OK\r\n_\r\n",
    b"%1\r\n_\r\n+OK\r\n",
    b">1\r\n+x\r\n",
    b"|1\r\n_\r\n:1\r\n+OK\r\n",
];

#[test]
fn what_arrives_in_part_leaves_nothing_behind_for_the_replies_after_it() {
    for first in REPLIES {
        for second in REPLIES {
            let bytes = [first, second, &b"_\r\n"[..], b":7\r\n"].concat();
            let whole = decode_in_pieces(&bytes, bytes.len()).unwrap();
            for cut in 1..bytes.len() {
                let values = decode_cut_at(&bytes, cut).map_err(|why| (bytes.escape_ascii().to_string(), cut, why));
                assert_eq!(values.unwrap(), whole, "{:?} cut at {cut}", bytes.escape_ascii().to_string());
            }
        }
    }
}

#[test]
fn any_replies_cut_anywhere_are_the_same_replies() {
    let mut state = 7_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % limit
    };
    for _ in 0..3000 {
        let replies: Vec<&[u8]> = (0..20).map(|_| REPLIES[below(REPLIES.len())]).collect();
        let bytes = replies.concat();
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, left) = rest.split_at(1 + below(rest.len().min(9)));
            pieces.push(piece);
            rest = left;
        }
        let whole = decode_in_pieces(&bytes, bytes.len()).unwrap();
        let text = || bytes.escape_ascii().to_string();
        assert_eq!(decode_pieces(pieces.iter().copied()), Ok(whole), "{} in pieces {pieces:?}", text());
    }
}

fn exact_double(text: &str) -> Value {
    Value::VerbatimString { format: VerbatimFormat::Unknown(EXACT_DOUBLE.to_owned()), text: text.to_owned() }
}

#[test]
fn the_text_of_a_double_is_kept() {
    let values = decode_in_pieces(b",13.36138933897018433\r\n,0.1\r\n,1e+20\r\n,10\r\n", 99).unwrap();
    assert_eq!(values, ["13.36138933897018433", "0.1", "1e+20", "10"].map(exact_double));
}

#[test]
fn text_that_is_not_utf8_keeps_its_bytes() {
    let values = decode_in_pieces(b"+\xff\r\n=5\r\ntxt:\xff\r\n", 2).unwrap();
    assert_eq!(values, [Value::BulkString(vec![0xff]), Value::BulkString(vec![0xff])]);
}

#[test]
fn an_error_text_that_is_not_utf8_shows_its_bytes() {
    let error = |text: &str| redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).unwrap();
    let bytes = b"-ERR \xff\r\n!7\r\nERR \xe2\x82.\r\n*1\r\n-\xffERR \xc3\xa9\xc3\r\n-ERR \\xff\r\n";
    for size in 1..=bytes.len() {
        let values = decode_in_pieces(bytes, size).unwrap();
        let nested = Value::Array(vec![error(r"\xffERR é\xc3")]);
        assert_eq!(values, [error(r"ERR \xff"), error(r"ERR \xe2\x82."), nested, error(r"ERR \xff")]);
    }
}

#[test]
fn rubbish_is_refused() {
    for rubbish in [
        "hello\r\n",
        "H",
        "$-5\r\n",
        "*-2\r\n",
        ":x\r\n",
        "#x\r\n",
        ",x\r\n",
        "$1\r\nab\r\n",
        "%-1\r\n",
        "=1\r\na\r\n",
        ">1\r\n:1\r\n",
        "+a\n",
        "$99999999999999999999\r\n",
        "%9223372036854775807\r\n:1\r\n*x\r\n",
        "\n",
        "*\r\n",
    ] {
        assert!(decode_in_pieces(rubbish.as_bytes(), 99).is_err(), "{rubbish:?}");
    }
}

#[test]
fn a_hundred_levels_are_decoded_and_one_more_is_refused() {
    let nested = |levels: usize| format!("{}*0\r\n", "*1\r\n".repeat(levels - 1));
    assert!(decode_in_pieces(nested(100).as_bytes(), 7).is_ok());
    assert!(decode_in_pieces(nested(101).as_bytes(), 7).is_err());
}

#[test]
fn nothing_is_reserved_for_what_has_not_arrived() {
    for header in ["$100000000\r\nabc", "*1000000\r\n:1\r\n", "%500000\r\n:1\r\n"] {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(header.as_bytes()), Ok((header.len(), None)));
        let reserved: usize = decoder.open.iter().map(|aggregate| aggregate.items.capacity()).sum();
        let body = decoder.body.map_or(0, |body| body.bytes.capacity());
        assert!(reserved + body < 100_000, "{header:?} reserves {reserved} values and {body} bytes");
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
        let mut decoder = Decoder::default();
        let refused = decoder.decode(header.as_bytes());
        assert_eq!(refused, Err(format!("memory has no room for {what}")), "{header:?}");
        assert!(decoder.open.is_empty() && decoder.body.is_none(), "what came of it is let go");
    }
}

//! A line of MONITOR, taken apart exactly (contract section 9). A pure function: no connection, no output.
//!
//! Servers write `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`, every argument quoted and in ASCII, so its bytes
//! can be recovered. The dictionary is redis-py's, without its mistake: an argument that ends in a backslash stays whole.

use std::borrow::Cow;

use super::quoted::{ArgPlaces, unescape};
use crate::word;

/// Who sent a monitored command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientType {
    /// A TCP client: its address and port.
    Tcp,
    /// A client of the unix socket: the path stands in place of the port.
    Unix,
    Lua,
    /// The server did not say.
    Unknown,
}

impl ClientType {
    /// redis-py's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Unix => "unix",
            Self::Lua => "lua",
            Self::Unknown => "unknown",
        }
    }
}

/// One monitored command, borrowed from its line.
#[derive(Debug, PartialEq, Eq)]
pub struct MonitorLine<'a> {
    /// Seconds since 1970 with six decimals, as the server wrote them.
    pub time: &'a [u8],
    pub db: u64,
    /// The client's address; `unix` or `lua` for those.
    pub address: &'a [u8],
    /// The client's port; the path of the socket for a unix client.
    pub port: &'a [u8],
    /// What kind of client it was.
    pub client: ClientType,
    /// The quoted arguments, and where they stand there.
    quoted: &'a [u8],
    places: &'a ArgPlaces,
    /// Whether all of it is ASCII with nothing escaped, here or in JSON, and no quote that is not an argument's: then what
    /// stands between the quotes is the argument, and is so in JSON too. Most lines are so.
    pub is_plain: bool,
}

impl<'a> MonitorLine<'a> {
    /// Takes a line apart; none if it is no line of MONITOR, which is UTF-8 in any case. What is in `places` is of no use
    /// before, and the line's after.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every command, from one place; what it gives is large")]
    pub fn parse(line: &'a [u8], places: &'a mut ArgPlaces) -> Option<Self> {
        let (time, rest) = split_time(line)?;
        let (db, rest) = split_number(rest.strip_prefix(b" [")?)?;
        let rest = rest.strip_prefix(b" ")?;
        let (client, quoted, is_plain) = match places.find_plain(rest) {
            Some(client) => (client, rest, true),
            None if std::str::from_utf8(line).is_err() => return None,
            None => split_client(rest, places).map(|(client, quoted)| (client, quoted, false))?,
        };
        let (client, address, port) = describe_client(client);
        Some(Self { time, db, address, port, client, quoted, places, is_plain })
    }

    /// The arguments as the server quoted them, between their quotes; the name first.
    #[inline]
    pub fn quoted(&self) -> impl Iterator<Item = &'a [u8]> {
        self.places.of(self.quoted)
    }

    /// All of the arguments in their quotes, and where the blanks between them stand there.
    #[inline]
    pub fn args_in_quotes(&self) -> (&'a [u8], impl Iterator<Item = usize>) {
        self.places.all(self.quoted)
    }

    /// The command's name as bytes, in the case in which it was sent.
    pub fn name(&self) -> Cow<'a, [u8]> {
        self.quoted().next().map_or(Cow::Borrowed(&[]), |quoted| self.unquote(quoted))
    }

    /// The exact bytes of every argument, the name first.
    pub fn args(&self) -> impl Iterator<Item = Cow<'a, [u8]>> {
        self.quoted().map(|quoted| self.unquote(quoted))
    }

    #[inline]
    fn unquote(&self, quoted: &'a [u8]) -> Cow<'a, [u8]> {
        if self.is_plain { Cow::Borrowed(quoted) } else { unescape(quoted) }
    }

    /// redis-py's `command`: the arguments as the server escaped them, joined by spaces, only the quotes bare.
    pub fn command(&self) -> Vec<u8> {
        let mut command = Vec::with_capacity(self.quoted().map(|quoted| quoted.len() + 1).sum());
        for (index, quoted) in self.quoted().enumerate() {
            if index > 0 {
                command.push(b' ');
            }
            let mut rest = quoted;
            while let Some(at) = memchr::memchr(b'\\', rest) {
                let (plain, escaped) = rest.split_at(at);
                command.extend_from_slice(plain);
                let bare = if escaped.starts_with(b"\\\"") { &escaped[1..2] } else { &escaped[..escaped.len().min(2)] };
                command.extend_from_slice(bare);
                rest = escaped.get(2..).unwrap_or_default();
            }
            command.extend_from_slice(rest);
        }
        command
    }
}

fn count_digits(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len())
}

/// The time at the beginning, and the rest; none where no time is.
fn split_time(line: &[u8]) -> Option<(&[u8], &[u8])> {
    // `1339518083.107412 `
    const USUAL: usize = 10 + 7;
    const POINT: u64 = ((b'.' ^ b'0') as u64) << 8;
    if let Some([time @ .., b' ']) = line.first_chunk::<{ USUAL + 1 }>()
        && time[0] != b'0'
        && time[10] == b'.'
        // Looked at by eight bytes at a time, of which some are looked at twice.
        && let [Some(first), Some(second), Some(last)] = [time.get(..8), time.get(2..10), time.get(9..17)].map(to_word)
        && word::are_digits(first)
        && word::are_digits(second)
        && word::are_digits(last ^ POINT)
    {
        return Some(line.split_at(USUAL));
    }
    let seconds = count_digits(line);
    let decimals = count_digits(line[seconds..].strip_prefix(b".")?);
    let is_number = seconds > 0 && decimals > 0 && (seconds == 1 || line[0] != b'0');
    is_number.then(|| line.split_at(seconds + 1 + decimals))
}

fn to_word(bytes: Option<&[u8]>) -> Option<u64> {
    Some(u64::from_le_bytes(bytes?.try_into().ok()?))
}

/// The number at the beginning, and the rest; none where none is that fits.
fn split_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    if let [digit @ b'0'..=b'9', b' ', ..] = bytes {
        return Some((u64::from(digit - b'0'), &bytes[1..]));
    }
    let (digits, rest) = bytes.split_at(count_digits(bytes));
    digits.first()?;
    let add = |number: u64, digit: &u8| number.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    Some((digits.iter().try_fold(0, add)?, rest))
}

/// The client and the quoted arguments of `CLIENT] "arg" "arg"`. The path of a unix socket may hold anything, so the
/// client ends at the first place after which nothing but arguments follows.
#[cold]
fn split_client<'a>(text: &'a [u8], places: &mut ArgPlaces) -> Option<(&'a [u8], &'a [u8])> {
    /// No path holds more of them; a line that is none is given up early.
    const TRIES: usize = 64;
    let is_end = |end: &usize| text[*end..].starts_with(b"] \"");
    let mut ends = memchr::memchr_iter(b']', text).filter(is_end).take(TRIES);
    let end = ends.find(|end| places.find(&text[end + 2..]))?;
    Some((&text[..end], &text[end + 2..]))
}

/// Type, address and port, as redis-py tells them.
fn describe_client(client: &[u8]) -> (ClientType, &[u8], &[u8]) {
    if client == b"lua" {
        return (ClientType::Lua, client, b"");
    }
    if let Some(path) = client.strip_prefix(b"unix") {
        return (ClientType::Unix, b"unix", path.strip_prefix(b":").unwrap_or(path));
    }
    // From the right: IPv6 addresses hold colons.
    match client.iter().rposition(|byte| *byte == b':') {
        Some(colon) => (ClientType::Tcp, &client[..colon], &client[colon + 1..]),
        None => (ClientType::Unknown, client, b""),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<Vec<u8>> {
        let mut places = ArgPlaces::default();
        MonitorLine::parse(line.as_bytes(), &mut places).unwrap().args().map(Cow::into_owned).collect()
    }

    #[test]
    fn the_documented_line_gives_the_documented_dictionary() {
        let mut places = ArgPlaces::default();
        let line = br#"1339518083.107412 [0 127.0.0.1:60866] "keys" "*""#;
        let line = MonitorLine::parse(line, &mut places).unwrap();
        assert_eq!((line.time, line.db), (&b"1339518083.107412"[..], 0));
        assert_eq!((line.address, line.port, line.client), (&b"127.0.0.1"[..], &b"60866"[..], ClientType::Tcp));
        assert_eq!(line.command(), b"keys *");
        assert_eq!(*line.name(), *b"keys");
    }

    #[test]
    fn a_time_has_one_point_and_digits() {
        let usual = b"1339518083.107412 ";
        for at in 0..usual.len() - 1 {
            for byte in 0..=u8::MAX {
                let mut line = *usual;
                line[at] = byte;
                let is_usual = if at == 10 { byte == b'.' } else { byte.is_ascii_digit() && (at > 0 || byte != b'0') };
                let found = split_time(&line).is_some_and(|(time, _)| time.len() == 17);
                assert_eq!(found, is_usual, "{}", line.escape_ascii());
            }
        }
    }

    #[test]
    fn clients_are_told_apart_as_redis_py_does() {
        for (client, expected) in [
            ("[::1]:60866", (ClientType::Tcp, "[::1]", "60866")),
            ("::1:60866", (ClientType::Tcp, "::1", "60866")),
            ("?:0", (ClientType::Tcp, "?", "0")),
            ("lua", (ClientType::Lua, "lua", "")),
            ("unix:/run/my [0] dir/s", (ClientType::Unix, "unix", "/run/my [0] dir/s")),
            ("unix:/tmp/] \"x", (ClientType::Unix, "unix", "/tmp/] \"x")),
            ("", (ClientType::Unknown, "", "")),
        ] {
            let line = format!(r#"1.000000 [15 {client}] "get" "k""#);
            let mut places = ArgPlaces::default();
            let line = MonitorLine::parse(line.as_bytes(), &mut places).unwrap();
            let (kind, address, port) = expected;
            assert_eq!((line.client, line.address, line.port), (kind, address.as_bytes(), port.as_bytes()), "{client}");
            assert_eq!(line.db, 15);
        }
    }

    #[test]
    fn arguments_are_exact() {
        let line = r#"1.5 [0 lua] "SET" "" "a\"b\\" "c\xff\x0A\n\r\t\a\b" "] \"x\"" "\\""#;
        let expected: [&[u8]; 6] = [b"SET", b"", b"a\"b\\", b"c\xff\n\n\r\t\x07\x08", b"] \"x\"", b"\\"];
        assert_eq!(args(line), expected);
    }

    #[test]
    fn what_is_not_plain_is_told_wherever_it_stands() {
        for length in 1..70 {
            for at in 0..length {
                let mut arg = vec![b'a'; length];
                let parse = |arg: &[u8]| {
                    let line = [b"1.5 [0 lua] \"", arg, b"\""].concat();
                    let mut places = ArgPlaces::default();
                    let line = MonitorLine::parse(&line, &mut places)?;
                    Some((line.is_plain, line.args().next().unwrap().into_owned()))
                };
                assert_eq!(parse(&arg), Some((true, arg.clone())), "{length}");
                for other in [b'\n', 0x1f, b'\\'] {
                    arg[at] = other;
                    let is_cut = other == b'\\' && at + 1 == length;
                    assert_eq!(parse(&arg).map(|(is_plain, _)| is_plain), (!is_cut).then_some(false), "{arg:?}");
                }
                arg[at] = b'"';
                assert_eq!(parse(&arg), None, "{arg:?}");
                let escaped = [&arg[..at], b"\\", &arg[at..]].concat();
                assert_eq!(parse(&escaped), Some((false, arg.clone())), "{arg:?}");
            }
        }
    }

    #[test]
    fn command_is_the_escaped_text_with_bare_quotes() {
        let line = r#"1.5 [0 lua] "SET" "a\\" "say \"hi\"" "\x00""#;
        let command = |line: &str| {
            let mut places = ArgPlaces::default();
            String::from_utf8(MonitorLine::parse(line.as_bytes(), &mut places).unwrap().command()).unwrap()
        };
        assert_eq!(command(line), r#"SET a\\ say "hi" \x00"#);
        assert_eq!(command("1.5 [0 lua] \"\\\u{e9}\""), "\\\u{e9}");
    }

    #[test]
    fn anything_else_is_no_line() {
        for line in [
            "OK",
            "",
            "1.5 [0 lua]",
            "1.5 [0 lua] ",
            r#"1.5 [0 lua] "a"#,
            r#"1.5 [0 lua] "a\"#,
            r#"1.5 [0 lua] "a\""#,
            r#"1.5 [0 lua] "a" "#,
            r#"1.5 [0 lua] "a"b"#,
            r#"1.5 [x lua] "a""#,
            r#"01.5 [0 lua] "a""#,
            r#"1e5 [0 lua] "a""#,
        ] {
            assert_eq!(MonitorLine::parse(line.as_bytes(), &mut ArgPlaces::default()), None, "{line}");
        }
        assert_eq!(MonitorLine::parse(b"1.5 [0 lua] \"\xff\"", &mut ArgPlaces::default()), None, "not UTF-8");
    }
}

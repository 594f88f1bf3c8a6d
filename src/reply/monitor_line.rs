//! A line of MONITOR, taken apart exactly (contract section 9). A pure function: no connection, no output.
//!
//! Servers write `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`, every argument quoted and in ASCII, so its bytes
//! can be recovered. The dictionary is redis-py's, without its mistake: an argument that ends in a backslash stays whole.

use std::borrow::Cow;

/// Who sent a monitored command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientType {
    /// A TCP client: its address and port.
    Tcp,
    /// A client of the unix socket: the path stands in place of the port.
    Unix,
    /// A script.
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

/// One monitored command. Text that needs no decoding is borrowed from the line.
#[derive(Debug, PartialEq, Eq)]
pub struct MonitorLine<'a> {
    /// Seconds since 1970 with six decimals, as the server wrote them.
    pub time: &'a str,
    /// The database.
    pub db: u64,
    /// The client's address; `unix` or `lua` for those.
    pub address: &'a str,
    /// The client's port; the path of the socket for a unix client.
    pub port: &'a str,
    /// What kind of client it was.
    pub client: ClientType,
    /// The arguments as the server quoted them, between their quotes.
    quoted: Vec<&'a str>,
    /// Whether anything in the line is escaped; most lines hold nothing that is.
    has_escapes: bool,
}

impl<'a> MonitorLine<'a> {
    /// Takes a line apart; none if it is no line of MONITOR.
    pub fn parse(line: &'a str) -> Option<Self> {
        let (time, rest) = split_at(line, b' ')?;
        let rest = rest.strip_prefix('[')?;
        let (seconds, decimals) = split_at(time, b'.')?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(seconds) || !is_number(decimals) || seconds.len() > 1 && seconds.starts_with('0') {
            return None;
        }
        let (db, rest) = split_at(rest, b' ')?;
        let (client, quoted) = split_client(rest)?;
        let (client, address, port) = describe_client(client);
        let has_escapes = memchr::memchr(b'\\', line.as_bytes()).is_some();
        Some(Self { time, db: db.parse().ok()?, address, port, client, quoted, has_escapes })
    }

    /// The command's name as bytes, in the case in which it was sent.
    pub fn name(&self) -> Cow<'a, [u8]> {
        self.quoted.first().map_or(Cow::Borrowed(&[]), |quoted| unescape(quoted))
    }

    /// The exact bytes of every argument, the name first.
    pub fn args(&self) -> impl ExactSizeIterator<Item = Cow<'a, [u8]>> {
        self.quoted.iter().map(
            |quoted| {
                if self.has_escapes { unescape(quoted) } else { Cow::Borrowed(quoted.as_bytes()) }
            },
        )
    }

    /// redis-py's `command`: the arguments as the server escaped them, joined by spaces, only the quotes bare.
    pub fn command(&self) -> String {
        let mut command = String::with_capacity(self.quoted.iter().map(|quoted| quoted.len() + 1).sum());
        for (index, quoted) in self.quoted.iter().enumerate() {
            if index > 0 {
                command.push(' ');
            }
            if !self.has_escapes {
                command.push_str(quoted);
                continue;
            }
            let mut rest = *quoted;
            while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
                command.push_str(&rest[..at]);
                let mut escaped = rest[at + 1..].chars();
                match escaped.next() {
                    Some('"') => command.push('"'),
                    other => {
                        command.push('\\');
                        command.extend(other);
                    }
                }
                rest = escaped.as_str();
            }
            command.push_str(rest);
        }
        command
    }
}

/// The client and the quoted arguments of `CLIENT] "arg" "arg"`. The path of a unix socket may hold anything, so the
/// client ends at the first place after which nothing but arguments follows.
fn split_client(text: &str) -> Option<(&str, Vec<&str>)> {
    /// No path holds more of them; a line that is none is given up early.
    const TRIES: usize = 64;
    let is_end = |end: &usize| text[*end..].starts_with("] \"");
    let mut ends = memchr::memchr_iter(b']', text.as_bytes()).filter(is_end).take(TRIES);
    ends.find_map(|end| Some((&text[..end], split_args(&text[end + 2..])?)))
}

const USUAL_ARGS: usize = 8;

/// The two parts around the first of these ASCII bytes.
fn split_at(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(byte, text.as_bytes())?;
    Some((&text[..at], &text[at + 1..]))
}

/// The insides of `"arg" "arg"`; none if the text is anything else.
fn split_args(mut text: &str) -> Option<Vec<&str>> {
    let mut args = Vec::with_capacity(USUAL_ARGS);
    loop {
        let inside = text.strip_prefix('"')?;
        let end = find_quote(inside.as_bytes())?;
        args.push(&inside[..end]);
        text = &inside[end + 1..];
        if text.is_empty() {
            return Some(args);
        }
        text = text.strip_prefix(' ')?;
    }
}

/// Where the argument's closing quote stands: the first that no backslash escapes.
fn find_quote(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &bytes[at..])?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
        if at > bytes.len() {
            return None;
        }
    }
}

/// Type, address and port, as redis-py tells them.
fn describe_client(client: &str) -> (ClientType, &str, &str) {
    if client == "lua" {
        return (ClientType::Lua, "lua", "");
    }
    if let Some(path) = client.strip_prefix("unix") {
        return (ClientType::Unix, "unix", path.strip_prefix(':').unwrap_or(path));
    }
    // From the right: IPv6 addresses hold colons.
    match memchr::memrchr(b':', client.as_bytes()) {
        Some(colon) => (ClientType::Tcp, &client[..colon], &client[colon + 1..]),
        None => (ClientType::Unknown, client, ""),
    }
}

/// The bytes that the server escaped.
fn unescape(quoted: &str) -> Cow<'_, [u8]> {
    let bytes = quoted.as_bytes();
    let Some(first) = memchr::memchr(b'\\', bytes) else { return Cow::Borrowed(bytes) };
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(&bytes[..first]);
    let mut rest = &bytes[first..];
    while let [b'\\', escaped, after @ ..] = rest {
        rest = after;
        match (escaped, after) {
            (b'n', _) => out.push(b'\n'),
            (b'r', _) => out.push(b'\r'),
            (b't', _) => out.push(b'\t'),
            (b'a', _) => out.push(0x07),
            (b'b', _) => out.push(0x08),
            (b'x', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            (other, _) => out.push(*other),
        }
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..plain]);
        rest = &rest[plain..];
    }
    Cow::Owned(out)
}

/// The value of a hexadecimal digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<Vec<u8>> {
        MonitorLine::parse(line).unwrap().args().map(Cow::into_owned).collect()
    }

    #[test]
    fn the_documented_line_gives_the_documented_dictionary() {
        let line = MonitorLine::parse(r#"1339518083.107412 [0 127.0.0.1:60866] "keys" "*""#).unwrap();
        assert_eq!((line.time, line.db), ("1339518083.107412", 0));
        assert_eq!((line.address, line.port, line.client), ("127.0.0.1", "60866", ClientType::Tcp));
        assert_eq!(line.command(), "keys *");
        assert_eq!(*line.name(), *b"keys");
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
            let line = MonitorLine::parse(&line).unwrap();
            assert_eq!((line.client, line.address, line.port), expected, "{client}");
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
    fn command_is_the_escaped_text_with_bare_quotes() {
        let line = r#"1.5 [0 lua] "SET" "a\\" "say \"hi\"" "\x00""#;
        assert_eq!(MonitorLine::parse(line).unwrap().command(), r#"SET a\\ say "hi" \x00"#);
        assert_eq!(MonitorLine::parse("1.5 [0 lua] \"\\\u{e9}\"").unwrap().command(), "\\\u{e9}");
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
            assert_eq!(MonitorLine::parse(line), None, "{line}");
        }
    }
}

//! A few lines of RESP2, so that a test can talk to a server without rcli.

use crate::server::DEADLINE;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A reply as the server sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A simple string.
    Status(String),
    /// An error, its whole text.
    Error(String),
    /// An integer.
    Integer(i64),
    /// A bulk string.
    Bulk(Vec<u8>),
    /// A nil bulk string or array.
    Nil,
    /// An array.
    Array(Vec<Reply>),
}

impl fmt::Display for Reply {
    /// The reply as short text: `v`, `7`, `nil`, `[a, b]`, `error: ERR …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(text) => f.write_str(text),
            Self::Error(text) => write!(f, "error: {text}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Bulk(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Self::Nil => f.write_str("nil"),
            Self::Array(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
        }
    }
}

/// A connection of the test's own, over the server's unix socket.
pub struct Client {
    reader: BufReader<UnixStream>,
}

impl Client {
    /// Connects; an error is the caller's to judge, the server may not be up yet.
    pub fn connect(socket: &Path) -> std::io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        Ok(Self { reader: BufReader::new(stream) })
    }

    /// Sends one command and reads its reply.
    pub fn call(&mut self, argv: &[&[u8]]) -> std::io::Result<Reply> {
        self.reader.get_mut().write_all(&pack(argv))?;
        self.read()
    }

    /// Reads one reply.
    fn read(&mut self) -> std::io::Result<Reply> {
        let mut line = Vec::new();
        if self.reader.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&line[1..]).trim_end().to_owned();
        Ok(match line[0] {
            b'+' => Reply::Status(text),
            b'-' => Reply::Error(text),
            b':' => Reply::Integer(text.parse().expect("an integer reply")),
            b'$' | b'*' if text == "-1" => Reply::Nil,
            b'$' => {
                let mut bytes = vec![0; text.parse::<usize>().expect("a length") + 2];
                self.reader.read_exact(&mut bytes)?;
                bytes.truncate(bytes.len() - 2);
                Reply::Bulk(bytes)
            }
            b'*' => {
                let count: usize = text.parse().expect("a length");
                Reply::Array((0..count).map(|_| self.read()).collect::<Result<_, _>>()?)
            }
            other => panic!("the server sent a reply of type {:?}", char::from(other)),
        })
    }
}

/// A command as RESP bytes.
pub fn pack<T: AsRef<[u8]>>(argv: &[T]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", argv.len()).into_bytes();
    for argument in argv {
        bytes.extend_from_slice(&bulk(argument));
    }
    bytes
}

/// A bulk string as RESP bytes.
pub fn bulk(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

//! The words that rcli understands itself, beside the server's commands.

use crate::command::request::Request;
use crate::config::Elsewhere;

/// A key to be shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Peek(pub Vec<u8>);

/// What rcli does itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Local {
    /// `exit`, `quit`.
    Leave,
    /// `help`, with what to explain.
    Help(Vec<String>),
    /// `clear`.
    Clear,
    /// `connect`.
    Connect(Elsewhere),
    /// `:set`: a name and a value; without a value it is shown, without a name all are.
    Set(Option<String>, Option<String>),
    /// `peek`, with the key.
    Peek(Peek),
    /// `source`, with the file.
    Source(String),
    /// `history`, with how many to show.
    History(Option<usize>),
    /// `jobs`.
    Jobs,
    /// `stop N`.
    Stop(usize),
    /// Such a word, used wrongly: how to use it.
    Misused(&'static str),
}

/// The words, and what follows each.
pub const WORDS: [(&str, &str); 11] = [
    (":set", "[NAME [VALUE]]"),
    ("clear", ""),
    ("connect", "HOST PORT | URL | PROFILE"),
    ("exit", ""),
    ("help", "[COMMAND | @group]"),
    ("history", "[COUNT]"),
    ("jobs", ""),
    ("quit", ""),
    ("peek", "KEY"),
    ("source", "FILE"),
    ("stop", "N"),
];

const CONNECT: &str = "connect HOST PORT, connect URL, or connect PROFILE";

/// Whether a line ends the conversation: at the prompt, and on standard input (contract section 5).
pub fn leaves(request: &Request) -> bool {
    request.len() == 1 && (request.is(0, "EXIT") || request.is(0, "QUIT"))
}

impl Local {
    /// What a line asks of rcli itself; none if it is for the server.
    pub fn of(request: &Request) -> Option<Self> {
        let name = String::from_utf8_lossy(request.arg(0)).to_ascii_lowercase();
        let words: Vec<String> = request.args().skip(1).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Some(match (name.as_str(), words.as_slice()) {
            // Whatever follows is ignored, as redis-cli does it.
            ("exit" | "quit", _) => Self::Leave,
            ("help" | "?", topic) => Self::Help(topic.iter().map(|&word| word.to_owned()).collect()),
            ("clear", []) => Self::Clear,
            ("connect", [url]) if url.contains("://") => Self::Connect(Elsewhere::Url((*url).to_owned())),
            ("connect", [host, port]) => match port.parse() {
                Ok(port) => Self::Connect(Elsewhere::Tcp((*host).to_owned(), port)),
                Err(_) => Self::Misused(CONNECT),
            },
            // As the prompt shows it.
            ("connect", [place])
                if let Some((host, Ok(port))) = place.rsplit_once(':').map(|(host, port)| (host, port.parse())) =>
            {
                Self::Connect(Elsewhere::Tcp(host.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
            }
            // What may be a URL with a password in it is not shown.
            ("connect", [name]) if !name.contains([':', '@', '/', '%']) => {
                Self::Connect(Elsewhere::Profile((*name).to_owned()))
            }
            ("connect", _) => Self::Misused(CONNECT),
            (":set", []) => Self::Set(None, None),
            // redis-cli's word.
            (":set", ["nohints"]) => Self::Set(Some("hints".to_owned()), Some("off".to_owned())),
            (":set", [name]) => Self::Set(Some((*name).to_owned()), None),
            (":set", [name, value @ ..]) => Self::Set(Some((*name).to_owned()), Some(value.join(" "))),
            ("history", []) => Self::History(None),
            ("history", [count]) => match count.parse() {
                Ok(count) => Self::History(Some(count)),
                Err(_) => Self::Misused("history [COUNT]"),
            },
            ("peek", [_]) => Self::Peek(Peek(request.arg(1).to_vec())),
            ("peek", _) => Self::Misused("peek KEY"),
            ("source", [path]) => Self::Source((*path).to_owned()),
            ("source", _) => Self::Misused("source FILE"),
            ("jobs", []) => Self::Jobs,
            ("stop", [number]) => match number.trim_start_matches('%').parse() {
                Ok(number) => Self::Stop(number),
                Err(_) => Self::Misused("stop N, with a number that jobs shows"),
            },
            ("stop", _) => Self::Misused("stop N, with a number that jobs shows"),
            _ => return None,
        })
    }
}

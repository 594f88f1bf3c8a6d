//! A line being typed as words: what the real parser makes of it, with the place of each word, and with what is
//! still open at its end. Completion, hints, colours and the history look at lines through this.

use std::ops::Range;

use crate::cli::prompt;
use crate::command::request::{Request, secrets};
use crate::command::restrictions;
use crate::input::{OPEN_QUOTE, parse, parse_line, spans};

/// One word of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// Where it stands, quotes included, in bytes.
    pub span: Range<usize>,
    /// What it says, unquoted.
    pub text: Vec<u8>,
}

impl Word {
    /// Whether it stands so in its line: a word that is quoted is longer.
    pub fn is_typed(&self, line: &str, text: &str) -> bool {
        line.get(self.span.clone()) == Some(text)
    }
}

/// The words of a line.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// In order; the last one may be incomplete.
    pub list: Vec<Word>,
    /// Where an open or bad quote stands.
    pub trouble: Option<usize>,
    /// Whether a space follows the last word, so that the next one begins.
    pub ends_in_space: bool,
}

impl Words {
    /// The words of a line that may not be complete.
    pub fn of(line: &str) -> Self {
        let bytes = line.as_bytes();
        let (spans, malformed) = spans(bytes);
        let list: Vec<Word> =
            spans.into_iter().map(|span| Word { text: unquote(&bytes[span.clone()]), span }).collect();
        let ends_in_space = malformed.is_none() && list.last().is_some_and(|word| word.span.end < bytes.len());
        Self { list, trouble: malformed.map(|malformed| malformed.at), ends_in_space }
    }

    /// What the words say.
    pub fn argv(&self) -> Vec<&[u8]> {
        self.list.iter().map(|word| word.text.as_slice()).collect()
    }

    /// The words before the one being typed.
    pub fn before(&self) -> &[Word] {
        match self.list.split_last() {
            Some((_, before)) if !self.ends_in_space => before,
            _ => &self.list,
        }
    }

    /// The word being typed; none where the next one is to begin.
    pub fn current(&self) -> Option<&Word> {
        self.list.last().filter(|_| !self.ends_in_space)
    }
}

/// What a word says; one whose quote is open, what it says so far.
fn unquote(word: &[u8]) -> Vec<u8> {
    let mut request = Request::default();
    let Err(malformed) = parse_line(word, &mut request) else { return request.arg(0).to_vec() };
    if malformed.reason == OPEN_QUOTE {
        let closed = [word, &word[malformed.at..=malformed.at]].concat();
        request.clear();
        if parse_line(&closed, &mut request).is_ok() {
            return request.arg(0).to_vec();
        }
    }
    word.to_vec()
}

/// Whether a line, complete or not, may hold a password, so that it is neither stored nor coloured.
pub fn holds_secret(line: &str) -> bool {
    let mut request = Request::default();
    match parse(line.as_bytes(), &mut request) {
        Ok(()) if !request.is_empty() => {
            let words: Vec<&[u8]> = request.args().collect();
            match words.as_slice() {
                [number, rest @ ..] if !rest.is_empty() && number.iter().all(u8::is_ascii_digit) => hold_secret(rest),
                words => hold_secret(words),
            }
        }
        // A comment, or a line that is not complete or not right.
        _ => secrets::shown_bad(line.as_bytes()).is_some(),
    }
}

/// Whether words may hold a password: those of a command of the server, or of a subcommand, where an option may.
fn hold_secret(words: &[&[u8]]) -> bool {
    let is_command = |words: &[&[u8]]| restrictions::holds_secret(&Request::new(words.iter().copied()));
    let [verb, words @ ..] = words else { return false };
    if !prompt::is_verb(verb) {
        return is_command(&[&[*verb], words].concat());
    }
    let is_option = |at: usize| words.get(at).is_some_and(|word| word.starts_with(b"-"));
    // Behind `exec` a command begins where no option stands, or the value of one.
    let may_begin = |at: &usize| *at == 0 || is_option(*at - 1) || *at > 1 && is_option(*at - 2);
    let own = if *verb == b"exec" { (0..words.len()).take_while(may_begin).count() } else { words.len() };
    let is_secret = |word: &&[u8]| {
        word.starts_with(b"--url") || word.starts_with(b"--pass") || word.starts_with(b"-a") || word.starts_with(b"-u")
    };
    words[..own].iter().any(is_secret) || *verb == b"exec" && (0..own).any(|at| is_command(&words[at..]))
}

/// The commands of a text, each with the number of the line it begins in: each line is one, but for a line whose quote is
/// open, which goes on in the next.
pub fn numbered(text: &str) -> Vec<(usize, String)> {
    let mut commands: Vec<(usize, String)> = Vec::new();
    let mut open = None;
    for (line, number) in text.lines().zip(1..) {
        match commands.last_mut().filter(|_| open.is_some()) {
            Some((_, command)) => {
                command.push('\n');
                command.push_str(line);
            }
            None => commands.push((number, line.to_owned())),
        }
        open = open_quote(open, line);
    }
    commands.retain(|(_, command)| !command.trim().is_empty());
    commands
}

/// The quote that the end of a line stands inside of. `before` is the one that the line begins inside of: what stands
/// above it need not be read again.
pub fn open_quote(before: Option<char>, line: &str) -> Option<char> {
    let inside = before.map(|quote| format!("{quote}{line}"));
    let text = inside.as_deref().unwrap_or(line);
    match parse(text.as_bytes(), &mut Request::default()) {
        Err(malformed) if malformed.reason == OPEN_QUOTE => text[malformed.at..].chars().next(),
        _ => None,
    }
}

/// The number that says how often a command is to be run (redis-cli's `5 INCR x`), and what is behind it.
pub fn split_count(line: &str) -> Option<(&str, &str)> {
    let (number, behind) = line.trim_start().split_once(char::is_whitespace)?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some((number, behind))
}

/// The command behind such a number; the line itself where there is none.
pub fn after_count(line: &str) -> &str {
    split_count(line).map(|(_, command)| command).filter(|command| !command.trim().is_empty()).unwrap_or(line)
}

/// Whether a word begins so, in any case.
pub fn begins_with(word: &[u8], beginning: &[u8]) -> bool {
    word.get(..beginning.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(text: &str) -> Vec<String> {
        numbered(text).into_iter().map(|(_, command)| command).collect()
    }

    #[test]
    fn words_have_places_and_say_what_they_mean() {
        let words = Words::of("SET \"a b\" x");
        assert_eq!(words.argv(), [b"SET".as_slice(), b"a b", b"x"]);
        assert_eq!(words.list[1].span, 4..9);
        assert!(!words.ends_in_space && words.trouble.is_none());
        assert!(Words::of("GET ").ends_in_space);
    }

    #[test]
    fn an_open_quote_is_a_word_so_far() {
        let words = Words::of("SET k \"a b");
        assert_eq!(words.argv(), [b"SET".as_slice(), b"k", b"a b"]);
        assert_eq!((words.trouble, words.ends_in_space), (Some(6), false));
    }

    #[test]
    fn lines_are_commands_but_open_quotes_go_on() {
        assert_eq!(commands("SET a 1\n\n  \nGET a\n"), ["SET a 1", "GET a"]);
        assert_eq!(commands("SET a \"x\ny\"\nGET a"), ["SET a \"x\ny\"", "GET a"]);
        assert_eq!(commands("SET a 'x\\\ny'\n\"z\\\"\n'\n\" PING"), ["SET a 'x\\\ny'", "\"z\\\"\n'\n\" PING"]);
        assert_eq!(commands("# it's\n[\"a\nSET a \"x\n\"y\nPING"), ["# it's", "[\"a", "SET a \"x\n\"y", "PING"]);
        assert_eq!(open_quote(None, "SET a 'x"), Some('\''));
        assert_eq!(open_quote(None, "SET a 'x'"), None);
        assert_eq!(open_quote(Some('"'), "x\" 'y"), Some('\''));
    }

    #[test]
    fn a_text_of_many_lines_inside_a_quote_is_read_once() {
        // To read again what stands above each line would be to read a terabyte.
        let text = format!("SET k \"{}", "one line of what was pasted\n".repeat(300_000));
        let (done, finished) = std::sync::mpsc::channel();
        std::thread::spawn(move || done.send(numbered(&text).len()));
        assert_eq!(finished.recv_timeout(std::time::Duration::from_mins(1)), Ok(1));
    }

    #[test]
    fn secrets_are_known_in_any_spelling() {
        for line in [
            "auth pw",
            "AUTH user pw",
            "\"AUTH\" pw",
            "auth \"pw",
            "auth \"p\"w",
            "HELLO 3 AUTH u p",
            "connect redis://u:p@host",
            "[\"AUTH\",\"pw\"]",
            "[\"AUTH\",\"pw\"",
            "CONFIG SET \"requirepass\"x pw",
            "[\"CONFIG\",\"SET\",\"requirepass\",\"x",
            "# AUTH pw",
            "5 AUTH pw",
            "5 AUTH \"pw",
            "exec AUTH pw",
            "exec AUTH \"pw",
            "exec --json -d x AUTH pw",
            "2 exec auth pw",
            "ls -a pw",
            "sub news -u redis://:pw@host",
            "stat --pass=pw",
            "txn --pass pw f",
        ] {
            assert!(holds_secret(line), "{line}");
        }
        for line in [
            "GET auth",
            "AUTH",
            "SET k \"v",
            "help AUTH",
            "ACL GETUSER bob",
            "# a note",
            "connect h 6380",
            "5",
            "5 GET auth",
            "exec GET -a",
            "exec SET k auth v",
            "ls -l http://x",
            "sub auth",
        ] {
            assert!(!holds_secret(line), "{line}");
        }
    }
}

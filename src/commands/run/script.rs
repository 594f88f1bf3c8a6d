//! A file with a script or a library: what it is, and which of its lines an error means.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::Path;

use crate::command::request::Request;
use crate::exit::{Failure, Outcome};
use crate::input::Source;
use crate::net::poll;

/// No server takes more in one argument.
const LONGEST: usize = 512 * 1024 * 1024;
/// A mark that editors write, and Lua does not read.
const MARK: &[u8] = b"\xef\xbb\xbf";

pub struct Script {
    /// The file, as messages name it.
    pub name: String,
    pub code: Vec<u8>,
    /// What the library is called; none for a script.
    pub library: Option<String>,
}

impl Script {
    /// Reads a file; `-` is standard input. An error is status 2.
    pub fn read(file: &OsStr) -> Outcome<Self> {
        let source = Source::open(Path::new(file))?;
        let name = source.name().to_owned();
        let code = source.read_whole(LONGEST, |source| Ok(poll::wait_readable(source)?))?;
        if code.len() > LONGEST {
            return Err(Failure::usage(format!("{name}: more than 512 MB, which no server takes")));
        }
        let code = code.strip_prefix(MARK).map_or(code.clone(), <[u8]>::to_vec);
        let library = library_of(&code);
        Ok(Self { name, code, library })
    }

    /// What EVALSHA knows it by.
    pub fn hash(&self) -> String {
        sha1_smol::Sha1::from(&self.code).digest().to_string()
    }

    /// FUNCTION LOAD.
    pub fn load(&self) -> Request {
        Request::new([&b"FUNCTION"[..], b"LOAD", b"REPLACE", &self.code])
    }

    /// A server's error with FILE:LINE in place of what the server calls the script.
    pub fn describe(&self, error: &str) -> String {
        let (text, mut line) = split_tail(error);
        let mut told = String::new();
        let mut rest = text;
        while let Some((before, number, behind)) = split_at_place(rest) {
            told.push_str(before);
            // A place that is said already is not said twice.
            if *line.get_or_insert(number) == number {
                rest = behind.strip_prefix(": ").unwrap_or(behind);
            } else {
                let _ = write!(told, "{}:{number}", self.name);
                rest = behind;
            }
        }
        told.push_str(rest);
        match line {
            Some(line) => format!("{}:{line}: {told}", self.name),
            None => format!("{}: {told}", self.name),
        }
    }
}

/// The name in the first line, `#!lua name=NAME`.
fn library_of(code: &[u8]) -> Option<String> {
    let line = code.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    line.split_ascii_whitespace().skip(1).find_map(|word| word.strip_prefix("name=")).map(str::to_owned)
}

/// The words before ` script: NAME, on @user_script:3.`, and the line that is told there. Valkey has no name.
fn split_tail(text: &str) -> (&str, Option<&str>) {
    let told = text.rfind(" script: ").and_then(|at| {
        let (_, number, behind) = split_at_place(&text[at..])?;
        (behind == ".").then_some((&text[..at], Some(number)))
    });
    told.unwrap_or((text, None))
}

/// What stands before the first place, its line, and what stands behind it.
fn split_at_place(text: &str) -> Option<(&str, &str, &str)> {
    ["user_script:", "user_function:"]
        .iter()
        .filter_map(|name| split_at_name(text, name))
        .min_by_key(|(at, ..)| at.len())
}

fn split_at_name<'t>(text: &'t str, name: &str) -> Option<(&'t str, &'t str, &'t str)> {
    text.match_indices(name).find_map(|(at, _)| {
        let behind = text[at + name.len()..].trim_start_matches(' ');
        let length = behind.bytes().take_while(u8::is_ascii_digit).count();
        let before = text[..at].strip_suffix('@').unwrap_or(&text[..at]);
        (length > 0).then(|| (before, &behind[..length], &behind[length..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_line_in_the_file_once() {
        let script = Script { name: "x.lua".to_owned(), code: Vec::new(), library: None };
        for (error, told) in [
            ("ERR boo", "x.lua: ERR boo"),
            ("ERR user_script:2: attempt to index script: 1b74d1, on @user_script:2.", "x.lua:2: ERR attempt to index"),
            ("WRONGTYPE Operation script: on @user_script:12.", "x.lua:12: WRONGTYPE Operation"),
            (
                "ERR Error compiling script (new function): user_script:3: unexpected symbol",
                "x.lua:3: ERR Error compiling script (new function): unexpected symbol",
            ),
            ("ERR user_function:7: no script: g, on @user_function:9.", "x.lua:9: ERR x.lua:7: no"),
            (
                "ERR Error running script (call to f_1b): @user_script:4: @user_script: 4: Wrong number",
                "x.lua:4: ERR Error running script (call to f_1b): Wrong number",
            ),
            ("ERR a script: of mine", "x.lua: ERR a script: of mine"),
            ("ERR user_script:x", "x.lua: ERR user_script:x"),
        ] {
            assert_eq!(script.describe(error), told);
        }
    }

    #[test]
    fn a_library_says_its_name_in_the_first_line() {
        for (code, name) in [
            ("#!lua name=lib\nreturn", Some("lib")),
            ("#!lua  flags=x name=lib", Some("lib")),
            ("#!lua flags=no-writes\nlocal name=1", None),
            ("return 1 -- name=x", None),
            ("#!name=x", None),
            ("", None),
        ] {
            assert_eq!(library_of(code.as_bytes()).as_deref(), name, "{code}");
        }
    }
}

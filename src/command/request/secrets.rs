//! How a command that may hold a password is shown (contract sections 1 and 10): its arguments are in no message, no
//! history and no colour, also where a line cannot be parsed. Which commands these are is in `command::restrictions`.

use super::{Request, shown_arg};
use crate::command::restrictions::{holder_of_secrets, holds_secret, holds_url};

/// What may be shown of a line, or of a command's first word, that cannot be parsed and begins like a command that may
/// hold a password. In such a line nothing stands for certain where it seems to, so that the name alone decides.
pub fn shown_bad(line: &[u8]) -> Option<String> {
    // Quotes, brackets, blanks, and a number that repeats the command.
    let start = line.iter().position(|byte| byte.is_ascii_alphabetic() || *byte == b'\\')?;
    let name = &line[start..];
    if let Some(behind) = name.strip_prefix(b"exec ") {
        return shown_bad(behind);
    }
    let word = &name[..name.iter().position(u8::is_ascii_whitespace).unwrap_or(name.len())];
    if holds_url(word) {
        return Some(without_arguments(word));
    }
    let length = name.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.').unwrap_or(name.len());
    let (name, rest) = name.split_at(length);
    // `"\x41UTH"`, `["\u0041UTH"`, `[{"base64":"QVVUSA=="}`
    if rest.starts_with(b"\\") || name.eq_ignore_ascii_case(b"base64") {
        return Some("a command with an escaped name (not shown)".to_owned());
    }
    holder_of_secrets(name).map(|name| without_arguments(name.as_bytes()))
}

/// A command that may hold a password, as it may be shown.
pub(super) fn without_arguments(name: &[u8]) -> String {
    if holds_url(name) {
        return "a URL (not shown)".to_owned();
    }
    format!("{} (arguments not shown)", shown_arg(name))
}

/// What a server said of a command, without the arguments that it quotes of one that may hold a password.
pub fn without_quoted(request: &Request, said: String) -> String {
    if !holds_secret(request) {
        return said;
    }
    request.args().skip(1).fold(said, |said, arg| {
        let quoted = format!("'{}'", String::from_utf8_lossy(arg));
        if said.contains(&quoted) { said.replace(&quoted, "(not shown)") } else { said }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_of_such_a_command_shows_its_name_only() {
        for line in [
            "AUTH bob s3cr\"et",
            "auth\"s3cr\"et",
            "'auth s3cret",
            "[\"AUTH\",\"s3cret",
            "[ \"AUTH, s3cret\"]",
            "{\"AUTH\":\"s3cret\"}",
            "3 AUTH \"s3cret",
            "exec AUTH \"s3cret",
            "3 exec  auth \"s3cret",
        ] {
            assert_eq!(shown_bad(line.as_bytes()).as_deref(), Some("AUTH (arguments not shown)"), "{line}");
        }
        for line in
            ["\"\\x41UTH\" s3cr\"et", "\"A\\x55TH\" s3cr\"et", "[\"\\u0041UTH\",\"s3", "[{\"base64\":\"QVVUSA==\"},"]
        {
            assert!(shown_bad(line.as_bytes()).is_some_and(|shown| !shown.contains("s3")), "{line}");
        }
        for line in
            ["CONFIG SET \"requirepass\"x s3cret", "acl setuser z on \">s3cret", "Sentinel set m auth-pass \"s3"]
        {
            assert!(shown_bad(line.as_bytes()).is_some_and(|shown| !shown.contains("s3")), "{line}");
        }
        assert_eq!(shown_bad(b"redis+sentinel://u:s3\"@h\" x").as_deref(), Some("a URL (not shown)"));
        for line in ["SET k \"v", "[\"GET\",", "", "\"\"\"", "AUTHOR \"x"] {
            assert_eq!(shown_bad(line.as_bytes()), None, "{line}");
        }
    }
}

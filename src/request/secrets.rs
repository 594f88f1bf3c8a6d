//! Which commands hold secrets: the one list of them (contract sections 1 and 10). Their arguments are in no message,
//! no history and no colour, also where a line of theirs cannot be parsed.

use super::{Request, shown_arg};

/// A command whose arguments may hold a password.
struct Holder {
    name: &'static str,
    /// The subcommand that is meant; none for the whole command.
    subcommand: Option<&'static str>,
    /// What one argument behind these must be like for there to be a secret.
    is_mark: fn(&[u8]) -> bool,
}

/// A secret behind one of some words of this command.
const fn behind(name: &'static str, subcommand: Option<&'static str>, is_mark: fn(&[u8]) -> bool) -> Holder {
    Holder { name, subcommand, is_mark }
}

const HOLDERS: [Holder; 9] = [
    behind("AUTH", None, |_| true),
    behind("HELLO", None, |arg| is_any(arg, &["AUTH"])),
    behind("MIGRATE", None, |arg| is_any(arg, &["AUTH", "AUTH2"])),
    behind("ACL", Some("SETUSER"), |_| true),
    behind("CONFIG", Some("SET"), is_secret_parameter),
    behind("FT.CONFIG", Some("SET"), is_secret_parameter),
    behind("SENTINEL", Some("SET"), |arg| is_any(arg, &["auth-pass", "auth-user"])),
    behind("SENTINEL", Some("CONFIG"), |arg| is_any(arg, &["sentinel-pass", "sentinel-user"])),
    // The REPL's own, with a URL.
    behind("CONNECT", None, |arg| arg.contains(&b'@') || contains(arg, b"pass=")),
];

fn is_any(arg: &[u8], words: &[&str]) -> bool {
    words.iter().any(|word| arg.eq_ignore_ascii_case(word.as_bytes()))
}

/// The parameters whose values servers keep out of their logs; passwords of modules have it in their names.
fn is_secret_parameter(arg: &[u8]) -> bool {
    is_any(arg, &["masterauth", "masteruser", "primaryauth", "primaryuser"]) || contains(arg, b"pass")
}

fn contains(arg: &[u8], word: &[u8]) -> bool {
    arg.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

impl Request {
    /// Whether the arguments may hold a password.
    pub fn holds_secret(&self) -> bool {
        // A URL in place of a command.
        contains(self.arg(0), b"://")
            || HOLDERS.iter().any(|holder| {
                let words = 1 + usize::from(holder.subcommand.is_some());
                self.is(0, holder.name)
                    && holder.subcommand.is_none_or(|subcommand| self.is(1, subcommand))
                    && self.args().skip(words).any(holder.is_mark)
            })
    }
}

/// What may be shown of a line, or of a command's first word, that cannot be parsed and begins like a command that may
/// hold a password. In such a line nothing stands for certain where it seems to, so that the name alone decides.
pub fn shown_bad(line: &[u8]) -> Option<String> {
    // Quotes, brackets, blanks, and a number that repeats the command.
    let start = line.iter().position(|byte| byte.is_ascii_alphabetic() || *byte == b'\\')?;
    let name = &line[start..];
    let word = &name[..name.iter().position(u8::is_ascii_whitespace).unwrap_or(name.len())];
    if contains(word, b"://") {
        return Some(without_arguments(word));
    }
    let length = name.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.').unwrap_or(name.len());
    let (name, rest) = name.split_at(length);
    // `"\x41UTH"`, `["\u0041UTH"`, `[{"base64":"QVVUSA=="}`
    if rest.starts_with(b"\\") || name.eq_ignore_ascii_case(b"base64") {
        return Some("a command with an escaped name (not shown)".to_owned());
    }
    let holder = HOLDERS.iter().find(|holder| name.eq_ignore_ascii_case(holder.name.as_bytes()))?;
    Some(without_arguments(holder.name.as_bytes()))
}

/// A command that may hold a password, as it may be shown.
pub(super) fn without_arguments(name: &[u8]) -> String {
    if contains(name, b"://") {
        return "a URL (not shown)".to_owned();
    }
    format!("{} (arguments not shown)", shown_arg(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_with_a_secret_is_known() {
        for words in [
            "auth pw",
            "AUTH user pw",
            "HELLO 3 AUTH u p",
            "acl setuser bob on >pw",
            "config set requirepass pw",
            "CONFIG SET maxmemory 0 masterauth pw",
            "CONFIG SET primaryuser u",
            "config set tls-key-file-pass pw port 1",
            "FT.CONFIG SET OSS_GLOBAL_PASSWORD pw",
            "MIGRATE h 1 k 0 9 AUTH pw",
            "migrate h 1 k 0 9 auth2 u pw",
            "sentinel set m down-after-milliseconds 1 auth-pass pw",
            "SENTINEL CONFIG SET sentinel-pass pw",
            "connect redis://u:p@host",
            "connect unix:///s?pass=pw",
            "redis://u:pw@h",
        ] {
            assert!(Request::new(words.split(' ')).holds_secret(), "{words}");
        }
        for words in [
            "GET auth",
            "AUTH",
            "SET k v",
            "HELLO 3",
            "ACL GETUSER bob",
            "CONFIG GET requirepass",
            "CONFIG SET save 60",
            "SENTINEL MASTERS",
            "connect localhost 6380",
        ] {
            assert!(!Request::new(words.split(' ')).holds_secret(), "{words}");
        }
    }

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

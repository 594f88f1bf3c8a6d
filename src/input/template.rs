//! The command that each row of a table becomes (contract section 6, `--from-csv`): a line in section 3's quoting whose
//! `{name}` or `{1}` stand for columns, inside of an argument too; `{{` and `}}` are braces. And the one that each key
//! becomes (section 16, `ls --as`), which `{}` stands for.

use super::text::Malformed;
use super::{describe_bad, parse};
use crate::command::request::Request;
use crate::exit::{Failure, Outcome};
use crate::text::{Escape, printable_bytes};

/// A template as it is written.
#[derive(Debug, PartialEq, Eq)]
pub struct Template(Vec<Vec<Piece<Vec<u8>>>>);

/// A part of an argument: text, or what stands for a column.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece<C> {
    Text(Vec<u8>),
    Column(C),
}

impl Template {
    /// Reads a template; `option` is where it comes from.
    pub fn read(text: &[u8], option: &str) -> Outcome<Self> {
        let column = |name: &[u8]| {
            if name.is_empty() || name.contains(&b'{') {
                return Err("a column stands between { and }; {{ and }} are braces by themselves");
            }
            Ok(name.to_vec())
        };
        read_args(text, option, column).map(Self)
    }

    /// The template over a table with these columns. The error says which of its columns there is not, or twice.
    pub fn bind(&self, header: &[&[u8]]) -> Result<Bound, String> {
        let columns = header.len();
        let find = |name: &[u8]| {
            let shown = || printable_bytes(name, Escape::Line).into_owned();
            let mut places = header.iter().enumerate().filter(|(_, column)| **column == name).map(|(place, _)| place);
            match (places.next(), places.next()) {
                (Some(place), None) => return Ok(place),
                (Some(_), Some(_)) => return Err(format!("two columns are called '{}'", shown())),
                (None, _) => {}
            }
            let number = std::str::from_utf8(name).ok().and_then(|name| name.parse::<usize>().ok());
            match number {
                Some(number) if (1..=columns).contains(&number) => Ok(number - 1),
                Some(_) => Err(format!("no column {}: there are {columns}", shown())),
                None => Err(format!("no column '{}'{}", shown(), describe_columns(header))),
            }
        };
        let bind = |piece: &Piece<Vec<u8>>| match piece {
            Piece::Text(text) => Ok(Piece::Text(text.clone())),
            Piece::Column(name) => find(name).map(Piece::Column),
        };
        let args = self.0.iter().map(|arg| arg.iter().map(bind).collect());
        Ok(Bound { args: args.collect::<Result<_, String>>()?, columns })
    }
}

/// The names of the columns, to stand behind one that there is not.
fn describe_columns(header: &[&[u8]]) -> String {
    const SHOWN: usize = 200;
    let names: Vec<_> = header.iter().map(|name| printable_bytes(name, Escape::Line)).collect();
    let names = names.join(", ");
    let short: String = names.chars().take(SHOWN).collect();
    let more = if short.len() < names.len() { "..." } else { "" };
    format!("; the header has {short}{more}")
}

/// Reads the arguments of a template; `column` tells what stands between braces.
fn read_args<C>(
    text: &[u8],
    option: &str,
    column: impl Fn(&[u8]) -> Result<C, &'static str>,
) -> Outcome<Vec<Vec<Piece<C>>>> {
    let mut request = Request::default();
    let read = parse(text, &mut request).and_then(|()| {
        if request.is_empty() {
            return Err(Malformed::new("the template is no command", 0));
        }
        // The caret stands at the beginning where it cannot be told where the argument does.
        let place = |arg| memchr::memmem::find(text, arg).unwrap_or(0);
        let read = |arg| pieces(arg, &column).map_err(|reason| Malformed::new(reason, place(arg)));
        request.args().map(read).collect()
    });
    read.map_err(|malformed| {
        let (reason, pointer) = describe_bad(request.arg(0), text, &malformed);
        Failure::usage(format!("{option}: {reason}")).pointing(pointer)
    })
}

/// Takes an argument apart. The error says what is wrong with its braces.
fn pieces<C>(arg: &[u8], column: impl Fn(&[u8]) -> Result<C, &'static str>) -> Result<Vec<Piece<C>>, &'static str> {
    let (mut pieces, mut text, mut rest) = (Vec::new(), Vec::new(), arg);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after.first()) {
            (b'{', Some(b'{')) | (b'}', Some(b'}')) => {
                text.push(*byte);
                rest = &after[1..];
            }
            (b'{', _) => {
                let Some(end) = memchr::memchr(b'}', after) else {
                    return Err("a { is not closed; {{ is a brace by itself");
                };
                let column = column(&after[..end])?;
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(Piece::Column(column));
                rest = &after[end + 1..];
            }
            (b'}', _) => return Err("a } closes nothing; }} is a brace by itself"),
            _ => text.push(*byte),
        }
    }
    if !text.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// A template whose columns are known by their places.
#[derive(Clone, Debug)]
pub struct Bound {
    args: Vec<Vec<Piece<usize>>>,
    /// How many cells a row has.
    pub columns: usize,
}

impl Bound {
    /// Reads a template whose one column is `{}`, which it must have.
    pub fn of_key(text: &[u8], option: &str) -> Outcome<Self> {
        let column =
            |name: &[u8]| if name.is_empty() { Ok(0) } else { Err("only {} stands for something; {{ is a brace") };
        let args = read_args(text, option, column)?;
        if !args.iter().flatten().any(|piece| matches!(piece, Piece::Column(_))) {
            return Err(Failure::usage(format!("{option}: there is no {{}} in it, which stands for the key")));
        }
        Ok(Self { args, columns: 1 })
    }

    /// Fills in a row: `cell` gives a cell by its place.
    pub fn fill<'a>(&self, cell: impl Fn(usize) -> &'a [u8], request: &mut Request) {
        for arg in &self.args {
            match arg.as_slice() {
                [Piece::Text(text)] => request.push(text),
                [Piece::Column(place)] => request.push(cell(*place)),
                pieces => {
                    for piece in pieces {
                        match piece {
                            Piece::Text(text) => request.extend(text),
                            Piece::Column(place) => request.extend(cell(*place)),
                        }
                    }
                    request.end_arg();
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panicking")]
mod tests {
    use super::*;

    const CELLS: [&[u8]; 3] = [b"7", b"A \"b\" {1}", b""];

    fn filled(template: &str) -> Result<Vec<String>, String> {
        let template = Template::read(template.as_bytes(), "--from-csv").map_err(Failure::into_message)?;
        let header: [&[u8]; 3] = [b"id", b"name", b"x y"];
        let bound = template.bind(&header)?;
        let mut request = Request::default();
        bound.fill(|place| CELLS[place], &mut request);
        Ok(request.args().map(|arg| String::from_utf8(arg.to_vec()).unwrap()).collect())
    }

    #[test]
    fn columns_stand_in_arguments_and_a_cell_is_never_read_again() {
        for (template, args) in [
            ("SET user:{id} {name}", &["SET", "user:7", "A \"b\" {1}"][..]),
            ("SET {{user}}:{1} {2}{2}", &["SET", "{user}:7", "A \"b\" {1}A \"b\" {1}"]),
            ("HSET 'k {id}' \"{x y}\" v", &["HSET", "k 7", "", "v"]),
            (r#"["SET","{id}","{{"]"#, &["SET", "7", "{"]),
            ("ECHO ''", &["ECHO", ""]),
        ] {
            assert_eq!(filled(template).unwrap(), args, "{template}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (template, reason) in [
            ("", "no command"),
            ("# x", "no command"),
            ("SET {id", "not closed"),
            ("SET id}", "closes nothing"),
            ("SET {}", "between { and }"),
            ("SET 'x", "--from-csv"),
            ("SET {nam}", "no column 'nam'; the header has id, name, x y"),
            ("SET {4}", "no column 4: there are 3"),
            ("SET {0}", "no column 0"),
        ] {
            let told = filled(template).unwrap_err();
            assert!(told.contains(reason), "{template}: {told}");
        }
        let doubled = Template::read(b"ECHO {a}", "--from-csv").unwrap_or(Template(Vec::new()));
        let header: [&[u8]; 2] = [b"a", b"a"];
        assert!(doubled.bind(&header).unwrap_err().contains("two columns are called 'a'"));
    }

    #[test]
    fn a_key_stands_wherever_braces_are_and_is_never_split() {
        for (template, filled) in [
            ("UNLINK {}", &[&b"UNLINK"[..], b"a b"][..]),
            ("RENAME {} \"old {}\"", &[b"RENAME", b"a b", b"old a b"]),
            ("RENAME {} {{{}}}:{}", &[b"RENAME", b"a b", b"{a b}:a b"]),
            ("SET x:{}:y ''", &[b"SET", b"x:a b:y", b""]),
        ] {
            let mut request = Request::default();
            Bound::of_key(template.as_bytes(), "--as").unwrap().fill(|_| b"a b", &mut request);
            assert_eq!(request.args().collect::<Vec<_>>(), filled, "{template}");
        }
        for (template, reason) in [
            ("UNLINK", "--as: there is no {} in it"),
            ("", "--as: the template is no command"),
            ("UNLINK {key}", "{{ is a brace"),
            ("UNLINK {}}", "closes nothing"),
            ("UNLINK \"{}", "--as: "),
        ] {
            let message = Bound::of_key(template.as_bytes(), "--as").unwrap_err().into_message();
            assert!(message.contains(reason), "{template}: {message}");
        }
    }
}

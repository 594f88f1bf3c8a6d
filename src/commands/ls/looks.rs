//! What is asked about a key beside its name, in which order, and what the answers say. Nothing of connections.
//!
//! The commands that leave a key's age alone go before those that count as a use of it. Lengths need the type, so those
//! are asked in a second stage, when the types of the page are known.

use crate::cli::{Column, LsArgs, Measure};
use crate::command::request::{push_array_header, push_bulk};
use crate::render::Cell;
use crate::reply::{ErrorReply, Frame, Kind};
use crate::text;

/// One question about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// OBJECT IDLETIME.
    Idle,
    /// OBJECT FREQ.
    Freq,
    /// TYPE.
    Type,
    /// TTL.
    Ttl,
    /// OBJECT ENCODING.
    Encoding,
    /// MEMORY USAGE.
    Memory,
    /// STRLEN and its kind.
    Length,
    /// PEXPIRETIME.
    ExpireTime,
    /// DUMP.
    Dump,
}

/// In this order they are asked.
const LOOKS: usize = 9;
/// No server has more types and encodings, or longer names for them.
const WORDS: usize = 1000;
const LONGEST_WORD: usize = 200;

impl Look {
    /// The words before the key.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Idle => &["OBJECT", "IDLETIME"],
            Self::Freq => &["OBJECT", "FREQ"],
            Self::Type => &["TYPE"],
            Self::Ttl => &["TTL"],
            Self::Encoding => &["OBJECT", "ENCODING"],
            Self::Memory => &["MEMORY", "USAGE"],
            // It goes by the type.
            Self::Length => &["STRLEN, LLEN or the like"],
            Self::ExpireTime => &["PEXPIRETIME"],
            Self::Dump => &["DUMP"],
        }
    }

    /// The command without the key, for messages.
    pub fn name(self) -> String {
        self.words().join(" ")
    }

    fn of(column: Column) -> Self {
        told_in(column).1
    }
}

/// What a column is called, and the question whose answer it tells.
pub fn told_in(column: Column) -> (&'static str, Look) {
    match column {
        Column::Type => ("type", Look::Type),
        Column::Ttl => ("ttl", Look::Ttl),
        Column::Length => ("length", Look::Length),
        Column::Memory => ("memory", Look::Memory),
        Column::Encoding => ("encoding", Look::Encoding),
        Column::Idle => ("idle", Look::Idle),
        Column::Freq => ("freq", Look::Freq),
    }
}

/// What is known of a key: the answers by [`Look`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    known: [Option<Fact>; LOOKS],
    /// Whether the key was not there any more.
    pub is_gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    Number(i64),
    /// The number of a word that came before.
    Word(u16),
}

/// What an answer says.
#[derive(Debug)]
pub enum Told {
    /// The value, or that the server keeps none.
    Fact,
    /// The key is not there any more.
    Gone,
    /// The server refuses to tell: why.
    Refused(ErrorReply),
}

/// When a key expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    Never,
    /// At this time: milliseconds since 1970.
    At(i64),
    /// After so many milliseconds.
    In(i64),
}

/// The questions about every key.
#[derive(Debug, Default)]
pub struct Looks {
    /// What is asked first where the rest depends on it.
    first: Vec<Look>,
    last: Vec<Look>,
    /// The columns that are shown, in their order.
    pub columns: Vec<Column>,
    /// The type of all keys, where only such are given.
    key_type: Option<Vec<u8>>,
    samples: Option<Vec<u8>>,
    /// Whether servers before version 7 are asked for PTTL: they have no PEXPIRETIME.
    pub has_no_expire_time: bool,
    /// Whether the numbers that an eviction policy keeps, or does not, are what is asked for.
    needs_policy: bool,
    /// Words that came: types and encodings. There are few.
    words: Vec<Vec<u8>>,
}

impl Looks {
    /// The questions that these options need.
    pub fn new(args: &LsArgs, is_restore: bool) -> Self {
        let columns = match (args.top, args.long) {
            (Some(_), _) => vec![Column::Type, column_of(args.by.unwrap_or_default())],
            (None, true) => vec![Column::Type, Column::Ttl, Column::Length, Column::Memory],
            // One that is named twice is told once, where it is named first: an object has one of each name.
            (None, false) => {
                let named = args.with.iter().enumerate().filter(|(at, column)| !args.with[..*at].contains(column));
                named.map(|(_, column)| *column).collect()
            }
        };
        let key_type = args.key_type.as_ref().map(|name| name.as_encoded_bytes().to_ascii_lowercase());
        let mut last: Vec<Look> = columns.iter().map(|column| Look::of(*column)).collect();
        if is_restore {
            last = vec![Look::ExpireTime, Look::Dump];
        }
        let mut first = Vec::new();
        if last.contains(&Look::Length) && key_type.is_none() {
            first = last.iter().copied().filter(|look| matches!(look, Look::Idle | Look::Freq)).collect();
            first.push(Look::Type);
            last.retain(|look| !first.contains(look));
        }
        for stage in [&mut first, &mut last] {
            stage.sort_by_key(|look| *look as usize);
            stage.dedup();
        }
        let samples = args.samples.map(|count| count.to_string().into_bytes());
        let needs_policy = args.by == Some(Measure::Freq);
        Self { first, last, columns, key_type, samples, has_no_expire_time: false, needs_policy, words: Vec::new() }
    }

    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// Whether there are two stages.
    pub fn has_first(&self) -> bool {
        !self.first.is_empty()
    }

    /// The questions of a stage about a key of which this is known.
    pub fn stage<'f>(&'f self, is_first: bool, facts: &'f Facts) -> impl Iterator<Item = Look> + 'f {
        let looks = if is_first { &self.first } else { &self.last };
        let is_asked = |look: Look| look != Look::Length || self.length_command(facts).is_some();
        looks.iter().copied().filter(move |look| !facts.is_gone && is_asked(*look))
    }

    /// The command that tells the length; none for types that have none.
    fn length_command(&self, facts: &Facts) -> Option<&'static str> {
        let known = match facts.known[Look::Type as usize] {
            Some(Fact::Word(word)) => self.words.get(usize::from(word)),
            _ => self.key_type.as_ref(),
        };
        Some(match known?.as_slice() {
            b"string" => "STRLEN",
            b"list" => "LLEN",
            b"set" => "SCARD",
            b"zset" => "ZCARD",
            b"hash" => "HLEN",
            b"stream" => "XLEN",
            b"vectorset" => "VCARD",
            _ => return None,
        })
    }

    /// Appends the question about a key, which is given as a bulk string.
    pub fn pack(&self, look: Look, facts: &Facts, key: &[u8], out: &mut Vec<u8>) {
        let length = self.length_command(facts);
        let words = match look {
            Look::Length => length.as_slice(),
            Look::ExpireTime if self.has_no_expire_time => &["PTTL"],
            look => look.words(),
        };
        let samples = self.samples.as_deref().filter(|_| look == Look::Memory).map(|count| [b"SAMPLES", count]);
        let behind = samples.as_ref().map_or(&[][..], |words| words.as_slice());
        push_array_header(out, words.len() + 1 + behind.len());
        for word in words {
            push_bulk(out, word.as_bytes());
        }
        out.extend_from_slice(key);
        for word in behind {
            push_bulk(out, word);
        }
    }

    /// Takes note of an answer; DUMP's is the caller's.
    pub fn note(&mut self, look: Look, reply: Frame<'_>, facts: &mut Facts) -> Told {
        let head = reply.head();
        let number = || text::number::<i64>(head.text);
        let fact = match (look, head.kind) {
            (_, Kind::Error) => return self.refusal(look, reply),
            (_, Kind::Nil) => return Told::Gone,
            (Look::Type, _) if head.text == b"none" => return Told::Gone,
            (Look::Type | Look::Encoding, _) => self.word(head.text).map(Fact::Word),
            (Look::Ttl | Look::ExpireTime, _) => match number() {
                Some(-2) => return Told::Gone,
                number => number.filter(|number| *number >= 0).map(Fact::Number),
            },
            (Look::Dump, _) => None,
            _ => number().map(Fact::Number),
        };
        facts.known[look as usize] = fact;
        Told::Fact
    }

    /// What is to be said of a refusal: nothing where the eviction policy keeps no such number, or the type has changed.
    fn refusal(&self, look: Look, reply: Frame<'_>) -> Told {
        match ErrorReply::of(reply) {
            Some(error) if matches!(look, Look::Idle | Look::Freq) && error.code() == "ERR" && !self.needs_policy => {
                Told::Fact
            }
            Some(error) if error.code() != "WRONGTYPE" => Told::Refused(error),
            _ => Told::Fact,
        }
    }

    fn word(&mut self, text: &[u8]) -> Option<u16> {
        let at = self.words.iter().position(|word| word == text);
        if at.is_none() && (self.words.len() == WORDS || text.len() > LONGEST_WORD) {
            return None;
        }
        let at = at.unwrap_or_else(|| {
            self.words.push(text.to_vec());
            self.words.len() - 1
        });
        u16::try_from(at).ok()
    }

    pub fn cell(&self, column: Column, facts: &Facts) -> Cell<'_> {
        match facts.known[Look::of(column) as usize] {
            Some(Fact::Number(number)) => Cell::Number(number),
            Some(Fact::Word(word)) => self.words.get(usize::from(word)).map_or(Cell::Null, |word| Cell::Word(word)),
            None => Cell::Null,
        }
    }

    /// When the key expires, as RESTORE takes it.
    pub fn expiry(&self, facts: &Facts) -> Expiry {
        match facts.known[Look::ExpireTime as usize] {
            Some(Fact::Number(number)) if self.has_no_expire_time => Expiry::In(number),
            Some(Fact::Number(number)) => Expiry::At(number),
            _ => Expiry::Never,
        }
    }
}

pub fn column_of(measure: Measure) -> Column {
    match measure {
        Measure::Memory => Column::Memory,
        Measure::Length => Column::Length,
        Measure::Freq => Column::Freq,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages(with: &[Column], key_type: Option<&str>) -> (Vec<Look>, Vec<Look>) {
        let args = LsArgs { with: with.to_vec(), key_type: key_type.map(Into::into), ..LsArgs::default() };
        let Looks { first, last, .. } = Looks::new(&args, false);
        (first, last)
    }

    #[test]
    fn what_touches_a_key_is_asked_last_and_lengths_when_types_are_known() {
        use Look::{Encoding, Freq, Idle, Length, Memory, Ttl, Type};
        let all = [
            Column::Length,
            Column::Memory,
            Column::Encoding,
            Column::Ttl,
            Column::Type,
            Column::Freq,
            Column::Idle,
            Column::Idle,
        ];
        assert_eq!(stages(&all, None), (vec![Idle, Freq, Type], vec![Ttl, Encoding, Memory, Length]));
        assert_eq!(stages(&all, Some("set")), (vec![], vec![Idle, Freq, Type, Ttl, Encoding, Memory, Length]));
        assert_eq!(stages(&[Column::Ttl, Column::Idle], None), (vec![], vec![Idle, Ttl]));
        assert_eq!(stages(&[Column::Length], None), (vec![Type], vec![Length]));
    }
}

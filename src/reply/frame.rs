//! A frame: the bytes of one whole reply, read where they lie. Nothing is copied and nothing is built.
//! Only what a [`super::Framer`] passed becomes a frame, so reading cannot fail; should the bytes end too early all the
//! same, a nil stands for what is missing. Attributes are passed over: only the value they belong to counts.

use super::declared::describe_no_room;
use super::header::{digits, header, string_header};
use crate::{memory, text, word};

/// What an element is. Both of RESP's error forms are [`Kind::Error`], its three nils [`Kind::Nil`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `+`
    Simple,
    /// `$`
    Bulk,
    /// `=`; its text comes without the format.
    Verbatim,
    /// `-` or `!`
    Error,
    /// `:`
    Integer,
    /// `,`
    Double,
    /// `(`
    BigNumber,
    /// `#`; its text is `t` or `f`.
    Boolean,
    /// `_`, `$-1` or `*-1`
    Nil,
    /// `*`
    Array,
    /// `~`
    Set,
    /// `%`
    Map,
    /// `>`
    Push,
}

impl Kind {
    /// Whether elements follow.
    pub fn is_aggregate(self) -> bool {
        matches!(self, Self::Array | Self::Set | Self::Map | Self::Push)
    }
}

/// One element of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    pub kind: Kind,
    /// The bytes of a scalar, as the server wrote them; empty for nil and aggregates.
    pub text: &'a [u8],
    /// How many elements an aggregate has; a map has two a pair.
    pub count: u64,
}

const NIL: Element<'static> = Element { kind: Kind::Nil, text: &[], count: 0 };

/// A whole reply, borrowed from the buffer it arrived in.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    has_error: bool,
}

impl<'a> Frame<'a> {
    /// The frame of these bytes, which a [`super::Framer`] found to be one reply.
    pub(crate) fn new(bytes: &'a [u8], has_error: bool) -> Self {
        Self { bytes, has_error }
    }

    /// The bytes as they came.
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Its first element: the reply itself.
    pub fn head(self) -> Element<'a> {
        self.walk().next().unwrap_or(NIL)
    }

    pub fn kind(self) -> Kind {
        self.head().kind
    }

    pub fn is_error(self) -> bool {
        self.has_error && self.kind() == Kind::Error
    }

    pub fn is_push(self) -> bool {
        match self.bytes.first() {
            Some(b'|') => self.kind() == Kind::Push,
            mark => mark == Some(&b'>'),
        }
    }

    pub fn is_nil(self) -> bool {
        self.kind() == Kind::Nil
    }

    /// Whether it is `+OK`.
    pub fn is_ok(self) -> bool {
        self.bytes == b"+OK\r\n"
    }

    /// Whether it may be text in whole lines: it ends with a line end, or is empty. Arrays may look so too.
    pub fn may_be_lines(self) -> bool {
        matches!(self.bytes, [b'$' | b'=', .., b'\n', b'\r', b'\n'])
    }

    /// Its text, where it is a simple string.
    pub fn simple(self) -> Option<&'a [u8]> {
        match self.bytes {
            [b'+', text @ .., b'\r', b'\n'] => Some(text),
            _ => None,
        }
    }

    /// Whether an error stands in it, at any depth. An attribute that holds one counts too.
    pub fn may_hold_errors(self) -> bool {
        self.has_error
    }

    /// Every element in the order of the bytes: an aggregate, then its elements.
    pub fn walk(self) -> Walk<'a> {
        Walk { rest: self.bytes }
    }

    /// The elements behind the first bytes, so many, which are whole elements.
    pub(super) fn walk_behind(self, bytes: usize) -> Walk<'a> {
        Walk { rest: self.bytes.get(bytes..).unwrap_or_default() }
    }

    /// The elements of an aggregate, each as a frame of its own.
    pub fn children(self) -> Children<'a> {
        let mut walk = self.walk();
        let count = walk.next().map_or(0, |head| head.count);
        Children { walk, count, has_error: self.has_error }
    }

    /// The text of each error in it, nested ones too (contract section 2).
    pub fn errors(self) -> impl Iterator<Item = &'a [u8]> {
        let walk = if self.has_error { self.walk() } else { Walk { rest: &[] } };
        walk.filter(|element| element.kind == Kind::Error).map(|element| element.text)
    }

    /// The same where memory may have no room for it; the error says so.
    pub fn try_to_owned(self) -> Result<OwnedFrame, String> {
        let bytes = memory::copy(self.bytes).map_err(|_| describe_no_room(self.bytes))?;
        Ok(OwnedFrame { bytes, has_error: self.has_error })
    }

    /// A copy that outlives the buffer.
    pub fn to_owned(self) -> OwnedFrame {
        OwnedFrame { bytes: self.bytes.to_vec(), has_error: self.has_error }
    }
}

/// A reply that has to wait for its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedFrame {
    bytes: Vec<u8>,
    has_error: bool,
}

impl OwnedFrame {
    /// The reply of these bytes, which a [`super::Framer`] found to be one.
    pub(crate) fn new(bytes: Vec<u8>, has_error: bool) -> Self {
        Self { bytes, has_error }
    }

    pub fn frame(&self) -> Frame<'_> {
        Frame { bytes: &self.bytes, has_error: self.has_error }
    }

    /// A reply made on this side, where rcli answers in the server's stead.
    pub fn simple(text: &str) -> Self {
        Self { bytes: format!("+{}\r\n", one_line(text)).into_bytes(), has_error: false }
    }

    /// The same, a string of bytes.
    pub fn bulk(text: &[u8]) -> Self {
        let mut bytes = Vec::new();
        push_bulk(&mut bytes, text);
        Self { bytes, has_error: false }
    }

    /// The same, an error.
    pub fn error(text: &str) -> Self {
        Self { bytes: format!("-{}\r\n", one_line(text)).into_bytes(), has_error: true }
    }

    /// The same, nil.
    pub fn nil() -> Self {
        Self { bytes: b"_\r\n".to_vec(), has_error: false }
    }

    /// The same, a number.
    pub fn integer(number: impl std::fmt::Display) -> Self {
        Self { bytes: format!(":{number}\r\n").into_bytes(), has_error: false }
    }

    /// A map of text to replies, in this order.
    pub fn map(pairs: &[(String, Self)]) -> Self {
        let mut bytes = format!("%{}\r\n", pairs.len()).into_bytes();
        for (key, value) in pairs {
            push_bulk(&mut bytes, key.as_bytes());
            bytes.extend_from_slice(&value.bytes);
        }
        Self { bytes, has_error: pairs.iter().any(|(_, value)| value.has_error) }
    }
}

/// Appends a string of bytes.
pub(super) fn push_bulk(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
    bytes.extend_from_slice(text);
    bytes.extend_from_slice(b"\r\n");
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The elements of a reply, one after the other.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Walk<'a> {
    type Item = Element<'a>;

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every element; what it gives is large")]
    fn next(&mut self) -> Option<Element<'a>> {
        self.next_usual().or_else(|| self.next_unusual())
    }
}

impl<'a> Walk<'a> {
    /// Passes over `count` elements with all that is in them.
    pub fn skip(&mut self, count: u64) {
        let mut left = count;
        while left > 0 {
            let Some((mark, element)) = self.read() else { return };
            // An attribute is no element: its pairs come besides.
            left = left.saturating_add(element.count) - u64::from(mark != b'|');
        }
    }

    /// How many bytes were not walked over yet.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// The frame of the next element, with all that is in it.
    pub(super) fn next_frame(&mut self, has_error: bool) -> Option<Frame<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let from = self.rest;
        self.skip(1);
        Some(Frame { bytes: &from[..from.len() - self.rest.len()], has_error })
    }

    /// The string that is the next element, and the walk behind it; none where another element comes.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as for `next`")]
    pub fn string(&self) -> Option<(&'a [u8], Self)> {
        let (length, used) = string_header(self.rest)?;
        let (text, ending) = self.rest.get(used..)?.split_at_checked(length)?;
        Some((text, Self { rest: ending.get(2..)? }))
    }

    /// The same with the bytes at the beginning of the string and behind it, where there are so many.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as for `next`")]
    pub fn string_and_beginning<const COUNT: usize>(&self) -> Option<(&'a [u8; COUNT], &'a [u8], Self)> {
        let (length, used) = string_header(self.rest)?;
        let body = self.rest.get(used..)?;
        let (text, ending) = body.split_at_checked(length)?;
        Some((body.first_chunk()?, text, Self { rest: ending.get(2..)? }))
    }

    /// Whether a string is the next element.
    #[inline]
    pub fn is_at_string(&self) -> bool {
        self.rest.first() == Some(&b'$')
    }

    /// The next element where it is a string, an integer or the beginning of an array or a map, as most are.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as for `next`")]
    fn next_usual(&mut self) -> Option<Element<'a>> {
        match self.rest {
            [b'$', ..] => {
                let (text, behind) = self.string()?;
                *self = behind;
                Some(Element { kind: Kind::Bulk, text, count: 0 })
            }
            [b':', rest @ ..] => {
                let (_, used) = digits(rest)?;
                self.rest = &rest[used..];
                Some(Element { kind: Kind::Integer, text: &rest[..used - 2], count: 0 })
            }
            [mark @ (b'*' | b'%'), rest @ ..] => {
                let (length, used) = digits(rest)?;
                self.rest = &rest[used..];
                let is_map = *mark == b'%';
                let count = length as u64 * if is_map { 2 } else { 1 };
                Some(Element { kind: if is_map { Kind::Map } else { Kind::Array }, text: &[], count })
            }
            _ => None,
        }
    }

    fn next_unusual(&mut self) -> Option<Element<'a>> {
        loop {
            let (mark, element) = self.read()?;
            if mark != b'|' {
                return Some(element);
            }
            self.skip(element.count);
        }
    }

    /// The next element, an attribute included, and its mark.
    fn read(&mut self) -> Option<(u8, Element<'a>)> {
        let bytes = self.rest;
        if let Some((mark, length, used)) = header(bytes) {
            self.rest = &bytes[used..];
            return Some((mark, self.begin(mark, length)));
        }
        let mark = *bytes.first()?;
        let end = word::find(b'\n', bytes)?;
        let line = bytes.get(1..end.checked_sub(1)?)?;
        self.rest = &bytes[end + 1..];
        let scalar = |kind| Element { kind, text: line, count: 0 };
        let element = match mark {
            b'+' => scalar(Kind::Simple),
            b':' => scalar(Kind::Integer),
            b'-' => scalar(Kind::Error),
            b'#' => scalar(Kind::Boolean),
            b',' => scalar(Kind::Double),
            b'(' => scalar(Kind::BigNumber),
            b'_' => NIL,
            // A length that is longer than usual, or RESP2's nil.
            mark => match text::number(line) {
                Some(length) => self.begin(mark, length),
                None => NIL,
            },
        };
        Some((mark, element))
    }

    /// The string or the aggregate of this length that begins here.
    #[inline]
    fn begin(&mut self, mark: u8, length: usize) -> Element<'a> {
        let count = length as u64;
        let (kind, count) = match mark {
            b'$' => return self.body(Kind::Bulk, length),
            b'!' => return self.body(Kind::Error, length),
            b'=' => {
                let whole = self.body(Kind::Verbatim, length);
                return Element { text: whole.text.get(4..).unwrap_or_default(), ..whole };
            }
            b'~' => (Kind::Set, count),
            b'>' => (Kind::Push, count),
            b'%' | b'|' => (Kind::Map, count.saturating_mul(2)),
            _ => (Kind::Array, count),
        };
        Element { kind, text: &[], count }
    }

    #[inline]
    fn body(&mut self, kind: Kind, length: usize) -> Element<'a> {
        let Some((text, rest)) = self.rest.split_at_checked(length) else { return NIL };
        self.rest = rest.get(2..).unwrap_or_default();
        Element { kind, text, count: 0 }
    }
}

/// The elements of an aggregate, each as a frame.
#[derive(Clone, Debug)]
pub struct Children<'a> {
    walk: Walk<'a>,
    count: u64,
    has_error: bool,
}

impl<'a> Iterator for Children<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        self.count = self.count.checked_sub(1)?;
        self.walk.next_frame(self.has_error)
    }
}

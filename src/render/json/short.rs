//! Strings that need no escaping, as most elements of arrays and maps are: as many of them as fit are put together and
//! written at once. Whatever else comes is for the careful way.

use std::io::{self, Write};

use super::scalar::{count_plain, is_plain};
use super::{Form, Level};
use crate::reply::Walk;

/// What is put together, and how much of it there is.
struct Room {
    bytes: [u8; SIZE],
    filled: usize,
}

const SIZE: usize = 256;
/// As many bytes of a string are copied as one piece.
const SHORT: usize = 16;

/// Writes the strings that come next in an array or an object.
#[inline]
pub(super) fn strings(out: &mut impl Write, walk: &mut Walk<'_>, level: &mut Level) -> io::Result<()> {
    if !walk.is_at_string() {
        return Ok(());
    }
    match level.form {
        Form::Array => strings_before(out, walk, &mut level.left, |_| *b"\","),
        Form::Object => {
            strings_before(out, walk, &mut level.left, |left| if left & 1 == 0 { *b"\":" } else { *b"\"," })
        }
        Form::Pairs => Ok(()),
    }
}

/// The same of at most so many; what stands behind each, by how many are left.
#[inline(always)]
#[expect(clippy::inline_always, reason = "called with what is known of the endings")]
fn strings_before(
    out: &mut impl Write,
    walk: &mut Walk<'_>,
    left: &mut u64,
    ending: impl Fn(u64) -> [u8; 2],
) -> io::Result<()> {
    let mut room = Room { bytes: [0; SIZE], filled: 0 };
    let (mut rest, mut count) = (walk.clone(), *left);
    while count > 0 {
        if let Some((_, behind)) = room.put(&rest, ending(count)) {
            rest = behind;
            count -= 1;
        } else if room.filled == 0 {
            break;
        } else {
            out.write_all(room.text())?;
            room.filled = 0;
        }
    }
    if count == 0 {
        // Nothing comes behind the last one.
        room.filled = room.filled.saturating_sub(1);
    }
    (*walk, *left) = (rest, count);
    out.write_all(room.text())
}

/// Writes a map of few pairs, the one that begins where `walk` is, as an object in one pass. False where something else
/// is in it, or a name twice: then nothing is written.
#[inline]
pub(super) fn object(out: &mut impl Write, walk: &mut Walk<'_>, count: u64) -> io::Result<bool> {
    const FEW: usize = 8;
    let mut names: [&[u8]; FEW] = [&[]; FEW];
    let Some(names) = usize::try_from(count / 2).ok().and_then(|pairs| names.get_mut(..pairs)) else {
        return Ok(false);
    };
    if names.is_empty() {
        return Ok(false);
    }
    let mut room = Room { bytes: [0; SIZE], filled: 1 };
    let mut rest = walk.clone();
    for at in 0..names.len() {
        let Some((name, value)) = room.put(&rest, *b"\":") else { return Ok(false) };
        if names[..at].iter().any(|known| known.last() == name.last() && *known == name) {
            return Ok(false);
        }
        names[at] = name;
        let Some((_, behind)) = room.put(&value, *b"\",") else { return Ok(false) };
        rest = behind;
    }
    room.bytes[0] = b'{';
    if let Some(last) = room.bytes.get_mut(room.filled - 1) {
        *last = b'}';
    }
    *walk = rest;
    out.write_all(room.text()).map(|()| true)
}

impl Room {
    fn text(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }

    /// Adds the string that comes next, with its quotes and this ending: the string, and the walk behind it. None where
    /// something else comes, or nothing more has room.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "called for every element; the call costs as much as what it does")]
    fn put<'a>(&mut self, walk: &Walk<'a>, ending: [u8; 2]) -> Option<(&'a [u8], Walk<'a>)> {
        let place = self.bytes.get_mut(self.filled..)?;
        let (text, behind) = match walk.string_and_beginning::<SHORT>() {
            Some((beginning, text, behind)) if text.len() < SHORT => {
                let piece = place.first_chunk_mut::<{ 1 + SHORT + 2 }>()?;
                // What stands behind it is its line end: the first byte that is not plain, if all of the string is.
                if count_plain(beginning) != text.len() {
                    return None;
                }
                piece[0] = b'"';
                piece[1..=SHORT].copy_from_slice(beginning);
                piece[1 + text.len()..3 + text.len()].copy_from_slice(&ending);
                (text, behind)
            }
            _ => {
                let (text, behind) = walk.string()?;
                let piece = place.get_mut(..text.len() + 3).filter(|_| is_plain(text))?;
                piece[0] = b'"';
                piece[1..=text.len()].copy_from_slice(text);
                piece[1 + text.len()..].copy_from_slice(&ending);
                (text, behind)
            }
        };
        self.filled += text.len() + 3;
        Some((text, behind))
    }
}

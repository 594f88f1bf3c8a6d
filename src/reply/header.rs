//! How an element begins: its mark, and the length or the number behind it. Only what is usual is read here, at once; all
//! else is for the careful ways of the framer and the walk.

/// The longest number that [`digits`] reads, in digits: no multiplication overflows.
const MOST_DIGITS: usize = 9;

/// The number at the beginning, how many bytes it takes, and its CRLF behind it. None for anything unusual, which is for
/// the careful way: a line that is not there wholly, a long number, or none.
#[inline(always)]
#[expect(clippy::inline_always, reason = "asked for every element; a call would cost as much again")]
pub(super) fn digits(bytes: &[u8]) -> Option<(usize, usize)> {
    // Most have one digit or two.
    match bytes {
        [a @ b'0'..=b'9', b'\r', b'\n', ..] => Some((usize::from(a - b'0'), 3)),
        [a @ b'0'..=b'9', b @ b'0'..=b'9', b'\r', b'\n', ..] => {
            Some((usize::from(a - b'0') * 10 + usize::from(b - b'0'), 4))
        }
        _ => many_digits(bytes),
    }
}

fn many_digits(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut number = 0;
    for (count, byte) in bytes.iter().take(MOST_DIGITS + 1).enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let is_end = count > 0 && bytes[count..].starts_with(b"\r\n");
            return is_end.then_some((number, count + 2));
        }
        number = number * 10 + usize::from(digit);
    }
    None
}

/// The length of a string and how many bytes its header takes, where that is usual. Eight bytes are there as a rule, and
/// are looked at at once.
#[inline(always)]
pub(super) fn string_header(bytes: &[u8]) -> Option<(usize, usize)> {
    const ONE_DIGIT: (u64, u64) = (word(*b"\xff\0\xff\xff\0\0\0\0"), word(*b"$\0\r\n\0\0\0\0"));
    const TWO_DIGITS: (u64, u64) = (word(*b"\xff\0\0\xff\xff\0\0\0"), word(*b"$\0\0\r\n\0\0\0"));
    if let Some(beginning) = bytes.first_chunk() {
        let begin = word(*beginning);
        let digit = |at: u32| (begin >> (8 * at) & 0xff).wrapping_sub(0x30);
        if begin & ONE_DIGIT.0 == ONE_DIGIT.1 && digit(1) < 10 {
            return Some((usize::try_from(digit(1)).ok()?, 4));
        }
        if begin & TWO_DIGITS.0 == TWO_DIGITS.1 && digit(1) < 10 && digit(2) < 10 {
            return Some((usize::try_from(digit(1) * 10 + digit(2)).ok()?, 5));
        }
    }
    let (length, used) = digits(bytes.strip_prefix(b"$")?)?;
    Some((length, 1 + used))
}

const fn word(bytes: [u8; 8]) -> u64 {
    u64::from_le_bytes(bytes)
}

/// What stands behind a string or an integer that is wholly there; none where it is something else or unusual.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as for `digits`")]
pub(super) fn pass_usual(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [b'$', ..] => {
            let (length, used) = string_header(bytes)?;
            bytes.get(used + length..)?.strip_prefix(b"\r\n")
        }
        [b':', b'-', rest @ ..] | [b':', rest @ ..] => digits(rest).map(|(_, used)| &rest[used..]),
        _ => None,
    }
}

/// The mark and the length at the beginning, and how many bytes they take, where that is how a string or an aggregate
/// begins.
#[inline]
pub(super) fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (mark, rest) = bytes.split_first()?;
    if !matches!(mark, b'$' | b'*' | b'%' | b'>' | b'~' | b'=' | b'!' | b'|') {
        return None;
    }
    let (length, used) = digits(rest)?;
    Some((*mark, length, 1 + used))
}

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

/// The length of a string and how many bytes its header takes, where that is usual. Five bytes are there in any case, and
/// are looked at at once.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as for `digits`")]
pub(super) fn string_header(bytes: &[u8]) -> Option<(usize, usize)> {
    if let Some([header @ .., fifth]) = bytes.first_chunk::<5>() {
        let begin = word(*header);
        // What differs from zeros in the place of the digits: the digits, where each of them is one.
        let digit = begin ^ word(*b"$0\r\n");
        if (digit | digit.wrapping_add(0x0600)) & 0xffff_f0ff == 0 {
            return Some(((digit >> 8) as usize, 4));
        }
        let digits = begin ^ word(*b"$00\r");
        if (digits | digits.wrapping_add(0x06_0600)) & 0xfff0_f0ff == 0 && *fifth == b'\n' {
            // Ten times the first, and the second, in the highest byte.
            return Some(((digits.wrapping_mul(0x0a_0100) >> 24) as usize, 5));
        }
    }
    let (length, used) = digits(bytes.strip_prefix(b"$")?)?;
    Some((length, 1 + used))
}

const fn word(bytes: [u8; 4]) -> u32 {
    u32::from_le_bytes(bytes)
}

/// What stands behind a string or an integer that is wholly there; none where it is something else or unusual.
#[inline(always)]
#[expect(clippy::inline_always, reason = "as for `digits`")]
pub(super) fn pass_usual(bytes: &[u8]) -> Option<&[u8]> {
    match bytes {
        [b':', b'-', rest @ ..] | [b':', rest @ ..] => digits(rest).map(|(_, used)| &rest[used..]),
        _ => {
            let (length, used) = string_header(bytes)?;
            bytes.get(used + length..)?.strip_prefix(b"\r\n")
        }
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

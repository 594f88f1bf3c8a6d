//! Strings as redis-cli writes them for programs (`sdscatrepr`): printable ASCII as it is, all else escaped byte by byte.
//! CSV has them in quotes, and `--quoted-json` inside of a JSON string (contract section 2).

use std::io::{self, Write};

/// Writes bytes so, without the quotes around them; in JSON with a backslash before each quote and backslash of it.
#[inline]
pub fn repr<const IN_JSON: bool>(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let plain = rest.iter().take_while(|byte| is_plain(**byte)).count();
        out.write_all(&rest[..plain])?;
        rest = &rest[plain..];
        let Some((byte, after)) = rest.split_first() else { break };
        rest = after;
        escaped::<IN_JSON>(out, *byte)?;
    }
    Ok(())
}

/// Most strings have none.
#[cold]
fn escaped<const IN_JSON: bool>(out: &mut impl Write, byte: u8) -> io::Result<()> {
    let (backslash, quote) = if IN_JSON { (r"\\", r#"\\\""#) } else { (r"\", r#"\""#) };
    match byte {
        b'\\' => write!(out, "{backslash}{backslash}"),
        b'"' => write!(out, "{quote}"),
        b'\n' => write!(out, "{backslash}n"),
        b'\r' => write!(out, "{backslash}r"),
        b'\t' => write!(out, "{backslash}t"),
        0x07 => write!(out, "{backslash}a"),
        0x08 => write!(out, "{backslash}b"),
        byte => write!(out, "{backslash}x{byte:02x}"),
    }
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

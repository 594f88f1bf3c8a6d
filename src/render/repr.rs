//! Strings as redis-cli writes them for programs (`sdscatrepr`): printable ASCII as it is, all else escaped byte by byte.
//! CSV has them in quotes, and `--quoted-json` inside of a JSON string (contract section 2).

use std::io::{self, Write};

/// Writes bytes so, without the quotes around them.
pub fn repr(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let plain = rest.iter().take_while(|byte| is_plain(**byte)).count();
        out.write_all(&rest[..plain])?;
        rest = &rest[plain..];
        let Some((byte, after)) = rest.split_first() else { break };
        rest = after;
        match byte {
            b'\\' => out.write_all(b"\\\\")?,
            b'"' => out.write_all(b"\\\"")?,
            b'\n' => out.write_all(b"\\n")?,
            b'\r' => out.write_all(b"\\r")?,
            b'\t' => out.write_all(b"\\t")?,
            0x07 => out.write_all(b"\\a")?,
            0x08 => out.write_all(b"\\b")?,
            byte => write!(out, "\\x{byte:02x}")?,
        }
    }
    Ok(())
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Writes the same as a JSON string, which has a backslash before each quote and backslash of it.
pub fn json_repr(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(b"\"")?;
    repr(&mut InJson(out), bytes)?;
    out.write_all(b"\"")
}

/// What is put into a JSON string: printable ASCII.
struct InJson<'w, W: Write>(&'w mut W);

impl<W: Write> Write for InJson<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| matches!(byte, b'"' | b'\\')) {
            let (last, before) = part.split_last().map_or((None, part), |(last, before)| (Some(*last), before));
            self.0.write_all(before)?;
            if let Some(last) = last {
                self.0.write_all(if matches!(last, b'"' | b'\\') { b"\\" } else { b"" })?;
                self.0.write_all(&[last])?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

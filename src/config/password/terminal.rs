//! The question for a password on the terminal (`--askpass`, contract section 1): nothing of the answer is shown, not
//! even what is typed before the question stands there, and the terminal is left as it was, Ctrl-C included.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::exit::{Failure, Outcome};
use crate::net::poll;

/// A terminal that does not show what is typed, until this is dropped.
struct Silent {
    terminal: File,
    before: Termios,
}

impl Silent {
    fn open() -> io::Result<Self> {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // A terminal that went away needs nothing back.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Asks for a password and reads one line.
pub fn ask() -> Outcome<Vec<u8>> {
    let failed = |error: io::Error| Failure::unusable("--askpass: cannot ask on the terminal", &error);
    let mut silent = Silent::open().map_err(failed)?;
    silent.terminal.write_all(b"Password: ").map_err(failed)?;
    let mut password = Vec::new();
    let mut piece = [0; 256];
    while password.last() != Some(&b'\n') {
        poll::wait_readable(silent.terminal.as_fd()).inspect_err(|_| {
            // What comes next begins on a line of its own.
            let _ = (&silent.terminal).write_all(b"\n");
        })?;
        match silent.terminal.read(&mut piece).map_err(failed)? {
            0 => break,
            count => password.extend_from_slice(&piece[..count]),
        }
    }
    while password.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        password.pop();
    }
    Ok(password)
}

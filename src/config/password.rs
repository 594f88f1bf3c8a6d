//! Where a password comes from, and fetching it (contract sections 1 and 12). It is fetched when a server is about to be
//! opened, and never shown.

mod terminal;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::exit::{Exit, Failure, Outcome};
use crate::signal;
use crate::stdio;
use crate::text::describe_io;

/// Where a password comes from.
#[derive(Clone)]
pub enum Password {
    /// It was given.
    Known(Vec<u8>),
    /// The first line of a file.
    File(PathBuf),
    /// The first line that a profile's `password_command` writes.
    Command(String),
    /// Whoever sits at the terminal.
    Terminal,
}

/// Nothing of what is secret: the command may tell the password itself.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl Password {
    pub fn fetch(&self) -> Outcome<Vec<u8>> {
        match self {
            Self::Known(password) => Ok(password.clone()),
            Self::File(path) => read_first_line(path),
            Self::Command(command) => ask_command(command),
            Self::Terminal => terminal::ask(),
        }
    }
}

fn read_first_line(path: &Path) -> Outcome<Vec<u8>> {
    let failed = |error: &io::Error| Failure::unusable(&path.display().to_string(), error);
    let file = stdio::refuse_closed_at(path).and_then(|()| File::open(path)).map_err(|error| failed(&error))?;
    let mut line = Vec::new();
    BufReader::new(file).read_until(b'\n', &mut line).map_err(|error| failed(&error))?;
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(line.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(line))
}

/// Takes the password from a profile's `password_command`. Neither is ever shown.
fn ask_command(command: &str) -> Outcome<Vec<u8>> {
    let failed = |reason: &str| Failure::failed(format!("password_command of the profile: {reason}"));
    // A shell that cannot parse a command repeats it: that is asked first, and unheard.
    let mut check = Command::new("sh");
    check.args(["-n", "-c", command]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if !check.status().map_err(|error| failed(&describe_io(&error)))?.success() {
        return Err(failed("the shell cannot parse it"));
    }
    // Standard input holds the commands for the server.
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(&describe_io(&error)))?;
    if let Some(signal) = signal::received() {
        return Err(Failure::quiet(Exit::Signal(signal)));
    }
    if !output.status.success() {
        // `exit status: 1`, or the signal that ended it.
        return Err(failed(&format!("it failed ({})", output.status)));
    }
    let line = output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(failed("the first line it wrote holds no password"));
    }
    Ok(line.to_vec())
}

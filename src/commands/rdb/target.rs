//! Where a snapshot is written: beside the file whose name it takes when it is whole, so that nothing is left of one
//! that is not; or to standard output, or to what is there and no file.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::context::Context;
use crate::exit::{Failure, Outcome};
use crate::render::{Renderer, Stdout};
use crate::signal;
use crate::stdio;
use crate::text::{self, describe_io};

/// What a new file may be, where the umask takes nothing.
const MODE: u32 = 0o666;

/// Where a snapshot goes.
pub enum Target {
    /// Standard output.
    Stdout(Renderer<Stdout>),
    /// A device or a named pipe.
    Device(File, PathBuf),
    /// A file beside the one that this path, as it was typed, leads to.
    Beside(NamedTempFile, PathBuf),
}

impl Target {
    /// Opens it. The file that was there stays as it is.
    pub fn open(context: &Context, path: &Path) -> Outcome<Self> {
        if path.as_os_str() == "-" {
            if io::stdout().is_terminal() {
                return Err(Failure::usage("a snapshot is no text for a terminal: name a file, or send stdout to one"));
            }
            return Ok(Self::Stdout(context.renderer()?));
        }
        stdio::refuse_closed_at(path).map_err(|error| unwritten(path, &error))?;
        let opened = match fs::metadata(path) {
            Ok(there) if there.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => {
                OpenOptions::new().write(true).open(path).map(|file| Self::Device(file, path.to_owned()))
            }
            _ => beside(&led_to(path)).map(|file| Self::Beside(file, path.to_owned())),
        };
        opened.map_err(|error| unwritten(path, &error))
    }

    /// Writes the next bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        match self {
            Self::Stdout(renderer) => renderer.write_text(bytes).map_err(Failure::output),
            Self::Device(file, path) => file.write_all(bytes).map_err(|error| unwritten(path, &error)),
            Self::Beside(file, path) => file.write_all(bytes).map_err(|error| unwritten(path, &error)),
        }
    }

    pub fn name(&self) -> String {
        match self {
            Self::Stdout(_) => "stdout".to_owned(),
            Self::Device(_, path) | Self::Beside(_, path) => text::line(&path.display().to_string()).into_owned(),
        }
    }

    /// All is written: the file takes its name once it is on the disk.
    pub fn finish(self) -> Outcome<()> {
        match self {
            Self::Stdout(mut renderer) => renderer.flush().map_err(Failure::output),
            Self::Device(..) => Ok(()),
            Self::Beside(file, path) => {
                // Whoever ends it now would leave the other name.
                let _busy = signal::busy();
                file.as_file().sync_all().map_err(|error| unwritten(&path, &error))?;
                file.persist(led_to(&path)).map(drop).map_err(|failed| unwritten(&path, &failed.error))
            }
        }
    }
}

/// What a symbolic link leads to is replaced, not the link.
fn led_to(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let permissions = Permissions::from_mode(MODE);
    tempfile::Builder::new().prefix(".rcli-").suffix(".rdb").permissions(permissions).tempfile_in(directory)
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {}", path.display(), describe_io(error)))
}

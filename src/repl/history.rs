//! The history file: where it is, who may read it, and how its lines are written (contract section 10). Lines are
//! only ever added behind those that are there, so that sessions side by side, and redis-cli, keep theirs; what other
//! sessions add is read before each prompt.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::iter;
use std::mem;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// How many commands are kept.
pub const KEPT: usize = 10_000;
/// And how many bytes of them are read: one that was pasted may be large.
const KEPT_BYTES: u64 = 16 << 20;

/// For its owner only.
const MODE: u32 = 0o600;

/// The first line of a file whose commands may have several lines: in those `\n` stands for a line end, and `\\` for a
/// backslash. In a file without it a line is a command.
const HEADER: &[u8] = b"#V2\n";

/// A file that keeps commands.
#[derive(Debug)]
pub struct HistoryFile {
    /// Where it is.
    pub path: PathBuf,
    /// redis-cli's too, which does not know the header.
    is_shared: bool,
    /// How far the file is known, in bytes.
    known: u64,
    /// What other sessions added before a command of this one, not told yet.
    pending: Vec<String>,
}

impl HistoryFile {
    /// The file that the environment says; none where none is wanted (`/dev/null`) or there is no home.
    pub fn find() -> Option<Self> {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let state = || {
            let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
            Some(state.or_else(|| Some(variable("HOME")?.join(".local/state")))?.join("rcli/history"))
        };
        let own = variable("RCLI_HISTFILE");
        let shared = variable("REDISCLI_HISTFILE").or_else(|| variable("VALKEYCLI_HISTFILE"));
        let is_shared = own.is_none() && shared.is_some();
        let path = own.or(shared).or_else(state)?;
        // A link to /dev/null in place of the file says the same.
        let is_device = fs::metadata(&path).is_ok_and(|metadata| metadata.file_type().is_char_device());
        let is_wanted = !is_device && path != Path::new("/dev/null");
        is_wanted.then(|| Self { path, is_shared, known: 0, pending: Vec::new() })
    }

    /// Makes the file and its directory, or takes away what others may do with a file that is there, and gives the
    /// commands in it, the oldest first.
    pub fn open(&mut self) -> io::Result<Vec<String>> {
        if let Some(directory) = self.path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        match OpenOptions::new().write(true).create_new(true).mode(MODE).open(&self.path) {
            Ok(mut file) => {
                if !self.is_shared {
                    file.write_all(HEADER)?;
                    self.known = HEADER.len() as u64;
                }
                Ok(Vec::new())
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let metadata = fs::metadata(&self.path)?;
                if !metadata.is_file() {
                    return Err(io::Error::other("is not a regular file"));
                }
                if metadata.permissions().mode() & 0o077 != 0 {
                    fs::set_permissions(&self.path, Permissions::from_mode(MODE))?;
                }
                self.read()
            }
            Err(error) => Err(error),
        }
    }

    fn read(&mut self) -> io::Result<Vec<String>> {
        let mut file = OpenOptions::new().read(true).write(true).open(&self.path)?;
        file.lock()?;
        let (is_own, _) = look_at(&mut file)?;
        let length = file.metadata()?.len();
        let cut = length.saturating_sub(KEPT_BYTES);
        file.seek(SeekFrom::Start(cut))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        // The header, or what is left of a line that was cut.
        if is_own || cut > 0 {
            lines.drain(..lines.len().min(1));
        }
        let kept = &lines[lines.len().saturating_sub(KEPT)..];
        // It may grow to twice as much, so that it is not written anew at every start.
        if is_own && (lines.len() > 2 * KEPT || length > 2 * KEPT_BYTES) {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(&[HEADER, &kept.concat()].concat())?;
        }
        self.known = file.metadata()?.len();
        Ok(commands_of(kept, is_own))
    }

    /// The commands that other sessions added since the last look, the oldest first.
    pub fn news(&mut self) -> io::Result<Vec<String>> {
        let mut news = mem::take(&mut self.pending);
        match fs::metadata(&self.path) {
            Ok(metadata) if metadata.len() == self.known => {}
            Ok(_) => {
                let mut file = OpenOptions::new().read(true).open(&self.path)?;
                file.lock_shared()?;
                news.extend(self.read_news(&mut file)?);
            }
            // Somebody threw it away; the next command makes it again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.known = 0,
            Err(error) => return Err(error),
        }
        Ok(news)
    }

    /// What stands behind what is known. A file that got shorter was written anew, with nothing that is new.
    fn read_news(&mut self, file: &mut File) -> io::Result<Vec<String>> {
        let (is_own, _) = look_at(file)?;
        let length = file.metadata()?.len();
        let from = self.known.max(length.saturating_sub(KEPT_BYTES));
        self.known = length;
        if from >= length {
            return Ok(Vec::new());
        }
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(length - from).read_to_end(&mut bytes)?;
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| *line != HEADER).collect();
        Ok(commands_of(&lines, is_own))
    }

    /// Adds a command. Where a command is a line, one of several lines has no place.
    pub fn add(&mut self, command: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(MODE).open(&self.path)?;
        file.lock()?;
        let (has_header, lacks_end) = look_at(&mut file)?;
        let line = if has_header {
            command.replace('\\', "\\\\").replace('\n', "\\n")
        } else if command.contains('\n') {
            return Ok(());
        } else {
            command.to_owned()
        };
        let news = self.read_news(&mut file)?;
        self.pending.extend(news);
        let before = if lacks_end { "\n" } else { "" };
        file.write_all(format!("{before}{line}\n").as_bytes())?;
        self.known = file.metadata()?.len();
        Ok(())
    }
}

/// The commands that stand in these lines.
fn commands_of(lines: &[&[u8]], is_own: bool) -> Vec<String> {
    let text = |line: &&[u8]| String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
    let commands = lines.iter().map(text);
    if is_own { commands.map(|line| unescape(&line)).collect() } else { commands.collect() }
}

/// Whether a file begins with the header, and whether its last line has no end.
fn look_at(file: &mut File) -> io::Result<(bool, bool)> {
    let mut begin = Vec::new();
    file.take(HEADER.len() as u64).read_to_end(&mut begin)?;
    let mut last = [b'\n'];
    if !begin.is_empty() {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok((begin == HEADER, last != [b'\n']))
}

/// The command that stands in a line of a file with the header.
fn unescape(line: &str) -> String {
    let mut chars = line.chars();
    let next = || match chars.next()? {
        '\\' => Some(chars.next().map_or('\\', |escaped| if escaped == 'n' { '\n' } else { escaped })),
        c => Some(c),
    };
    iter::from_fn(next).collect()
}

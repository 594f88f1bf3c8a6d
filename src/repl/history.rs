//! The history file: where it is, who may read it, and what is kept out of it (contract section 10).

use std::env;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// How many commands are kept.
pub const KEPT: usize = 10_000;

/// For its owner only.
const MODE: u32 = 0o600;

/// The first line of a file whose entries may have several lines: rustyline's sign.
const HEADER: &[u8] = b"#V2\n";

/// The history file, from the environment; none where none is wanted or there is no home.
pub fn path() -> Option<PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let path = variable("RCLI_HISTFILE").or_else(|| {
        let state = variable("XDG_STATE_HOME").filter(|path| path.is_absolute());
        let state = state.or_else(|| Some(variable("HOME")?.join(".local/state")))?;
        Some(state.join("rcli/history"))
    })?;
    (path != Path::new("/dev/null")).then_some(path)
}

/// Makes the file and its directory, or takes away what others may do with a file that is there.
pub fn prepare(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(MODE).open(path) {
        Ok(mut file) => file.write_all(HEADER),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let metadata = fs::metadata(path)?;
            if !metadata.is_file() {
                return Err(io::Error::other("is not a regular file"));
            }
            if metadata.permissions().mode() & 0o077 != 0 {
                fs::set_permissions(path, Permissions::from_mode(MODE))?;
            }
            Ok(())
        }
        Err(error) => Err(error),
    }
}

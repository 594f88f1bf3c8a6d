//! Where the reply to a line goes beside the terminal: to a shell command behind a bar, or to a file (contract section
//! 10). Errors stay on the terminal.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::tokens::Words;
use super::{Flow, Repl, builtins::stay};
use crate::color::Colors;
use crate::exit::{Exit, Failure, Outcome};
use crate::net::poll;
use crate::render::{self, Format, Renderer, Style};
use crate::report::{notice, report};
use crate::signal::{self, Signal};
use crate::text::{self, describe_io};

/// So long a signal may be on its way.
const SOON: Duration = Duration::from_millis(200);

/// Where a reply goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// To the standard input of a shell command.
    Shell(&'a str),
    /// Into a file, whose end it becomes or whose place it takes.
    File { path: PathBuf, appends: bool },
}

/// A line without what says where its reply goes, and that.
pub fn split(line: &str) -> (&str, Option<Target<'_>>) {
    // A line of JSON ends with its bracket.
    if line.trim_start().starts_with('[') {
        return (line, None);
    }
    let words = Words::of(line);
    if let Some(bar) = words.list.iter().skip(1).find(|word| word.is_typed(line, "|")) {
        let span = &bar.span;
        let behind = line[span.end..].trim();
        return if behind.is_empty() { (line, None) } else { (&line[..span.start], Some(Target::Shell(behind))) };
    }
    let is_ids = words.list.first().is_some_and(|name| name.text.eq_ignore_ascii_case(b"XREADGROUP"));
    let [.., sign, path] = words.list.as_slice() else { return (line, None) };
    if words.list.len() == 2 || words.trouble.is_some() || is_ids && !is_file_behind_ids(&words) {
        return (line, None);
    }
    let appends = sign.is_typed(line, ">>");
    if !appends && !sign.is_typed(line, ">") {
        return (line, None);
    }
    let path = PathBuf::from(String::from_utf8_lossy(&path.text).into_owned());
    (&line[..sign.span.start], Some(Target::File { path, appends }))
}

/// In XREADGROUP a `>` is an id, and the last word is one: a file is meant only behind `>>`, or where it can be no id.
fn is_file_behind_ids(words: &Words) -> bool {
    let [.., sign, path] = words.list.as_slice() else { return false };
    let is_id =
        |text: &[u8]| text == b">" || text == b"$" || text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'-'));
    sign.text == b">>" || !is_id(&path.text)
}

/// Opens a target: the way there, and the shell, where it is its command.
fn open(target: &Target<'_>) -> io::Result<(OwnedFd, Option<Child>)> {
    match target {
        Target::Shell(command) => {
            let mut shell = Command::new("sh").arg("-c").arg(command).stdin(Stdio::piped()).spawn()?;
            let sink = shell.stdin.take().ok_or_else(|| io::Error::other("no way to its input"))?;
            Ok((sink.into(), Some(shell)))
        }
        Target::File { path, appends } => {
            let mut options = OpenOptions::new();
            options.write(true).create(true).append(*appends).truncate(!appends);
            Ok((options.open(home(path))?.into(), None))
        }
    }
}

/// A path with the home directory for `~/`, as a shell has it.
pub fn home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => path.to_owned(),
    }
}

impl Repl<'_> {
    /// Runs a line whose reply goes elsewhere.
    pub(super) fn run_redirected(&mut self, line: &str, target: &Target<'_>) -> Outcome<Flow> {
        let opened = open(target).and_then(|(sink, shell)| Ok((sink.try_clone()?, sink, shell)));
        let (sink, verbs, shell) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let what = match target {
                    Target::Shell(_) => "cannot run a shell".to_owned(),
                    Target::File { path, .. } => text::line(&path.display().to_string()).into_owned(),
                };
                report(&format!("{what}: {}; nothing was sent", describe_io(&error)));
                return Ok(Flow::Stop);
            }
        };
        let format = if self.style.format == Format::Human { Format::Raw } else { self.style.format };
        let style = Style { format, colors: Colors(false), is_terminal: false, ..self.style.clone() };
        let elsewhere = Renderer::new(render::lines(Box::new(File::from(sink))), style.clone());
        let terminal = std::mem::replace(&mut self.renderer, elsewhere);
        let own_style = std::mem::replace(&mut self.style, style);
        self.terminal = Some((terminal, verbs));
        let ran = self.run_plain(line);
        let flushed = self.renderer.flush();
        self.style = own_style;
        if let Some((terminal, _)) = self.terminal.take() {
            self.renderer = terminal;
        }
        let flow = finish(ran, &flushed, target, shell)?;
        self.tell_times()?;
        Ok(flow)
    }

    /// Runs a shell command.
    pub(super) fn run_shell(&mut self, command: &str) -> Outcome<Flow> {
        self.flush()?;
        match Command::new("sh").arg("-c").arg(command).status() {
            Ok(status) => {
                tell_failure(status);
                forget_ctrl_c_of(status);
            }
            Err(error) => report(&format!("cannot run a shell: {}", describe_io(&error))),
        }
        Ok(Flow::On)
    }

    /// What stands for the standard output of a verb whose output goes elsewhere.
    pub(super) fn elsewhere(&self) -> io::Result<Option<Arc<File>>> {
        let Some((_, sink)) = &self.terminal else { return Ok(None) };
        Ok(Some(Arc::new(File::from(sink.try_clone()?))))
    }

    /// What of a reply belongs to the terminal, wherever the reply goes.
    pub(super) fn say(&mut self, text: &str) -> Outcome<()> {
        let Some((terminal, _)) = &mut self.terminal else { return self.write(text) };
        terminal.write_now(text).map_err(Failure::output)
    }
}

/// Waits for the shell command, and says what went wrong.
fn finish(ran: Outcome<Flow>, flushed: &io::Result<()>, target: &Target<'_>, shell: Option<Child>) -> Outcome<Flow> {
    if let Some(Ok(status)) = shell.map(|mut shell| shell.wait()) {
        tell_failure(status);
        forget_ctrl_c_of(status);
    }
    if let (Err(error), Target::File { path, .. }) = (flushed, target) {
        report(&format!("{}: {}", text::line(&path.display().to_string()), describe_io(error)));
        return Ok(Flow::Stop);
    }
    match ran {
        // A command that has read enough.
        Err(failure) if failure.exit() == Exit::Done => Ok(Flow::On),
        Err(failure) => stay(failure),
        Ok(flow) => Ok(flow),
    }
}

/// Says how a shell command ended, unless it is done or Ctrl-C ended it: whoever pressed that knows.
fn tell_failure(status: ExitStatus) {
    if !status.success() && !is_interrupted(status) {
        notice(&format!("the shell command ended with {}", describe_status(status)));
    }
}

/// Whether Ctrl-C ended a child.
pub fn is_interrupted(status: ExitStatus) -> bool {
    let interrupt = Signal::Interrupt;
    status.code() == Some(interrupt.status().into())
        || status.signal() == Some(rustix::process::Signal::from(interrupt).as_raw())
}

/// Forgets a Ctrl-C that was for a child. That has ended by it perhaps before it is noted here.
pub fn forget_ctrl_c_of(child: ExitStatus) {
    if let Some(wake) = signal::wake().filter(|_| is_interrupted(child)) {
        let _ = poll::sleep(&mut [PollFd::from_borrowed_fd(wake, PollFlags::IN)], Some(Instant::now() + SOON));
    }
    signal::forget_ctrl_c();
}

/// How a child ended, in words.
pub fn describe_status(status: ExitStatus) -> String {
    match (status.code(), status.signal().and_then(signal::name)) {
        (Some(code), _) => format!("status {code}"),
        (None, Some(name)) => name.to_owned(),
        (None, None) => "a signal".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, appends: bool) -> Target<'static> {
        Target::File { path: PathBuf::from(path), appends }
    }

    #[test]
    fn a_sign_with_blanks_around_it_and_outside_quotes_says_where_a_reply_goes() {
        assert_eq!(split("GET a | jq ."), ("GET a ", Some(Target::Shell("jq ."))));
        assert_eq!(
            split("GET a | awk '{print \"x\"}' | wc"),
            ("GET a ", Some(Target::Shell("awk '{print \"x\"}' | wc")))
        );
        assert_eq!(split("GET a > f"), ("GET a ", Some(file("f", false))));
        assert_eq!(split("GET a >> \"f g\""), ("GET a ", Some(file("f g", true))));
    }

    #[test]
    fn other_signs_are_data() {
        for line in [
            "SET a |b",
            "SET a b|c",
            "SET a \"|\" b",
            "SET a |",
            "| jq",
            "SET a > b c",
            "SET a \">\" f",
            "SET a >f",
            "GET a >",
            "> f",
            "XREADGROUP GROUP g c STREAMS a b > 0",
            "XREADGROUP GROUP g c STREAMS a >",
            "XREADGROUP GROUP g c STREAMS a b > >",
            "XREADGROUP GROUP g c STREAMS a b > 5-1",
            "SET a \"b > c",
            "[\"GET\", \"a\"] | jq .",
        ] {
            assert_eq!(split(line), (line, None), "{line}");
        }
        assert_eq!(
            split("XREADGROUP GROUP g c STREAMS a > | jq ."),
            ("XREADGROUP GROUP g c STREAMS a > ", Some(Target::Shell("jq .")))
        );
        assert_eq!(
            split("XREADGROUP GROUP g c STREAMS a b > 0 > f"),
            ("XREADGROUP GROUP g c STREAMS a b > 0 ", Some(file("f", false)))
        );
        assert_eq!(
            split("XREADGROUP GROUP g c STREAMS a > >> f"),
            ("XREADGROUP GROUP g c STREAMS a > ", Some(file("f", true)))
        );
    }
}

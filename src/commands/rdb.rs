//! `rcli rdb FILE`, or `--rdb FILE`: the server's snapshot (contract section 18). Where it goes is told by [`target`],
//! whether it is whole by [`checksum`].

mod checksum;
mod target;

use std::time::Instant;

use indicatif::ProgressBar;

use self::checksum::Checksum;
use self::target::Target;
use super::bar::bar;
use super::stderr_is_terminal;
use crate::cli::{RdbArgs, When};
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::net::{Endpoint, Server, Snapshot};
use crate::report::notice;

/// Fetches the snapshot, and looks at its checksum.
pub fn run(context: &Context, args: &RdbArgs) -> Outcome<Exit> {
    let mut target = Target::open(context, &args.file)?;
    let endpoint = Endpoint { cluster: None, ..context.endpoint_telling(None)? };
    let server = Server::open(&endpoint)?;
    let place = server.place();
    let Server::One(session, _) = server else { return Err(Failure::failed("a cluster has no snapshot of its own")) };
    let mut progress = Progress::new(args.progress);
    progress.show(None, "{spinner} {msg}", "waiting for the snapshot");
    let asked = Snapshot::ask(*session, args.functions).map_err(|lost| lost.into_failure(&place))?;
    let what = if args.functions { "SYNC of functions" } else { "SYNC" };
    let mut snapshot =
        asked.map_err(|error| Failure::error_reply(format!("{place}: {what}: {}", error.advised(false))))?;
    let length = snapshot.length();
    let template = if length.is_some() {
        "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left"
    } else {
        "{spinner} {bytes} {bytes_per_sec}"
    };
    progress.show(length, template, "");
    let mut checksum = Checksum::default();
    loop {
        match snapshot.read() {
            Ok(Some(bytes)) => {
                checksum.add(bytes);
                target.write(bytes)?;
                progress.advance(bytes.len());
            }
            Ok(None) => break,
            Err(lost) => {
                let all = length.map(|length| format!(" of {length}")).unwrap_or_default();
                let count = checksum.count;
                return Err(lost
                    .into_failure(&place)
                    .noting(&format!("; {count}{all} bytes of the snapshot had come")));
            }
        }
    }
    checksum.check().map_err(|why| Failure::failed(format!("{place}: {why}")))?;
    let place = target.name();
    target.finish()?;
    progress.end(checksum.count, &place);
    if args.totals {
        notice("Transfer finished with success.");
    }
    Ok(Exit::Done)
}

/// The bar on stderr, if there is one.
struct Progress {
    when: When,
    is_wanted: bool,
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    fn new(when: When) -> Self {
        let is_wanted = match when {
            When::Auto => stderr_is_terminal(),
            When::Always => true,
            When::Never => false,
        };
        Self { when, is_wanted, bar: ProgressBar::hidden(), started: Instant::now() }
    }

    /// Shows another bar.
    fn show(&mut self, size: Option<u64>, template: &str, message: &'static str) {
        self.bar.finish_and_clear();
        if self.is_wanted {
            self.bar = bar(size, template);
            self.bar.set_message(message);
        }
    }

    fn advance(&self, bytes: usize) {
        self.bar.inc(bytes as u64);
    }

    /// Says what was written: to whoever reads a log too, unless nothing was to be said.
    fn end(self, bytes: u64, place: &str) {
        self.bar.finish_and_clear();
        if self.when != When::Never {
            let seconds = self.started.elapsed().as_secs_f64();
            notice(&format!("summary: {place}: {bytes} bytes, {seconds:.3} seconds"));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

//! Measures `rcli` side by side with `redis-cli` and redis-py, whole processes in one run, and prints a Markdown table.
//!
//!     cargo bench                          every row, a moderate size
//!     cargo bench -- set mixed             the rows of these names
//!     cargo bench -- --quick               small sizes: does every row work?
//!     cargo bench -- --full                the sizes the goals are stated for
//!     cargo bench -- --server PATH         another server than `redis-server`; may be given several times
//!     cargo bench -- --rcli PATH           another `rcli`, to compare two versions
//!     cargo bench -- --minutes 5           begins no row later than that (20)
//!     cargo bench -- --write FILE          and puts the table between the marks of FILE (`just performance`)
//!
//! Each topic is a file with a list of [`Bench`]es. No time is ever asserted: a goal that was missed is marked.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table goes to stdout and the progress to stderr; nothing here is the product"
)]

mod cluster;
mod entries;
mod instructions;
mod keys;
mod lab;
mod listener;
mod measure;
mod memory;
mod pipe;
mod prompt;
mod proxy;
mod report;
mod scripts;
mod servers;
mod sharded;
mod start;
mod streams;
mod table;
mod workload;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use lab::{Lab, Sizes};
use report::Report;
use table::Row;

/// Some rows that are measured together.
pub struct Bench {
    /// The word that selects them on the command line.
    name: &'static str,
    /// Measures them.
    run: fn(&mut Lab) -> Result<Vec<Row>>,
}

/// Every topic, in the order of the report.
const TOPICS: &[&[Bench]] = &[
    instructions::BENCHES,
    pipe::BENCHES,
    start::BENCHES,
    prompt::BENCHES,
    memory::BENCHES,
    streams::BENCHES,
    entries::BENCHES,
    cluster::BENCHES,
    sharded::BENCHES,
    keys::BENCHES,
    scripts::BENCHES,
];

/// What the command line asks for.
struct Options {
    names: Vec<String>,
    servers: Vec<PathBuf>,
    rcli: OsString,
    sizes: fn() -> Sizes,
    /// When no further row is begun.
    minutes: u64,
    /// Where the table is to stand as well.
    write: Option<PathBuf>,
    /// `cargo bench` says so; without it (`cargo test --all-targets`) nothing is measured.
    measure: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("side_by_side: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// False when a row could not be measured.
fn run() -> Result<bool> {
    let options = parse(std::env::args().skip(1))?;
    if !options.measure {
        println!("side_by_side measures only under `cargo bench`");
        return Ok(true);
    }
    lab::require_peers()?;
    let mut complete = true;
    let mut report = Report::begin(&options.rcli)?;
    let deadline = Instant::now() + Duration::from_mins(options.minutes);
    for server in &options.servers {
        let mut lab = Lab::open(options.rcli.clone(), server, (options.sizes)())?;
        report.table(&lab.server.version()?);
        for bench in selected(&options.names) {
            complete &= measure(bench, &mut lab, &mut report, deadline);
        }
    }
    report.end();
    if let Some(path) = &options.write {
        report.write_into(path)?;
    }
    Ok(complete)
}

/// Reports the rows of one bench; false when it failed.
fn measure(bench: &Bench, lab: &mut Lab, report: &mut Report, deadline: Instant) -> bool {
    eprint!("side_by_side: measuring {}", bench.name);
    let began = Instant::now();
    let rows = if began < deadline { (bench.run)(lab) } else { Err(anyhow!("the time was up (--minutes)")) };
    let (rows, is_complete) = match rows {
        Ok(rows) => (rows, true),
        Err(error) => (vec![Row::failed(bench.name, &error)], false),
    };
    eprintln!(", {:.0} s", began.elapsed().as_secs_f64());
    for row in rows {
        report.line(&row.to_string());
    }
    is_complete
}

fn all() -> impl Iterator<Item = &'static Bench> {
    TOPICS.iter().copied().flatten()
}

fn selected(names: &[String]) -> impl Iterator<Item = &'static Bench> {
    all().filter(move |bench| names.is_empty() || names.iter().any(|name| name == bench.name))
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options> {
    let mut options = Options {
        names: Vec::new(),
        servers: Vec::new(),
        rcli: env!("CARGO_BIN_EXE_rcli").into(),
        sizes: || Sizes::MODERATE,
        minutes: 20,
        write: None,
        measure: false,
    };
    let path = |value: Option<String>| match value {
        Some(value) => Ok(value),
        None => bail!("a path is missing at the end"),
    };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => options.measure = true,
            "--quick" => options.sizes = || Sizes::QUICK,
            "--full" => options.sizes = || Sizes::FULL,
            "--server" => options.servers.push(path(args.next())?.into()),
            "--minutes" => options.minutes = args.next().context("--minutes needs a number")?.parse()?,
            "--write" => options.write = Some(path(args.next())?.into()),
            "--rcli" => options.rcli = path(args.next())?.into(),
            name => {
                let known: Vec<_> = all().map(|bench| bench.name).collect();
                ensure!(known.contains(&name), "no row is called {name}; there are: {}", known.join(" "));
                options.names.push(name.to_owned());
            }
        }
    }
    if options.servers.is_empty() {
        let default = std::env::var_os("RCLI_SERVER_BIN").unwrap_or_else(|| "redis-server".into());
        options.servers.push(default.into());
    }
    Ok(options)
}

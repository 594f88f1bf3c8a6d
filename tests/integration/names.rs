//! A host name that the system looks up for ever: the limit on connecting covers that too (contract section 1).
//!
//! The look-up is made slow by a library of ours before the system's, so that no name server has to be.

use crate::cluster_nodes::Cluster;
use crate::rcli::{Rcli, rcli};
use crate::sentinels::{Sentinel, Setup};
use crate::server::{Server, wait_for};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use tempfile::TempDir;

/// Says that it was asked, and never answers.
const LOOKUP: &str = r#"
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found) {
    close(open(getenv("LOOKUP_BEGAN"), O_CREAT | O_WRONLY, 0600));
    for (;;) pause();
}
"#;

/// The library. rcli itself is not built without a C compiler.
static SLOW: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let dir = TempDir::new().expect("a directory");
    let (source, library) = (dir.path().join("slow.c"), dir.path().join("slow.so"));
    std::fs::write(&source, LOOKUP).expect("the source");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).output();
    let compiled = compiled.expect("a C compiler, cc (Debian: apt-get install gcc)");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    (dir, library)
});

/// The same run, where no name is ever found; the file is there once one is looked for.
fn slowly(run: Rcli, began: &Path) -> Rcli {
    let preload = if cfg!(target_vendor = "apple") { "DYLD_INSERT_LIBRARIES" } else { "LD_PRELOAD" };
    run.env(preload, &SLOW.1).env("DYLD_FORCE_FLAT_NAMESPACE", "1").env("LOOKUP_BEGAN", began)
}

/// A path for that file.
fn began() -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("began");
    (dir, path)
}

#[test]
fn a_name_that_is_looked_up_for_ever_is_given_up_at_the_limit_in_every_mode() {
    let (_dir, began) = began();
    let runs: [&[&str]; 7] = [
        &["PING"],
        &["--json", "PING"],
        &["pipe"],
        &["txn"],
        &["sub", "news"],
        &["-c", "PING"],
        &["--insecure", "PING"],
    ];
    for args in runs {
        slowly(rcli(["-h", "nowhere.example", "-t", "0.3"]).args(args), &began)
            .stdin("PING\n")
            .status(3)
            .complains(&["nowhere.example:6379", "looking up the name took too long"])
            .run();
        assert!(began.exists(), "the system's look-up was not asked");
    }
}

#[test]
fn a_signal_ends_a_name_that_is_looked_up_for_ever() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (_dir, began) = began();
        let run = slowly(rcli(["-h", "nowhere.example", "-t", "600", "PING"]), &began).status(status).start();
        wait_for("the look-up", || began.exists());
        run.signal(signal);
        run.finish();
    }
}

#[test]
fn ctrl_c_at_the_prompt_ends_a_name_that_is_looked_up_for_ever() {
    let (_dir, began) = began();
    let server = Server::start();
    let terminal = slowly(server.rcli(["-t", "600"]), &began).on_terminal(160);
    let prompt = format!("{}>", server.address());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    terminal.line("connect nowhere.example 6379");
    wait_for("the look-up", || began.exists());
    terminal.keys("\x03");
    terminal.wait("a prompt", |rows| rows.last().is_some_and(|row| row.ends_with('>')));
}

#[test]
fn a_sentinel_whose_name_is_looked_up_for_ever_does_not_keep_from_the_next() {
    let (_dir, began) = began();
    let primary = Server::start();
    let sentinel = Sentinel::start(&primary, Setup::default());
    let sentinels = format!("nowhere.example:26379,{}", sentinel.address());
    slowly(rcli(["--sentinel", &sentinels, "--master", "mymaster", "-t", "3", "PING"]), &began).prints("PONG\n").run();
    assert!(began.exists(), "the system's look-up was not asked");
}

#[test]
fn nodes_whose_names_are_looked_up_for_ever_are_reached_at_the_host_that_was_named() {
    let (_dir, began) = began();
    let named = ["--cluster-announce-hostname", "nowhere.example", "--cluster-preferred-endpoint-type", "hostname"];
    let cluster = Cluster::with_args(3, &named);
    cluster.nodes[0].wait_until("CLUSTER SLOTS", |slots| slots.matches("nowhere.example").count() == 3);
    let sets = "SET foo 1\nSET bar 1\nSET c 1\n";
    slowly(cluster.rcli(["-t", "1", "pipe"]), &began).stdin(sets).prints("OK\nOK\nOK\n").run();
    slowly(cluster.rcli(["-t", "1", "GET", "foo"]), &began).prints("1\n").run();
    assert!(began.exists(), "the system's look-up was not asked");
}

//! docs/redis-cli.md, row by row: what each says to try gives what it says.

use crate::server::Server;
use std::os::unix::fs::symlink;
use std::process::Command;
use tempfile::TempDir;

const PAGE: &str = include_str!("../../docs/redis-cli.md");

/// A row of a table: the option or variable, what to run, and what that gives.
struct Row {
    name: String,
    line: String,
    status: i32,
    words: Vec<String>,
}

/// The cells of a row; `\|` is no end of one.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim_matches('|').replace("\\|", "\u{1}");
    line.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rows() -> Vec<Row> {
    let is_row = |line: &&str| line.starts_with("| `") || line.starts_with("| a ");
    let read = |line: &str| {
        let cells = cells(line);
        let [name, _, tried, gives] = cells.as_slice() else { panic!("four cells: {line}") };
        let status = gives.split('`').next().unwrap_or_default().trim();
        Row {
            name: name.clone(),
            line: quoted(tried).join(" "),
            status: if status.is_empty() { 0 } else { status.parse().expect("a status") },
            words: quoted(gives),
        }
    };
    PAGE.lines().filter(is_row).map(read).collect()
}

fn server_of_the_page() -> Server {
    let server = Server::start();
    server.call(&[b"SET", b"k", b"v"]);
    server.call(&[b"RPUSH", b"l", b"a", b"b"]);
    server
}

#[test]
fn every_row_gives_what_it_says() {
    let server = server_of_the_page();
    let mut wrong = Vec::new();
    for row in rows() {
        let dir = TempDir::new().expect("a directory");
        symlink(env!("CARGO_BIN_EXE_rcli"), dir.path().join("rcli")).expect("a link to the binary");
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").expect("a path"));
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {}", row.line)])
            .env_clear()
            .envs([("PATH", path.as_str()), ("TERM", "xterm"), ("RCLI_URL", &server.url())])
            .env("HOME", dir.path())
            .env("PORT", server.port().to_string())
            .env("SOCKET", server.socket())
            .current_dir(dir.path())
            .stdin(std::process::Stdio::null())
            .output()
            .expect("a shell");
        let written = String::from_utf8_lossy(&output.stdout).into_owned();
        let status = output.status.code();
        let lacks = row.words.iter().any(|words| !written.contains(words.as_str()));
        if lacks || status != Some(row.status) || row.words == [""] && !written.is_empty() {
            wrong.push(format!("{}: {}\n  status {status:?}: {written}", row.name, row.line));
        }
        server.call(&[b"SET", b"k", b"v"]);
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_option_of_both_tools_has_a_row() {
    const OPTIONS: &str = "-h -p -s -t -4 -6 -u -n -a --pass --user --askpass --no-auth-warning -2 -3 -c --tls --sni --cacert \
        --cacertdir --cert --key --insecure --tls-ciphers --tls-ciphersuites --rdma --mptcp -r -i -x -X -e --quoted-input \
        --verbose --help --version -v --raw --no-raw --csv --json --quoted-json -d -D --show-pushes --pipe --pipe-timeout \
        --scan --pattern --quoted-pattern --count --bigkeys --memkeys --memkeys-samples --keystats --keystats-samples --top \
        --hotkeys --hotkeys-count --cursor --eval --ldb --ldb-sync-mode --stat --latency --latency-history --latency-dist \
        --latency-percentiles --vset-recall --vset-recall-count --vset-recall-ef --vset-recall-ele \
        --mono --rdb --functions-rdb --lru-test --intrinsic-latency --replica --slave --cluster --cluster-yes --test_hint \
        --test_hint_file REDISCLI_AUTH VALKEYCLI_AUTH VALKEYCLI_HOST VALKEYCLI_PORT REDISCLI_HISTFILE VALKEYCLI_HISTFILE \
        REDISCLI_RCFILE VALKEYCLI_RCFILE REDISCLI_CLUSTER_YES VALKEYCLI_CLUSTER_YES FAKETTY FAKETTY_WITH_PROMPT";
    let names: Vec<String> = rows().iter().flat_map(|row| quoted(&row.name)).collect();
    let has_row = |option: &&str| names.iter().any(|name| name.split(' ').next() == Some(option));
    let missing: Vec<&str> = OPTIONS.split_whitespace().filter(|option| !has_row(option)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

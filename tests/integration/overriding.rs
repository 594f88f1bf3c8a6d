//! Words that say the same: the last one counts, before and behind the subcommand alike, so that a wrapper
//! `rcli -p 7000 "$@"` can be overridden; then the environment, then the profile (contract section 1).

use crate::peer::{peer, send};
use crate::rcli::{Rcli, rcli};
use crate::server::Server;

const SECRET: &str = "s3cr3t-pa55";

/// A server whose databases 0, 2 and 3 hold their number under `k`.
fn numbered() -> Server {
    let server = Server::start();
    for db in ["0", "2", "3"] {
        server.rcli(["-n", db, "SET", "k", db]).prints("OK\n").run();
    }
    server
}

/// Reads `k`, by each way to give options: before a command, before and behind `exec`, and around another subcommand.
fn assert_reads(words: &[&str], value: &str, prepare: impl Fn(Rcli) -> Rcli) {
    let line = format!("{value}\n");
    prepare(rcli(words.iter().copied()).args(["GET", "k"])).prints(&line).run();
    prepare(rcli(["exec"]).args(words).args(["GET", "k"])).prints(&line).run();
    prepare(rcli(["pipe"]).args(words)).stdin("GET k\n").prints(&line).run();
    for at in (0..words.len()).filter(|at| words[*at].starts_with('-')) {
        let (before, behind) = words.split_at(at);
        prepare(rcli(before.iter().copied()).args(["exec"]).args(behind).args(["GET", "k"])).prints(&line).run();
        prepare(rcli(before.iter().copied()).args(["pipe"]).args(behind)).stdin("GET k\n").prints(&line).run();
    }
}

#[test]
fn an_option_given_twice_counts_where_it_stands_last() {
    let server = numbered();
    let port = server.port().to_string();
    let socket = server.socket().display().to_string();
    let as_it_is = |run: Rcli| run;
    assert_reads(&["-p", "1", "-p", &port], "0", as_it_is);
    assert_reads(&["-h", "no-such-host.invalid", "-p", &port, "--host", "127.0.0.1"], "0", as_it_is);
    assert_reads(&["-p", &port, "-n", "2", "--db", "3"], "3", as_it_is);
    assert_reads(&["-s", "/no/such", "-s", &socket], "0", as_it_is);
    assert_reads(&["-u", "redis://127.0.0.1:1/3", "-u", &server.url()], "0", as_it_is);
    assert_reads(&["-p", &port, "-t", "0.000001", "-t", "5"], "0", as_it_is);
}

#[test]
fn options_and_a_url_set_parts_and_the_later_word_wins_its_part() {
    let server = numbered();
    let (port, url) = (server.port().to_string(), server.url());
    let as_it_is = |run: Rcli| run;
    assert_reads(&["-u", "redis://127.0.0.1:1/3", "-p", &port], "3", as_it_is);
    assert_reads(&["-p", &port, "-u", "redis://127.0.0.1/3"], "3", as_it_is);
    assert_reads(&["-h", "127.0.0.1", "-p", &port, "-u", "redis:///2"], "2", as_it_is);
    assert_reads(&["-p", "1", "-u", &url, "-n", "3"], "3", as_it_is);
    assert_reads(&["-n", "3", "-u", &url], "3", as_it_is);
    assert_reads(&["-n", "3", "-u", &format!("{url}/2")], "2", as_it_is);
    assert_reads(&["-u", &format!("{url}/2"), "-n", "3"], "3", as_it_is);
    assert_reads(&["-u", "redis://no-such-host.invalid/2", "-h", "127.0.0.1", "-p", &port], "2", as_it_is);
    assert_reads(&["-u", "redis+sentinel://127.0.0.1:1/mymaster/2", "-p", &port], "2", as_it_is);
}

#[test]
fn a_socket_and_a_host_and_port_set_each_other_aside() {
    let server = numbered();
    let port = server.port().to_string();
    let socket = server.socket().display().to_string();
    let as_it_is = |run: Rcli| run;
    assert_reads(&["-h", "no-such-host.invalid", "-p", "1", "-s", &socket], "0", as_it_is);
    assert_reads(&["-s", "/no/such", "-p", &port], "0", as_it_is);
    assert_reads(&["-s", "/no/such", "-u", &format!("{}/2", server.url())], "2", as_it_is);
    assert_reads(&["-p", "1", "-u", &format!("unix://{socket}?db=3")], "3", as_it_is);
    assert_reads(&["-u", "rediss://127.0.0.1:1/3", "-s", &socket], "3", as_it_is);
}

#[test]
fn the_sources_of_a_password_are_one_option() {
    let server = Server::with_password(SECRET);
    server.ask("SET k v");
    let port = server.port().to_string();
    let (right, wrong) = (format!("redis://:{SECRET}@127.0.0.1"), "redis://:wrong@127.0.0.1");
    let prepare = |run: Rcli| run.args(["--no-auth-warning"]).file("right", SECRET).file("wrong", "wrong");
    let reads = |words: &[&str]| {
        let words = [&["--no-auth-warning", "-p", &port], words].concat();
        assert_reads(&words, "v", |run| run.file("right", SECRET).file("wrong", "wrong").any_stderr());
    };
    reads(&["-a", "wrong", "-a", SECRET]);
    reads(&["--pass-file", "wrong", "-a", SECRET]);
    reads(&["-a", "wrong", "--pass-file", "right"]);
    reads(&["--askpass", "-a", SECRET]);
    reads(&["-u", wrong, "-a", SECRET]);
    reads(&["-a", "wrong", "-u", &right]);
    reads(&["--askpass", "-u", &right]);
    reads(&["-a", SECRET, "-u", "redis://127.0.0.1"]);
    reads(&["--user", "nobody", "--user", "default", "-a", SECRET]);
    reads(&["--user", "nobody", "-u", &format!("redis://default:{SECRET}@127.0.0.1")]);
    reads(&["-u", "redis://nobody:wrong@127.0.0.1", "--user", "default", "-a", SECRET]);
    // The later source fails, though an earlier one was right.
    let run = prepare(server.rcli(["-a", SECRET, "--pass-file", "wrong", "GET", "k"]));
    run.status(3).complains(&["WRONGPASS"]).run();
    let run = prepare(server.rcli(["-a", SECRET, "-u", wrong, "-p", &port, "GET", "k"]));
    run.status(3).any_stderr().run();
}

#[test]
fn an_empty_password_without_a_user_is_none() {
    for args in [&["-a", ""][..], &["-a", "x", "--pass", ""], &["--pass-file", "empty"], &["-u", "redis://:@127.0.0.1"]]
    {
        let peer = peer().otherwise(send("+OK\r\n")).start();
        let port = peer.port().to_string();
        let run = rcli(["--no-auth-warning"]).args(args).args(["-p", &port, "GET", "k"]).file("empty", "\n");
        run.env("REDISCLI_AUTH", "").prints("OK\n").run();
        assert_eq!(peer.commands(), ["GET k"], "{args:?}");
    }
    let peer = peer().otherwise(send("+OK\r\n")).start();
    peer.rcli(["-a", "", "GET", "k"]).env("REDISCLI_AUTH", "of-the-wrapper").prints("OK\n").run();
    assert_eq!(peer.commands(), ["GET k"]);
}

#[test]
fn an_empty_password_with_a_user_is_sent() {
    let server = Server::start();
    server.ask("ACL SETUSER open on nopass ~* +@all");
    server.rcli(["--user", "open", "-a", "", "ACL", "WHOAMI"]).prints("open\n").run();
    server
        .rcli(["-u", "redis://open:@127.0.0.1", "-p", &server.port().to_string(), "ACL", "WHOAMI"])
        .prints("open\n")
        .run();
    let peer = peer().otherwise(send("+OK\r\n")).start();
    peer.rcli(["--user", "open", "-a", "", "GET", "k"]).prints("OK\n").run();
    assert_eq!(peer.commands()[0], "AUTH open ");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_password_in_a_file() {
    let server = Server::with_password(SECRET);
    let run = server.rcli(["--pass-file", "pw", "PING"]).file("pw", format!("\u{feff}{SECRET}\r\n"));
    run.prints("PONG\n").run();
}

#[test]
fn output_formats_are_one_option_and_set_the_environment_aside() {
    let server = Server::start();
    server.ask("SET k v");
    let formats = [("--raw", "v\n"), ("--json", "\"v\"\n"), ("--human", "\"v\"\n"), ("--no-raw", "\"v\"\n")];
    for (first, _) in formats {
        for (last, out) in formats {
            server.rcli([first, last, "GET", "k"]).prints(out).run();
            server.rcli([first, "exec", last, "GET", "k"]).prints(out).run();
            server.rcli([first, "pipe", last]).stdin("GET k\n").prints(out).run();
            server.rcli([first, last, first, "pipe", last]).stdin("GET k\n").prints(out).run();
        }
    }
    server.rcli(["--raw", "GET", "k"]).env("RCLI_FORMAT", "json").prints("v\n").run();
    server.rcli(["pipe", "--raw"]).env("RCLI_FORMAT", "json").stdin("GET k\n").prints("v\n").run();
    server.rcli(["--raw", "GET", "k"]).env("RCLI_FORMAT", "nonsense").prints("v\n").run();
}

#[test]
fn the_versions_of_resp_are_one_option() {
    for (args, is_3) in [
        (&["-2", "-3", "exec", "X"][..], true),
        (&["-3", "-2", "exec", "X"], false),
        (&["-2", "exec", "-3", "X"], true),
        (&["-3", "exec", "-2", "X"], false),
        (&["-2", "-u", "redis://127.0.0.1?protocol=3", "exec", "X"], true),
        (&["-u", "redis://127.0.0.1?protocol=3", "exec", "-2", "X"], false),
    ] {
        let peer = peer().otherwise(send("+OK\r\n")).start();
        rcli(args.iter().copied().take(args.len() - 2))
            .args(["-p", &peer.port().to_string()])
            .args(&args[args.len() - 2..])
            .any_stdout()
            .run();
        assert_eq!(peer.commands()[0].starts_with("HELLO 3"), is_3, "{args:?}: {:?}", peer.commands());
    }
}

#[test]
fn what_is_checked_of_a_certificate_is_one_option() {
    let checks = "no-such-file";
    for (args, is_checked) in [
        (&["--insecure", "--verify", "full", "exec"][..], true),
        (&["--verify", "full", "--insecure", "exec"], false),
        (&["--insecure", "exec", "--verify", "ca"], true),
        (&["--verify", "none", "--verify", "full", "exec"], true),
        (&["-u", "rediss://127.0.0.1:1#insecure", "--verify", "full", "exec"], true),
        (&["--verify", "full", "-u", "rediss://127.0.0.1:1#insecure", "exec"], false),
    ] {
        let run = rcli(["-p", "1", "--cacert", checks]).args(args).args(["PING"]);
        let (status, told) = if is_checked { (2, checks) } else { (3, "Connection refused") };
        run.status(status).complains(&[told]).run();
    }
}

#[test]
fn a_typed_address_sets_the_whole_url_of_the_environment_aside() {
    let server = numbered();
    let port = server.port().to_string();
    let socket = server.socket().display().to_string();
    for variable in ["RCLI_URL", "REDIS_URL"] {
        let elsewhere = |run: Rcli| run.env(variable, format!("rediss://nobody:{SECRET}@127.0.0.1:1/3?protocol=3"));
        assert_reads(&["-p", &port], "0", elsewhere);
        assert_reads(&["-h", "127.0.0.1", "-p", &port], "0", elsewhere);
        assert_reads(&["-s", &socket], "0", elsewhere);
        assert_reads(&["-u", &server.url()], "0", elsewhere);
        // What says nothing of the address is laid over it.
        assert_reads(&["-n", "2"], "2", |run| run.env(variable, format!("{}/3", server.url())));
    }
}

#[test]
fn valkey_clis_variables_say_where_and_who() {
    let server = numbered();
    let port = server.port().to_string();
    let here = |run: Rcli| run.env("VALKEYCLI_HOST", "127.0.0.1").env("VALKEYCLI_PORT", &port);
    assert_reads(&[], "0", here);
    assert_reads(&["-n", "2"], "2", here);
    assert_reads(&["-p", &port], "0", |run| run.env("VALKEYCLI_HOST", "127.0.0.1").env("VALKEYCLI_PORT", "nonsense"));
    assert_reads(&["-h", "127.0.0.1"], "0", |run| run.env("VALKEYCLI_HOST", "x.invalid").env("VALKEYCLI_PORT", &port));
    assert_reads(&[], "3", |run| here(run).env("VALKEYCLI_PORT", "1").env("REDIS_URL", format!("{}/3", server.url())));
    let dead = rcli(["PING"]).env("VALKEYCLI_PORT", "nonsense").status(2);
    dead.complains(&["VALKEYCLI_PORT=nonsense"]).run();

    server.ask("ACL SETUSER bob on >pw ~* +@all");
    let who = |run: Rcli, name: &str| here(run.args(["ACL", "WHOAMI"])).prints(format!("{name}\n")).run();
    who(rcli([""; 0]).env("VALKEYCLI_USER", "bob").env("VALKEYCLI_AUTH", "pw"), "bob");
    who(rcli(["--no-auth-warning", "-a", "pw"]).env("VALKEYCLI_USER", "bob"), "bob");
    who(rcli(["--user", "bob"]).env("VALKEYCLI_USER", "nobody").env("REDISCLI_AUTH", "pw"), "bob");
    // A user without a password is nobody.
    who(rcli([""; 0]).env("VALKEYCLI_USER", "bob"), "default");
}

#[test]
fn a_sandbox_sets_every_address_and_credential_aside() {
    let elsewhere = |run: Rcli| {
        run.env("RCLI_URL", format!("rediss://nobody:{SECRET}@127.0.0.1:1/3"))
            .env("REDISCLI_AUTH", SECRET)
            .env("VALKEYCLI_USER", "nobody")
            .env("VALKEYCLI_PORT", "nonsense")
    };
    for words in [
        &["-h", "x.invalid", "-p", "1", "-a", SECRET, "--user", "nobody"][..],
        &["-u", "rediss://nobody:x@127.0.0.1:1/3"],
        &["-u", "no-url"],
        &["-s", "/no/such", "--askpass"],
        &["--sentinel", "127.0.0.1:1", "--master", "mymaster", "--sentinel-pass", "x"],
        &["--tls", "--cacert", "none.pem", "--pass-file", "none"],
    ] {
        elsewhere(rcli(words.iter().copied()).args(["--no-auth-warning", "--sandbox", "ACL", "WHOAMI"]))
            .prints("default\n")
            .run();
        elsewhere(rcli(["--no-auth-warning", "--sandbox", "exec"]).args(words).args(["ACL", "WHOAMI"]))
            .prints("default\n")
            .run();
    }
    elsewhere(rcli(["--sandbox", "-n", "3", "CLIENT", "INFO"])).prints_among(&[" db=3 "]).run();
    elsewhere(rcli(["--sandbox=cluster", "--sandbox", "PING"])).prints("PONG\n").run();
}

#[test]
fn a_profile_stays_below_the_options_and_the_environment() {
    let server = numbered();
    let port = server.port().to_string();
    let url = server.url();
    let with = |lines: &str| {
        let config = format!("[profile.p]\n{lines}\n");
        move |run: Rcli| run.file(".config/rcli/config.toml", &config).env("RCLI_PROFILE", "p")
    };
    assert_reads(&[], "2", with(&format!("port = {port}\ndb = 2")));
    assert_reads(&["-n", "3"], "3", with(&format!("db = 2\nurl = \"{url}\"")));
    assert_reads(&["-n", "0", "-n", "3"], "3", with(&format!("url = \"{url}/2\"")));
    assert_reads(&["-p", "1", "-p", &port], "0", with("url = \"redis://127.0.0.1:1/2\""));
    assert_reads(&["--raw"], "0", with(&format!("json = true\nport = {port}")));
    assert_reads(&[], "\"0\"", with(&format!("json = true\nport = {port}")));
    assert_reads(&["-t", "0", "-t", "7"], "0", with(&format!("connect-timeout = 3\nport = {port}")));
    // The environment names another server: what the profile says of its own does not hold there.
    let profile = with("host = \"x.invalid\"\ndb = 2\npassword_command = \"exit 1\"");
    assert_reads(&[], "0", |run| profile(run).env("VALKEYCLI_HOST", "127.0.0.1").env("VALKEYCLI_PORT", &port));
}

#[test]
fn what_may_be_given_more_than_once_still_adds_up() {
    let server = Server::start();
    let lines = "{\"type\":\"subscribe\",\"pattern\":null,\"channel\":\"a\",\"data\":1}\n\
                 {\"type\":\"subscribe\",\"pattern\":null,\"channel\":\"b\",\"data\":2}\n\
                 {\"type\":\"psubscribe\",\"pattern\":null,\"channel\":\"x*\",\"data\":3}\n\
                 {\"type\":\"psubscribe\",\"pattern\":null,\"channel\":\"y*\",\"data\":4}\n";
    let args = ["sub", "a", "b", "--pattern", "x*", "--timeout", "100", "--pattern", "y*", "--timeout", "1.25"];
    server.rcli(args).prints(lines).run();
}

#[test]
fn no_limit_on_connecting_is_none() {
    let server = Server::start();
    let socket = server.socket().display().to_string();
    for format in ["--raw", "--json"] {
        server.rcli([format, "-t", "0", "EXISTS", "k"]).prints("0\n").run();
        server.rcli([format, "-t", "0.000001", "-t", "0", "-s", &socket, "EXISTS", "k"]).prints("0\n").run();
        server.rcli([format, "-t", "0", "pipe"]).stdin("EXISTS k\n").prints("0\n").run();
    }
    server.rcli(["sub", "-t", "0", "c", "--idle", "0.1"]).any_stdout().run();
}

//! Sentinels: who is asked, who is believed, what a failover does (contract section 12).

use crate::certificates::Certificates;
use crate::peer::{Answer, Peer, peer, send};
use crate::rcli::{Rcli, rcli};
use crate::resp::pack;
use crate::sentinels::{Sentinel, SentinelSet, Setup, replicated};
use crate::server::{Server, free_port};
use std::time::{Duration, Instant};

/// A sentinel's answer that names this port.
pub fn naming(port: u16) -> Answer {
    send(pack(&["127.0.0.1", &port.to_string()]))
}

/// A scripted sentinel that names this port.
pub fn sentinel_naming(port: u16) -> Peer {
    peer().otherwise(naming(port)).start()
}

/// A run with these ports of 127.0.0.1 for sentinels, and `mymaster`.
pub fn asking(ports: &[u16]) -> Rcli {
    let list: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    rcli(["--sentinel", &list.join(","), "--master", "mymaster"])
}

#[test]
fn the_first_sentinel_that_answers_names_the_primary() {
    let server = Server::start();
    let (first, second) = (sentinel_naming(server.port()), sentinel_naming(free_port()));
    asking(&[free_port(), first.port(), second.port()]).args(["SET", "k", "v"]).prints("OK\n").run();
    assert_eq!(first.ordinary(), ["SENTINEL GET-MASTER-ADDR-BY-NAME mymaster"]);
    assert_eq!(second.connections(), 0, "one answer is enough");
    assert_eq!(server.ask("GET k"), "v");
}

#[test]
fn every_verb_goes_to_the_primary() {
    let server = Server::start();
    let sentinel = sentinel_naming(server.port());
    let run = |args: &[&str]| asking(&[sentinel.port()]).args(args.iter().copied());
    run(&["pipe"]).stdin("SET k v\nGET k\n").prints("OK\nv\n").run();
    run(&[]).stdin("GET k\n").prints("v\n").run();
    run(&["--json", "GET", "k"]).prints("\"v\"\n").run();
    run(&["pipe", "--atomic"]).stdin("INCR n\n").prints("1\n").run();
}

#[test]
fn a_url_names_sentinels_primary_and_database() {
    let server = Server::start();
    let sentinel = sentinel_naming(server.port());
    let url = |rest: &str| format!("redis+sentinel://127.0.0.1:{},127.0.0.1:{}{rest}", free_port(), sentinel.port());
    rcli(["-u", &url("/mymaster"), "SET", "k", "v"]).prints("OK\n").run();
    rcli(["SET", "k", "two"]).env("RCLI_URL", url("/mymaster/2")).prints("OK\n").run();
    rcli(["-u", &url("/mymaster/2"), "GET", "k"]).prints("two\n").run();
    rcli(["-u", &url("/mymaster?db=2"), "GET", "k"]).prints("two\n").run();
    rcli(["-u", &url("/my%6daster/"), "-n", "2", "GET", "k"]).prints("two\n").run();
    let asked = sentinel.ordinary();
    assert!(asked.iter().all(|command| command == "SENTINEL GET-MASTER-ADDR-BY-NAME mymaster"), "{asked:?}");
}

#[test]
fn a_sentinel_url_that_says_too_little_or_too_much_is_bad_usage() {
    for url in [
        "redis+sentinel://127.0.0.1:1",
        "redis+sentinel://127.0.0.1:1/",
        "redis+sentinel:///mymaster",
        "redis+sentinel://127.0.0.1:1,/mymaster",
        "redis+sentinel://127.0.0.1:x/mymaster",
        "redis+sentinel://127.0.0.1:1/mymaster/0/1",
    ] {
        rcli(["-u", url, "PING"]).status(2).complains(&["redis+sentinel://HOST:PORT,HOST:PORT/MASTER/DB"]).run();
    }
    rcli(["-u", "redis+sentinel://127.0.0.1:1/mymaster/x", "PING"]).status(2).complains(&["database"]).run();
    rcli(["-u", "redis+sentinel://127.0.0.1:1/mymaster?nosuch=1", "PING"]).status(2).complains(&["nosuch"]).run();
}

#[test]
fn sentinel_options_that_do_not_fit_are_bad_usage() {
    rcli(["--sentinel", "127.0.0.1:1", "PING"]).status(2).complains(&["--master"]).run();
    rcli(["--master", "mymaster", "PING"]).status(2).complains(&["--sentinel"]).run();
    rcli(["--no-auth-warning", "--sentinel-pass", "x", "PING"]).status(2).complains(&["--sentinel-pass", "need"]).run();
    let run = |args: &[&str]| asking(&[1]).args(args.iter().copied()).args(["PING"]);
    for args in [&["-h", "x"][..], &["-p", "1"], &["-s", "/x"], &["-u", "redis://x"]] {
        run(args).status(2).complains(&[args[0].trim_start_matches('-'), "--sentinel"]).run();
    }
    run(&["--sentinel-user", "x"]).status(2).complains(&["--sentinel-pass"]).run();
    rcli(["--sentinel", "127.0.0.1:no", "--master", "m", "PING"]).status(2).complains(&["127.0.0.1:no"]).run();
}

#[test]
fn a_silent_sentinel_is_left_for_the_next_one_within_the_connect_limit() {
    let server = Server::start();
    let silent = peer().start();
    let sentinel = sentinel_naming(server.port());
    let begin = Instant::now();
    asking(&[silent.port(), sentinel.port()]).args(["-t", "3", "PING"]).prints("PONG\n").run();
    assert_eq!(silent.connections(), 1, "it is asked first");
    let elapsed = begin.elapsed();
    assert!((900..3000).contains(&elapsed.as_millis()), "{elapsed:?}");
    // Without a limit on connecting too, and sentinels that name nothing but the dead are not asked for ever.
    let dead = sentinel_naming(free_port());
    let in_vain = asking(&[dead.port()]).args(["-t", "0", "PING"]).status(3).complains(&["cannot reach the primary"]);
    let in_vain = in_vain.start();
    asking(&[silent.port(), sentinel.port()]).args(["-t", "0", "PING"]).prints("PONG\n").run();
    in_vain.finish();
}

#[test]
fn a_primary_that_hangs_is_left_for_what_the_next_sentinel_names_within_the_connect_limit() {
    let (server, hung) = (Server::start(), peer().start());
    // The second one takes its time, which there has to be.
    let slow = peer().otherwise(naming(server.port())).patient().start();
    let sentinels = [sentinel_naming(hung.port()), slow];
    asking(&sentinels.each_ref().map(Peer::port)).args(["-t", "4", "PING"]).prints("PONG\n").run();
    assert_eq!(hung.connections(), 1, "it is tried first");
}

#[test]
fn all_sentinels_that_fail_are_named_with_their_reasons() {
    let (dead, silent) = (free_port(), peer().start());
    let refusing = peer().otherwise(send("-NOAUTH Authentication required.\r\n")).start();
    let no_sentinel = Server::start();
    let begin = Instant::now();
    asking(&[dead, silent.port(), refusing.port(), no_sentinel.port()])
        .args(["-t", "4", "PING"])
        .status(3)
        .complains(&[
            "'mymaster'",
            &format!("127.0.0.1:{dead}: Connection refused"),
            &format!("127.0.0.1:{}: no answer within", silent.port()),
            &format!("127.0.0.1:{}: NOAUTH", refusing.port()),
            "--sentinel-pass",
            &format!("{}: ERR unknown command", no_sentinel.address()),
            "is it a sentinel?",
        ])
        .run();
    assert!(begin.elapsed() < Duration::from_secs(12), "{:?}", begin.elapsed());
}

#[test]
fn an_unknown_name_is_said_with_those_that_are_known() {
    let server = Server::start();
    let sentinel = Sentinel::start(&server, Setup::default());
    let begin = Instant::now();
    rcli(["--sentinel", &sentinel.address(), "--master", "nosuch", "PING"])
        .status(3)
        .complains(&["'nosuch'", &sentinel.address(), "mymaster"])
        .run();
    assert!(begin.elapsed() < Duration::from_secs(3), "asking again would not help: {:?}", begin.elapsed());
}

#[test]
fn a_replica_that_a_sentinel_names_is_not_believed() {
    let (primary, replica) = replicated();
    let (stale, fresh) = (sentinel_naming(replica.port()), sentinel_naming(primary.port()));
    asking(&[stale.port(), fresh.port()]).args(["SET", "k", "v"]).prints("OK\n").run();
    assert_eq!(stale.ordinary().len(), 1);
}

#[test]
fn a_stale_sentinel_is_asked_again_until_it_names_the_primary() {
    let (primary, replica) = replicated();
    for stale in [replica.port(), free_port()] {
        let answers = [naming(stale), naming(stale)];
        let sentinel = peer().answers(answers).otherwise(naming(primary.port())).start();
        asking(&[sentinel.port()]).args(["SET", "k", "v"]).prints("OK\n").run();
        assert_eq!(sentinel.ordinary().len(), 3);
    }
}

#[test]
fn a_primary_that_never_comes_is_given_up_at_the_connect_limit() {
    let (_primary, replica) = replicated();
    for (port, reason) in [(replica.port(), "is a replica"), (free_port(), "Connection refused")] {
        let sentinel = sentinel_naming(port);
        let begin = Instant::now();
        let run = asking(&[sentinel.port()]).args(["-t", "0.6", "SET", "k", "v"]).status(3);
        let told = run.complains(&["'mymaster'", &format!("127.0.0.1:{port}")]).run().err();
        // The last try may be cut short.
        let reasons = [reason, "connecting took too long", "no answer within"];
        assert!(reasons.iter().any(|reason| told.contains(reason)), "{told}");
        assert!((500..3000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
        // Every 50 ms.
        assert!((2..=13).contains(&sentinel.ordinary().len()), "{:?}", sentinel.ordinary());
    }
}

#[test]
fn refused_credentials_end_the_search_at_once() {
    let server = Server::with_password("right");
    let sentinel = sentinel_naming(server.port());
    let begin = Instant::now();
    asking(&[sentinel.port()])
        .args(["SET", "k", "v"])
        .env("REDISCLI_AUTH", "wrong-one")
        .status(3)
        .complains(&[&server.address(), "WRONGPASS"])
        .run();
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    assert_eq!(sentinel.ordinary().len(), 1);
}

#[test]
fn a_user_that_may_not_ask_for_the_role_believes_the_sentinel() {
    let server = Server::start();
    server.ask("ACL SETUSER worker on >pw ~* +get +set");
    let sentinel = sentinel_naming(server.port());
    asking(&[sentinel.port()])
        .args(["--user", "worker", "SET", "k", "v"])
        .env("REDISCLI_AUTH", "pw")
        .prints("OK\n")
        .run();
}

#[test]
fn sentinels_and_primary_have_passwords_of_their_own() {
    let server = Server::with_password("data-secret");
    let sentinel = sentinel_naming(server.port());
    let url = format!("redis+sentinel://:data-secret@127.0.0.1:{}/mymaster", sentinel.port());
    asking(&[sentinel.port()]).args(["PING"]).env("REDISCLI_AUTH", "data-secret").prints("PONG\n").run();
    rcli(["--no-auth-warning", "-u", &url, "PING"]).prints("PONG\n").run();
    assert!(!sentinel.commands().join(" ").contains("AUTH "), "{:?}", sentinel.commands());
    asking(&[sentinel.port()])
        .args(["--sentinel-user", "watcher", "PING"])
        .env("REDISCLI_AUTH", "data-secret")
        .env("RCLI_SENTINEL_AUTH", "sentinel-secret")
        .prints("PONG\n")
        .run();
    assert!(sentinel.commands().contains(&"AUTH watcher sentinel-secret".to_owned()), "{:?}", sentinel.commands());
}

#[test]
fn a_sentinel_with_a_password_is_given_it() {
    let server = Server::start();
    let sentinel = Sentinel::start(&server, Setup { password: Some("s3cr3t"), ..Setup::default() });
    let run = || asking(&[sentinel.port()]);
    run().args(["PING"]).env("RCLI_SENTINEL_AUTH", "s3cr3t").prints("PONG\n").run();
    let typed = run().args(["--sentinel-pass", "s3cr3t", "PING"]).prints("PONG\n").complains(&["warning"]).run();
    assert!(!typed.err().contains("s3cr3t"));
    run().args(["--sentinel-pass", "s3cr3t", "--no-auth-warning", "PING"]).prints("PONG\n").run();
    run().args(["PING"]).status(3).complains(&[&sentinel.address(), "NOAUTH", "RCLI_SENTINEL_AUTH"]).run();
    let wrong = run().args(["PING"]).env("RCLI_SENTINEL_AUTH", "wr0ng").status(3).complains(&["WRONGPASS"]).run();
    assert!(!wrong.err().contains("wr0ng"));
}

#[test]
fn tls_options_apply_to_sentinels_and_primary() {
    let certificates = Certificates::make();
    let server = Server::with_tls(&certificates, false);
    let sentinel = Sentinel::start(&server, Setup { tls: Some(&certificates), ..Setup::default() });
    let address = format!("localhost:{}", sentinel.port());
    let trusting =
        |args: &[&str]| rcli(args.iter().copied()).args(["--sni", "localhost", "--cacert"]).args([&certificates.ca]);
    trusting(&["--sentinel", &address, "--master", "mymaster", "--tls"]).args(["PING"]).prints("PONG\n").run();
    trusting(&["-u", &format!("rediss+sentinel://{address}/mymaster")]).args(["PING"]).prints("PONG\n").run();
    rcli(["--sentinel", &address, "--master", "mymaster", "--tls", "-t", "1", "PING"])
        .status(3)
        .complains(&[&address, "certificate"])
        .run();
}

#[test]
fn a_failover_between_two_runs_is_followed() {
    let mut set = SentinelSet::start();
    let list = set.list();
    let run = |args: &[&str]| rcli(["--sentinel", &list, "--master", "mymaster"]).args(args.iter().copied());
    run(&["SET", "k", "before"]).prints("OK\n").run();
    set.replica.wait_until("GET k", |value| value == "before");
    set.primary.kill_nine();
    // No waiting: the run itself lasts until there is a primary again.
    run(&["-t", "20", "SET", "k", "after"]).prints("OK\n").run();
    assert_eq!(set.replica.ask("GET k"), "after");
}

#[test]
fn a_stream_asks_the_sentinels_as_a_command_does() {
    let server = Server::start();
    let (silent, sentinel) = (peer().start(), sentinel_naming(server.port()));
    let refusing = peer().otherwise(send("-NOAUTH Authentication required.\r\n")).start();
    let list = [silent.port(), refusing.port(), free_port(), sentinel.port()];
    let mut run = asking(&list).args(["-t", "1", "sub", "c", "--count", "1"]).any_stdout().start();
    run.wait_for_lines(1);
    server.ask("PUBLISH c x");
    run.finish();
    let dead = [free_port(), free_port()];
    let told = dead.map(|port| format!("127.0.0.1:{port}: Connection refused"));
    asking(&dead).args(["sub", "c"]).status(3).complains(&["'mymaster'", &told[0], &told[1]]).run();
    let real = Sentinel::start(&server, Setup::default());
    let run = rcli(["--sentinel", &real.address(), "--master", "nosuch", "sub", "c"]);
    run.status(3).complains(&["'nosuch'", &real.address(), "mymaster"]).run();
}

#[test]
fn a_stream_survives_a_failover() {
    let mut set = SentinelSet::start();
    let (old, new) = (set.primary.address(), set.replica.address());
    let mut run = rcli(["--sentinel", &set.list(), "--master", "mymaster", "sub", "--events", "--count", "2", "news"])
        .any_stdout()
        .reports_among(&[&format!("{old}: connection lost"), &format!("{new}: reconnected after")])
        .start();
    assert!(run.next_line().contains("\"subscribe\""));
    set.primary.ask("PUBLISH news one");
    assert!(run.next_line().contains("\"one\""));
    set.primary.kill_nine();
    let lost = run.next_line();
    assert!(lost.contains("\"disconnected\"") && lost.contains(&old), "{lost}");
    set.wait_for_failover();
    assert!(run.next_line().contains("\"subscribe\""));
    let back = run.next_line();
    assert!(back.contains("\"reconnected\"") && back.contains(&new), "{back}");
    set.replica.ask("PUBLISH news two");
    assert!(run.next_line().contains("\"two\""));
    run.finish();
}

//! redis-cli's prompt on pipes, which `FAKETTY_WITH_PROMPT` asks for (docs/redis-cli.md).

use crate::rcli::Rcli;
use crate::server::{Server, wait_for};

fn prompted(server: &Server) -> Rcli {
    server.rcli(["-n", "3"]).env("FAKETTY", "1").env("FAKETTY_WITH_PROMPT", "1")
}

#[test]
fn lines_are_typed_key_by_key_behind_a_prompt() {
    let server = Server::start();
    let prompt = format!("{}[3]> ", server.address());
    let out = prompted(&server).stdin("SET k xy\x7fz\r\nGET k\r\n\x04").any_stdout().run().out();
    assert!(out.starts_with(&format!("\r{prompt}\x1b[0K\r{prompt}S\x1b[0K\r{prompt}SE\x1b[0K")), "{out:?}");
    assert!(out.contains(&format!("\r{prompt}SET k xz\x1b[0K\nOK\n\r{prompt}\x1b[0K")), "{out:?}");
    assert!(out.contains(&format!("\r{prompt}GET k\x1b[0K\n\"xz\"\n")), "{out:?}");
    assert!(out.ends_with(&format!("\r{prompt}\x1b[0K")), "{out:?}");
    // A bad line ends nothing, and what is empty says nothing.
    let run = prompted(&server).stdin("\rGET \"k\r\x1b[APING\rquit\rPING\r").any_stdout().status(2);
    let out = run.run().out();
    assert_eq!((out.matches("Invalid argument(s)\n").count(), out.matches("\nPONG\n").count()), (1, 1), "{out:?}");
}

#[test]
fn lines_before_are_searched_both_ways() {
    let server = Server::start();
    let typed = "ECHO one\rECHO two\r";
    let last = |keys: &str| {
        let out = prompted(&server).stdin(format!("{typed}{keys}")).any_stdout().run().out();
        out.rsplit('\r').next().unwrap_or_default().to_owned()
    };
    let [back, on] = ["(reverse-i-search): ", "(i-search): "];
    assert_eq!(last("\x12"), format!("{back}\x1b[0K"));
    assert_eq!(last("\x12HO"), format!("{back}\x1b[0mEC\x1b[1mHO\x1b[0m two\x1b[0K"));
    assert_eq!(last("\x12HO\x12"), format!("{back}\x1b[0mEC\x1b[1mHO\x1b[0m one\x1b[0K"));
    assert_eq!(last("\x12HO\x12\x12"), format!("{back}\x1b[0mEC\x1b[1mHO\x1b[0m one\x1b[0K"));
    assert_eq!(last("\x13HO"), format!("{on}\x1b[0mEC\x1b[1mHO\x1b[0m one\x1b[0K"));
    assert_eq!(last("\x13HO\x13"), format!("{on}\x1b[0mEC\x1b[1mHO\x1b[0m two\x1b[0K"));
    assert_eq!(last("\x12none"), format!("{back}none\x1b[0K"));
    let prompt = format!("{}[3]> ", server.address());
    assert_eq!(last("\x12one\tx"), format!("{prompt}ECHO onex\x1b[0K"));
    for leave in ["\x07", "\x1b[A"] {
        assert_eq!(last(&format!("\x12HO{leave}")), format!("{prompt}\x1b[0K"));
    }
    let out = prompted(&server).stdin(format!("{typed}\x12one\r")).any_stdout().run().out();
    assert_eq!(out.matches("\n\"one\"\n").count(), 2);
}

#[test]
fn a_server_that_comes_back_is_met_again_in_the_same_database() {
    let mut server = Server::start();
    let mut run = prompted(&server).interactive().any_stdout().any_stderr().status(3).start();
    run.send("SET k v\r");
    run.wait_for_lines(2);
    server.kill_nine();
    run.send("PING\r");
    wait_for("the failure", || run.err_so_far().contains("rcli: "));
    server.restart();
    run.send("SET k w\rGET k\r");
    run.wait_for_lines(6);
    let out = run.finish().out();
    assert!(out.contains("\rnot connected> SET k w\x1b[0K\nOK\n"), "{out:?}");
    assert!(out.ends_with(&format!("\n\"w\"\n\r{}[3]> \x1b[0K", server.address())), "{out:?}");
}

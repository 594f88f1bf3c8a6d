//! `pipe --from-csv` and `--from-tsv`: rows of a table as commands (contract section 6).

use crate::rcli::rcli;
use crate::server::{Server, free_port};

const USERS: &str = "id,name,note\n1,Ada,\"said \"\"hi\"\",\nand left\"\n2,\"Bo, Jr.\",{id} 'x' \\n\n3,,\n";

#[test]
fn a_row_is_a_command_and_a_cell_is_one_argument_as_it_is() {
    let server = Server::start();
    let template = "HSET {{user}}:{id} name {name} 'the note' {3}";
    server.rcli(["pipe", "--from-csv", template]).stdin(USERS).prints("2\n2\n2\n").run();
    assert_eq!(server.ask("HGET {user}:1 name"), "Ada");
    let note = |key: &str| server.rcli(["-D", "", "HGET", key, "the note"]).any_stdout().run().out();
    assert_eq!(note("{user}:1"), "said \"hi\",\nand left");
    assert_eq!(note("{user}:2"), "{id} 'x' \\n");
    assert_eq!(server.ask("HGET {user}:2 name"), "Bo, Jr.");
    assert_eq!(note("{user}:3"), "");
}

#[test]
fn tsv_has_no_quotes() {
    let server = Server::start();
    let table = "key\tvalue\r\na\t\"x,y\r\nb\t'z \"\"\r\n";
    server.rcli(["pipe", "--from-tsv", "SET {key} {value}"]).stdin(table).prints("OK\nOK\n").run();
    assert_eq!((server.ask("GET a"), server.ask("GET b")), ("\"x,y".to_owned(), "'z \"\"".to_owned()));
}

#[test]
fn a_template_or_a_header_that_does_not_fit_sends_nothing() {
    let server = Server::start();
    let refused = |template: &str, table: &str, parts: &[&str]| {
        server.rcli(["pipe", "--from-csv", template]).stdin(table).status(2).complains(parts).run();
    };
    refused("SET {id} {nam}", USERS, &["stdin:1", "no column 'nam'", "id, name, note"]);
    refused("SET {id} {4}", USERS, &["stdin:1", "no column 4"]);
    refused("SET {id} {id}", "id,id\n1,2\n", &["stdin:1", "two columns are called 'id'"]);
    refused("SET {1} {2}", "", &["stdin:1", "no line that heads the columns"]);
    refused("SUBSCRIBE {1}", "a\nb\n", &["stdin:2: SUBSCRIBE"]);
    let pointed = |template: &str, reason: &str| {
        server.rcli(["pipe", "--from-csv", template]).status(2).reports_among(&["--from-csv: ", reason, "^"]).run();
    };
    pointed("SET {id", "not closed");
    pointed("SET 'x", "quote");
    server.rcli(["pipe", "--from-csv", ""]).status(2).reports_among(&["no command"]).run();
    // A column that heads two and is not asked for does no harm, and a later file is looked at before the first is run.
    server.rcli(["pipe", "--from-csv", "SET {b} x"]).stdin("a,a,b\n1,2,3\n").prints("OK\n").run();
    server
        .rcli(["pipe", "--from-csv", "SET {b} y", "one.csv", "two.csv"])
        .file("one.csv", "b\n3\n")
        .file("two.csv", "c\n4\n")
        .status(2)
        .complains(&["two.csv:1", "no column 'b'"])
        .run();
    assert_eq!(server.ask("GET 3"), "x");
}

#[test]
fn a_row_with_other_cells_is_a_bad_line() {
    let server = Server::start();
    let table = "k,v\na,1\n\"b\n\",2\nc\nd,4,5\ne,5\n";
    server
        .rcli(["pipe", "--from-csv", "SET {k} {v}"])
        .stdin(table)
        .prints("OK\nOK\n")
        .status(2)
        .complains(&["stdin:5: 1 cell where the header has 2", "2 commands"])
        .run();
    rcli(["-p", &free_port().to_string(), "pipe", "--check", "--from-csv", "SET {k} {v}"])
        .stdin(table)
        .status(2)
        .reports_among(&["stdin:5: 1 cell where the header has 2", "stdin:6: 3 cells where the header has 2"])
        .run();
    server
        .rcli(["pipe", "--from-csv", "SET {k} {v}"])
        .stdin("k,v\na,\"1\nb,2\n")
        .status(2)
        .complains(&["stdin:2", "quote is not closed"])
        .run();
}

#[test]
fn rows_run_as_lines_do() {
    let server = Server::start();
    let table = "\u{feff}k,v\r\n\r\na,1\r\nb,x\r\nc,3";
    let pipe = || server.rcli(["pipe", "--from-csv", "INCRBY {k} {v}", "--json", "--envelope"]).stdin(table);
    let out = pipe().status(1).any_stdout().any_stderr().run().out();
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!((&lines[0]["line"], &lines[2]["line"]), (&3.into(), &5.into()));
    assert_eq!(lines[1]["command"], serde_json::json!(["INCRBY", "b", "x"]));
    assert_eq!(lines[2]["reply"], 3);
    server
        .rcli(["pipe", "--from-csv", "INCRBY {k} {v}", "--skip", "2", "--window", "1"])
        .stdin(table)
        .prints("6\n")
        .run();
    let several = server.rcli(["pipe", "--atomic", "--from-csv", "SET {k} {v}", "1.csv", "2.csv"]);
    several.file("1.csv", "k,v\na,1\n").file("2.csv", "v,k\n2,b\n").prints("OK\nOK\n").run();
    assert_eq!((server.ask("GET a"), server.ask("GET b")), ("1".to_owned(), "2".to_owned()));
    let many: String = (0..50_000).map(|number| format!("{number},\"v\"\"{number}\"\n")).collect();
    let filled = server.rcli(["pipe", "-q", "--from-csv", "SET m:{n} {v}"]).stdin(format!("n,v\n{many}"));
    filled.run();
    assert_eq!(server.ask("GET m:49999"), "v\"49999");
}

#[test]
fn rows_are_answered_as_they_come() {
    let server = Server::start();
    let mut run = server.rcli(["pipe", "--from-csv", "ECHO {1}"]).interactive().prints("a\nb,\n\n").start();
    run.send("h\n");
    run.send("a\n");
    run.wait_for_lines(1);
    run.send("\"b,");
    run.send("\n\"\n");
    run.wait_for_lines(3);
    run.close_stdin();
    run.finish();
}

#[test]
fn input_that_is_no_text_is_refused_and_a_star_is_no_resp() {
    let server = Server::start();
    let utf16: Vec<u8> = "k,v\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    server.rcli(["pipe", "--from-csv", "SET {1} {2}"]).stdin(utf16).status(2).complains(&["UTF-16"]).run();
    server.rcli(["pipe", "--from-csv", "ECHO {*}"]).stdin("*\n7\n").prints("7\n").run();
}

//! What Tab offers at each place of a line: values that the server can tell, words of rcli's own, files (contract section
//! 10). One session is typed into, again and again.

use crate::pty::Terminal;
use crate::resp::Client;
use crate::server::Server;
use std::time::{Duration, Instant};

const CTRL_C: &str = "\x03";
const CTRL_L: &str = "\x0c";

/// What Tab makes of a line.
enum Offered {
    /// This line.
    Line(&'static str),
    /// A list with these words among its first, in their order.
    List(&'static [&'static str]),
    /// Nothing: no list, and the line stays.
    Nothing,
}
use Offered::{Line, List, Nothing};

/// A server with something of everything, and whoever listens to it.
fn furnished() -> (Server, Vec<Client>) {
    let server = Server::start();
    for command in [
        "HSET user:1 name ann nick an age 3",
        "HSET user:2 mail x",
        "SADD fruit apple apricot banana",
        "ZADD rank 1 alice 2 alina 3 bob",
        "RPUSH colours red green blue",
        "GEOADD towns 13.3 38.1 palermo 15 37.5 catania",
        "SET text:1 v",
        "SET text:2 v",
        "XADD orders 1700000000001-0 item apple qty 2",
        "XADD orders 1700000000002-0 item pear qty 3",
        "XADD orders 1800000000001-0 item plum qty 4",
        "XGROUP CREATE orders workers 0",
        "XGROUP CREATE orders watchers $",
        "XREADGROUP GROUP workers ann COUNT 1 STREAMS orders >",
        "XREADGROUP GROUP workers bert COUNT 1 STREAMS orders >",
        "ACL SETUSER bob on nopass ~* +@read",
        "ACL SETUSER bella on nopass",
        // What else is slow on a busy machine is no event of this test.
        "CONFIG SET latency-monitor-threshold 100",
        "DEBUG SLEEP 0.1",
        "CONFIG SET latency-monitor-threshold 0",
    ] {
        assert!(!server.ask(command).contains("ERR"), "{command}");
    }
    server.call(&[b"HSET", b"user:1", b"sp ace", b"x", b"\xff\xfe", b"x", b"quo\"te", b"x"]);
    let library = b"#!lua name=shop\nredis.register_function('sell', function() return 1 end)\n\
                    redis.register_function('sum', function() return 1 end)";
    server.call(&[b"FUNCTION", b"LOAD", library]);
    let mut clients = Vec::new();
    for (command, channel) in [("SUBSCRIBE", "news:world"), ("SSUBSCRIBE", "parts:1")] {
        let mut client = server.client();
        client.call(&[b"CLIENT", b"SETNAME", b"listener"]).unwrap();
        client.call(&[command.as_bytes(), channel.as_bytes()]).unwrap();
        clients.push(client);
    }
    let mut elsewhere = server.client();
    elsewhere.call(&[b"SELECT", b"3"]).unwrap();
    elsewhere.call(&[b"SET", b"far", b"v"]).unwrap();
    (server, clients)
}

/// A REPL with files, a profile and a view in the background, and its prompt.
fn open(server: &Server) -> (Terminal, String) {
    let profiles = "[profile.prod]\nhost = \"localhost\"\n[profile.test]\nhost = \"localhost\"\n\n[repl]\n\
                    aliases = { hg = \"HGETALL\" }\n";
    let terminal = server
        .rcli([""; 0])
        .file(".config/rcli/config.toml", profiles)
        .mode(".config/rcli/config.toml", 0o600)
        .file("script.lua", "return 1")
        .file("commands.txt", "PING\n")
        .file("more/inside.txt", "PING\n")
        .on_terminal(120);
    let prompt = format!("{}>", server.address());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    terminal.line("SUBSCRIBE news:local &");
    terminal.shows("\"channel\":\"news:local\"");
    (terminal, prompt)
}

/// Types a line and Tab, again while the server's answers are late; what was wrong, if it stays so.
fn offers(terminal: &Terminal, prompt: &str, typed: &str, offered: &Offered) -> Option<String> {
    const TRIES: u32 = 12;
    for _ in 0..TRIES {
        terminal.keys(CTRL_C);
        terminal.keys(CTRL_L);
        terminal.wait("an empty screen", |rows| rows == [prompt]);
        terminal.keys(&format!("{typed}\t"));
        if matches!(offered, Nothing) {
            // Shown when Tab has been taken.
            terminal.keys("x");
        }
        if comes(terminal, |rows, cursor| is_right(rows, cursor, prompt, typed, offered)) {
            return None;
        }
    }
    Some(format!("{typed:?} shows\n    {}", terminal.rows().join("\n    ")))
}

/// Whether the screen, with the cursor in its column, is so after a while.
fn comes(terminal: &Terminal, check: impl Fn(&[String], usize) -> bool) -> bool {
    const LIMIT: Duration = Duration::from_millis(400);
    let begin = Instant::now();
    while begin.elapsed() < LIMIT {
        let column = terminal.with_screen(|screen| screen.cursor_position().1);
        if check(&terminal.rows(), column.into()) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

fn is_right(rows: &[String], column: usize, prompt: &str, typed: &str, offered: &Offered) -> bool {
    let [shown @ .., last] = rows else { return false };
    let ends = |line: &str| {
        let line = format!("{prompt} {line}");
        last.starts_with(line.trim_end()) && column == line.chars().count()
    };
    match offered {
        Line(line) => shown.is_empty() && ends(line),
        List(words) => {
            let (candidates, mut at) = (shown.get(1..).unwrap_or_default().join("  "), 0);
            last.starts_with(prompt)
                && words.iter().all(|word| candidates[at..].find(word).map(|found| at += found + word.len()).is_some())
        }
        Nothing => shown.is_empty() && ends(&format!("{typed}x")),
    }
}

#[test]
fn tab_offers_what_the_server_can_tell_at_every_place() {
    let (server, _clients) = furnished();
    let (terminal, prompt) = open(&server);
    let mut wrong = Vec::new();
    for (typed, offered) in PLACES {
        wrong.extend(offers(&terminal, &prompt, typed, offered));
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), PLACES.len(), wrong.join("\n"));
    assert!(PLACES.len() >= 100, "{}", PLACES.len());
}

#[test]
fn where_much_is_forbidden_the_rest_works_without_a_word() {
    let (server, _clients) = furnished();
    server.ask("ACL SETUSER guest on >pw ~* &* +@all -scan -config -command -acl -xinfo");
    let terminal = server.rcli(["--user", "guest"]).env("REDISCLI_AUTH", "pw").on_terminal(120);
    let prompt = format!("{}>", server.address());
    terminal.wait("the first prompt", |rows| rows.last() == Some(&prompt));
    let places = [
        ("HGET user:1 na", Line("HGET user:1 name ")),
        ("GET te", Nothing),
        ("CONFIG GET maxm", Nothing),
        ("CONFIG SET appendfsync ", Nothing),
        ("ACL GETUSER ", Nothing),
        ("XACK orders ", Nothing),
        ("SISMEMBER fruit b", Line("SISMEMBER fruit banana ")),
        ("XDEL orders 18", Line("XDEL orders 1800000000001-0 ")),
        ("CLIENT NO-E", Line("CLIENT NO-EVICT ")),
        ("SET k v KEEP", Line("SET k v KEEPTTL ")),
    ];
    let wrong: Vec<String> =
        places.iter().filter_map(|(typed, offered)| offers(&terminal, &prompt, typed, offered)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const PLACES: &[(&str, Offered)] = &[
    ("HGET user:1 na", Line("HGET user:1 name ")),
    ("hget user:1 n", List(&["name", "nick"])),
    ("HGET user:1 sp", Line("HGET user:1 \"sp ace\" ")),
    ("HGET user:1 \"sp", Line("HGET user:1 \"sp ace\" ")),
    ("HGET user:1 qu", Line("HGET user:1 \"quo\\\"te\" ")),
    ("HGET user:1 \"\\xff", Line("HGET user:1 \"\\xff\\xfe\" ")),
    ("HMGET user:1 name ag", Line("HMGET user:1 name age ")),
    ("HDEL user:1 name nic", Line("HDEL user:1 name nick ")),
    ("HSET user:1 na", Line("HSET user:1 name ")),
    ("HSET user:1 name x ni", Line("HSET user:1 name x nick ")),
    ("HINCRBY user:1 a", Line("HINCRBY user:1 age ")),
    ("HSCAN user:1 0 MATCH na", Line("HSCAN user:1 0 MATCH name ")),
    ("HGET user:", List(&["user:1", "user:2"])),
    ("SREM fruit ap", List(&["apple", "apricot"])),
    ("SISMEMBER fruit b", Line("SISMEMBER fruit banana ")),
    ("SMOVE fruit other b", Line("SMOVE fruit other banana ")),
    ("SADD fruit b", Line("SADD fruit banana ")),
    ("ZSCORE rank ali", List(&["alice", "score 1", "alina", "score 2"])),
    ("ZREM rank b", Line("ZREM rank bob ")),
    ("ZINCRBY rank 1 b", Line("ZINCRBY rank 1 bob ")),
    ("ZADD rank 5 b", Line("ZADD rank 5 bob ")),
    ("ZRANGEBYLEX rank -", Line("ZRANGEBYLEX rank - ")),
    ("ZCOUNT rank -", Line("ZCOUNT rank -inf ")),
    ("ZCOUNT rank -inf +", Line("ZCOUNT rank -inf +inf ")),
    ("GEODIST towns pal", Line("GEODIST towns palermo ")),
    ("GEODIST towns palermo ca", Line("GEODIST towns palermo catania ")),
    ("GEOPOS towns ca", Line("GEOPOS towns catania ")),
    ("GEOSEARCH towns FROMMEMBER pa", Line("GEOSEARCH towns FROMMEMBER palermo ")),
    ("LREM colours 0 gr", Line("LREM colours 0 green ")),
    ("LPOS colours bl", Line("LPOS colours blue ")),
    ("LINSERT colours BEFORE re", Line("LINSERT colours BEFORE red ")),
    ("XINFO GROUPS or", Line("XINFO GROUPS orders ")),
    ("XINFO CONSUMERS orders ", List(&["watchers", "0 consumers", "workers", "2 consumers, 2 pending"])),
    ("XACK orders wo", Line("XACK orders workers ")),
    ("XACK orders workers ", List(&["1700000000001-0", "ann", "1700000000002-0", "bert"])),
    ("XACK orders workers 1700000000002", Line("XACK orders workers 1700000000002-0 ")),
    ("XCLAIM orders workers an", Line("XCLAIM orders workers ann ")),
    ("XCLAIM orders workers ann 0 ", List(&["1700000000001-0", "1700000000002-0"])),
    ("XAUTOCLAIM orders workers b", Line("XAUTOCLAIM orders workers bert ")),
    ("XPENDING orders wo", Line("XPENDING orders workers ")),
    ("XPENDING orders workers - + 10 ", List(&["ann", "1 pending", "bert", "1 pending"])),
    ("XGROUP DELCONSUMER orders workers a", Line("XGROUP DELCONSUMER orders workers ann ")),
    ("XGROUP DESTROY orders wa", Line("XGROUP DESTROY orders watchers ")),
    ("XGROUP SETID orders watchers 18", Line("XGROUP SETID orders watchers 1800000000001-0 ")),
    ("XREADGROUP GROUP wo", Line("XREADGROUP GROUP workers ")),
    ("XREADGROUP GROUP workers b", Line("XREADGROUP GROUP workers bert ")),
    ("XREADGROUP GROUP workers bert STREAMS or", Line("XREADGROUP GROUP workers bert STREAMS orders ")),
    ("XREADGROUP GROUP workers bert STREAMS orders >", Line("XREADGROUP GROUP workers bert STREAMS orders > ")),
    ("XREAD STREAMS orders 18", Line("XREAD STREAMS orders 1800000000001-0 ")),
    ("XREAD STREAMS orders $", Line("XREAD STREAMS orders $ ")),
    ("XRANGE orders 1", List(&["1800000000001-0", "item plum", "1700000000002-0", "1700000000001-0"])),
    ("XRANGE orders - ", List(&["+", "1800000000001-0"])),
    ("XDEL orders 18", Line("XDEL orders 1800000000001-0 ")),
    ("XDEL orders 1700000000002-", Line("XDEL orders 1700000000002-0 ")),
    ("XADD orders * it", Line("XADD orders * item ")),
    ("XTRIM orders MINID 18", Line("XTRIM orders MINID 1800000000001-0 ")),
    ("PUBLISH news:w", Line("PUBLISH news:world ")),
    ("SUBSCRIBE news:", List(&["news:local", "1 subscriber", "news:world", "1 subscriber"])),
    ("SPUBLISH pa", Line("SPUBLISH parts:1 ")),
    ("PUBSUB NUMSUB news:w", Line("PUBSUB NUMSUB news:world ")),
    ("CONFIG GET maxmemory-p", Line("CONFIG GET maxmemory-policy ")),
    ("CONFIG SET appendf", List(&["appendfilename", "appendfsync", "everysec"])),
    ("CONFIG SET maxmemory-policy allkeys-", List(&["allkeys-lru", "allkeys-lfu", "allkeys-random"])),
    ("CONFIG SET appendfsync ", List(&["always", "everysec", "current", "no"])),
    ("CONFIG SET maxmemory ", Line("CONFIG SET maxmemory 0 ")),
    ("CONFIG SET lazyfree-lazy-expire n", Line("CONFIG SET lazyfree-lazy-expire no ")),
    ("CONFIG SET maxmemory 0 hz ", Line("CONFIG SET maxmemory 0 hz 10 ")),
    ("CONFIG SET requirepass ", Nothing),
    ("CONFIG SET masterauth ", Nothing),
    ("ACL GETUSER b", List(&["bella", "bob"])),
    ("ACL DELUSER bo", Line("ACL DELUSER bob ")),
    ("ACL SETUSER def", Line("ACL SETUSER default ")),
    ("ACL SETUSER bob resetk", Line("ACL SETUSER bob resetkeys ")),
    ("ACL SETUSER bob +@sorted", Line("ACL SETUSER bob +@sortedset ")),
    ("ACL SETUSER bob +config|g", Line("ACL SETUSER bob +config|get ")),
    ("ACL SETUSER bob -hgeta", Line("ACL SETUSER bob -hgetall ")),
    ("ACL SETUSER bob ~fru", Line("ACL SETUSER bob ~fruit ")),
    ("ACL SETUSER bob >se", Nothing),
    ("ACL CAT dang", Line("ACL CAT dangerous ")),
    ("ACL DRYRUN bo", Line("ACL DRYRUN bob ")),
    ("ACL DRYRUN bob HGET user:1 na", Line("ACL DRYRUN bob HGET user:1 name ")),
    ("AUTH bel", Line("AUTH bella ")),
    ("AUTH bella ", Nothing),
    ("FCALL se", Line("FCALL sell ")),
    ("FCALL s", List(&["sell", "library shop", "sum", "library shop"])),
    ("FUNCTION DELETE sh", Line("FUNCTION DELETE shop ")),
    ("SCAN 0 TYPE z", Line("SCAN 0 TYPE zset ")),
    ("SCAN ", Line("SCAN 0 ")),
    ("INFO rep", Line("INFO replication ")),
    ("COMMAND DOCS hgeta", Line("COMMAND DOCS hgetall ")),
    ("COMMAND INFO CONFIG|G", Line("COMMAND INFO CONFIG|GET ")),
    ("COMMAND GETKEYS HGET user:1 na", Line("COMMAND GETKEYS HGET user:1 name ")),
    ("COMMAND LIST FILTERBY ACLCAT dang", Line("COMMAND LIST FILTERBY ACLCAT dangerous ")),
    ("LATENCY HISTORY c", Line("LATENCY HISTORY command ")),
    ("LATENCY RESET ", Line("LATENCY RESET command ")),
    ("SELECT ", List(&["0", "keys", "1", "2", "3", "1 key"])),
    ("MOVE text:1 3", Line("MOVE text:1 3 ")),
    ("COPY text:1 text:9 DB 1", List(&["1", "10", "15"])),
    ("CLIENT KILL ID ", List(&["listener"])),
    ("CLIENT KILL USER def", Line("CLIENT KILL USER default ")),
    ("CLIENT KILL ADDR 127", List(&["127.0.0.1:", "subscribe"])),
    ("CLIENT UNBLOCK ", List(&["listener"])),
    ("OBJECT ENCODING text:", List(&["text:1", "string", "text:2"])),
    ("TYPE t", List(&["text:1", "string", "text:2", "string", "towns", "zset"])),
    ("5 HGET user:1 na", Line("5 HGET user:1 name ")),
    ("hg user:", List(&["user:1", "user:2"])),
    ("help zra", List(&["zrandmember", "random", "zrange"])),
    ("? hgetal", Line("? hgetall ")),
    ("help @sor", Line("help @sorted-set ")),
    ("stop ", Line("stop 1 ")),
    ("connect pr", Line("connect prod ")),
    ("peek colo", Line("peek colours ")),
    ("source com", Line("source commands.txt ")),
    ("source mo", Line("source more/")),
    ("source more/", Line("source more/inside.txt ")),
    ("source ~/scr", Line("source ~/script.lua ")),
    ("GET text:1 > com", Line("GET text:1 > commands.txt ")),
    ("GET text:1 >> com", Line("GET text:1 >> commands.txt ")),
    ("pipe com", Line("pipe commands.txt ")),
    ("txn com", Line("txn commands.txt ")),
    ("run scr", Line("run script.lua ")),
    ("run script.lua tex", List(&["text:1", "text:2"])),
    ("run script.lua text:1 , tex", Nothing),
    ("ls --wi", Line("ls --with ")),
    ("ls --with ty", Line("ls --with type ")),
    ("ls --with type,len", Line("ls --with type,length ")),
    ("ls --with=type,", List(&["ttl", "length", "memory"])),
    ("ls --type ha", Line("ls --type hash ")),
    ("ls --in us", List(&["user:1", "user:2"])),
    ("ls --in user:1 na", Line("ls --in user:1 name ")),
    ("ls --in fruit ap", List(&["apple", "apricot"])),
    ("ls --in rank b", Line("ls --in rank bob ")),
    ("ls --in text:1 ", Nothing),
    ("tail or", Line("tail orders ")),
    ("tail orders --group wo", Line("tail orders --group workers ")),
    ("tail orders --group workers --consumer be", Line("tail orders --group workers --consumer bert ")),
    ("tail orders --from 18", Line("tail orders --from 1800000000001-0 ")),
    ("monitor --only HGETA", Line("monitor --only HGETALL ")),
    ("monitor --only GET,hgeta", Line("monitor --only GET,hgetall ")),
    ("monitor --in-db 3", Line("monitor --in-db 3 ")),
    ("sub news:w", Line("sub news:world ")),
    ("ssub par", Line("ssub parts:1 ")),
    ("exec HGET user:1 na", Line("exec HGET user:1 name ")),
    ("[\"GET\", te", Nothing),
    ("HGET text:1 ", Nothing),
    ("XACK nosuch ", Nothing),
];

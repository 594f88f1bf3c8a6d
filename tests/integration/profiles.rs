//! Profiles: what `config.toml` may hold, what overrides it, and that its secrets stay in it (contract section 12).

use crate::certificates::Certificates;
use crate::peer::{peer, send};
use crate::rcli::{Rcli, rcli};
use crate::resp::pack;
use crate::server::{Server, free_port};

const CONFIG: &str = ".config/rcli/config.toml";
const SECRET: &str = "s3cr3t-pa55";

/// A run with this text in `config.toml`, which nobody else can read.
fn with(config: &str, args: &[&str]) -> Rcli {
    rcli(args.iter().copied()).file(CONFIG, config).mode(CONFIG, 0o600)
}

/// A run with one profile `p` of these lines, chosen by `--profile`.
fn using(lines: &str, args: &[&str]) -> Rcli {
    with(&format!("[profile.p]\n{lines}\n"), &[&["--profile", "p"], args].concat())
}

#[test]
fn a_profile_says_where_the_server_is() {
    let server = Server::start();
    let (port, socket) = (server.port(), server.socket().display().to_string());
    for place in [
        format!("port = {port}"),
        format!("host = \"localhost\"\nport = \"{port}\""),
        format!("socket = \"{socket}\""),
        format!("url = \"redis://127.0.0.1:{port}/0\""),
    ] {
        using(&place, &["SET", "k", "v"]).prints("OK\n").run();
        using(&place, &["pipe"]).stdin("GET k\n").prints("v\n").run();
        using(&place, &[]).stdin("GET k\n").prints("v\n").run();
    }
}

#[test]
fn a_profile_may_name_sentinels() {
    let server = Server::start();
    let sentinel = peer().otherwise(send(pack(&["127.0.0.1", &server.port().to_string()]))).start();
    let address = format!("127.0.0.1:{}", sentinel.port());
    for place in [
        format!("sentinel = [\"127.0.0.1:{}\", \"{address}\"]\nmaster = \"m\"", free_port()),
        format!("sentinel = \"{address}\"\nmaster = \"m\""),
        format!("url = \"redis+sentinel://{address}/m\""),
    ] {
        using(&place, &["PING"]).prints("PONG\n").run();
    }
    using(&format!("sentinel = \"{address}\"\nmaster = \"m\"\nsentinel-pass = \"{SECRET}\""), &["PING"])
        .prints("PONG\n")
        .run();
    assert!(sentinel.commands().contains(&format!("AUTH {SECRET}")));
}

#[test]
fn the_profile_comes_from_the_option_or_rcli_profile() {
    let server = Server::start();
    let config = format!("[profile.good]\nport = {}\n[profile.dead]\nport = {}\n", server.port(), free_port());
    with(&config, &["--profile", "good", "PING"]).prints("PONG\n").run();
    with(&config, &["pipe", "--profile", "good"]).stdin("PING\n").prints("PONG\n").run();
    with(&config, &["PING"]).env("RCLI_PROFILE", "good").prints("PONG\n").run();
    with(&config, &["--profile", "good", "PING"]).env("RCLI_PROFILE", "dead").prints("PONG\n").run();
    server.rcli(["PING"]).env("RCLI_PROFILE", "").prints("PONG\n").run();
}

#[test]
fn the_file_is_where_xdg_says() {
    let server = Server::start();
    let run = rcli(["--profile", "p", "PING"])
        .file("elsewhere/rcli/config.toml", format!("[profile.p]\nport = {}\n", server.port()))
        .through_sh("XDG_CONFIG_HOME=$PWD/elsewhere exec \"$0\" \"$@\"");
    run.prints("PONG\n").run();
}

#[test]
fn any_global_option_is_a_key() {
    let server = Server::start();
    server.ask("RPUSH list a b");
    server.ask("SET bytes v");
    let port = format!("port = {}\n", server.port());
    let run = |lines: &str, args: &[&str]| using(&format!("{port}{lines}"), args);
    run("json = true", &["LRANGE", "list", "0", "-1"]).prints("[\"a\",\"b\"]\n").run();
    run("json = false", &["LRANGE", "list", "0", "-1"]).prints("a\nb\n").run();
    run("human = true", &["GET", "bytes"]).prints("\"v\"\n").run();
    run("json = true\nencoding = \"base64\"", &["GET", "bytes"]).prints("{\"base64\":\"dg==\"}\n").run();
    run("human = true\ncolor = \"always\"", &["GET", "nothing"]).prints("\u{1b}[38;5;244m(nil)\u{1b}[0m\n").run();
    let delimiters = "element-delimiter = \"-\"\nreply_delimiter = \"\"";
    run(delimiters, &["LRANGE", "list", "0", "-1"]).prints("a-b").run();
    run("db = 3", &["SET", "k", "three"]).prints("OK\n").run();
    server.rcli(["-n", "3", "GET", "k"]).prints("three\n").run();
    let silent = peer().otherwise(crate::peer::Answer::Silence).start();
    using(&format!("port = {}\nread-timeout = 0.2", silent.port()), &["PING"])
        .status(3)
        .complains(&["--read-timeout"])
        .run();
    let peer = peer().otherwise(send("+OK\r\n")).start();
    using(&format!("port = {}\nresp3 = true\nshow-pushes = true", peer.port()), &["X"]).prints("OK\n").run();
    assert!(peer.commands()[0].starts_with("HELLO 3"), "{:?}", peer.commands());
}

#[test]
fn tls_comes_from_a_profile_with_files_below_the_home_directory() {
    let certificates = Certificates::make();
    let server = Server::with_tls(&certificates, false);
    let ca = std::fs::read(&certificates.ca).unwrap();
    for files in ["tls = true\ncacert = \"~/trusted/ca.pem\"", "cacertdir = \"~/trusted\""] {
        let lines = format!("host = \"localhost\"\nport = {}\n{files}", server.port());
        using(&lines, &["PING"]).file("trusted/ca.pem", &ca).prints("PONG\n").run();
    }
}

#[test]
fn an_option_overrides_the_profile() {
    let server = Server::start();
    server.ask("SET k v");
    let (port, dead) = (server.port().to_string(), free_port());
    let url = server.url();
    using(&format!("port = {dead}"), &["-p", &port, "GET", "k"]).prints("v\n").run();
    using(&format!("port = {dead}"), &["pipe", "-p", &port]).stdin("GET k\n").prints("v\n").run();
    using(&format!("host = \"h.invalid\"\nport = {port}"), &["-h", "127.0.0.1", "GET", "k"]).prints("v\n").run();
    using(&format!("url = \"redis://127.0.0.1:{dead}/9\""), &["-p", &port, "GET", "k"]).prints("v\n").run();
    using(&format!("port = {dead}\ndb = 9"), &["-u", &url, "GET", "k"]).prints("v\n").run();
    using(&format!("port = {port}\ndb = 9"), &["-n", "0", "GET", "k"]).prints("v\n").run();
    for key in ["json", "raw", "human"] {
        let lines = format!("port = {port}\n{key} = true");
        using(&lines, &["--json", "GET", "k"]).prints("\"v\"\n").run();
        using(&lines, &["--raw", "GET", "k"]).prints("v\n").run();
        using(&lines, &["pipe", "--raw"]).stdin("GET k\n").prints("v\n").run();
        using(&lines, &["pipe", "--envelope"]).stdin("GET k\n").prints_among(&["\"reply\":\"v\""]).run();
    }
}

#[test]
fn the_environment_overrides_the_profile() {
    let server = Server::start();
    server.ask("SET k v");
    let (port, dead) = (server.port(), free_port());
    for place in [format!("port = {dead}"), format!("url = \"redis://127.0.0.1:{dead}\""), "socket = \"/none\"".into()]
    {
        using(&place, &["GET", "k"]).env("RCLI_URL", server.url()).prints("v\n").run();
        using(&place, &["GET", "k"]).env("REDIS_URL", server.url()).prints("v\n").run();
    }
    let lines = format!("port = {port}\nhuman = true");
    using(&lines, &["GET", "k"]).env("RCLI_FORMAT", "json").prints("\"v\"\n").run();
    using(&lines, &["GET", "k"]).prints("\"v\"\n").run();
    using(&format!("port = {port}\nraw = true"), &["GET", "k"]).env("RCLI_FORMAT", "json").prints("\"v\"\n").run();
    using(&format!("port = {port}\nhuman = true\ncolor = \"always\""), &["GET", "x"])
        .env("NO_COLOR", "1")
        .prints("(nil)\n")
        .run();
    // A URL that leaves the database open is completed by a profile that names no server.
    using("db = 3", &["SET", "k", "three"]).env("RCLI_URL", server.url()).prints("OK\n").run();
    using("db = 4", &["GET", "k"]).env("RCLI_URL", format!("{}/3", server.url())).prints("three\n").run();
}

#[test]
fn a_password_in_the_environment_overrides_the_profiles() {
    let server = Server::with_password(SECRET);
    let port = server.port();
    for lines in [
        format!("port = {port}\npass = \"wrong\""),
        format!("port = {port}\npass-file = \"/no/such/file\""),
        format!("port = {port}\npassword_command = \"exit 1\""),
        format!("url = \"redis://default:wrong@127.0.0.1:{port}\""),
    ] {
        for name in ["REDISCLI_AUTH", "VALKEYCLI_AUTH"] {
            using(&lines, &["PING"]).env(name, SECRET).prints("PONG\n").run();
        }
        using(&lines, &["--no-auth-warning", "-a", SECRET, "PING"]).prints("PONG\n").run();
        using(&lines, &["--pass-file", "pw", "PING"]).file("pw", SECRET).prints("PONG\n").run();
    }
}

#[test]
fn a_password_comes_from_the_profile_without_a_warning() {
    let server = Server::with_password(SECRET);
    let port = server.port();
    using(&format!("port = {port}\npass = \"{SECRET}\""), &["PING"]).prints("PONG\n").run();
    using(&format!("port = {port}\npass-file = \"pw\""), &["PING"]).file("pw", SECRET).prints("PONG\n").run();
    using(&format!("url = \"redis://:{SECRET}@127.0.0.1:{port}\""), &["PING"]).prints("PONG\n").run();
    // What was typed is still seen by others.
    using(&format!("port = {port}\npass = \"wrong\""), &["-a", SECRET, "PING"])
        .prints("PONG\n")
        .complains(&["warning"])
        .run();
}

#[test]
fn a_profiles_password_is_for_its_own_server() {
    let server = peer().otherwise(send("+OK\r\n")).start();
    let url = format!("redis://127.0.0.1:{}", server.port());
    let elsewhere = format!("host = \"h.invalid\"\nuser = \"u\"\npass = \"{SECRET}\"\ntls = true\ndb = 3");
    using(&elsewhere, &["GET", "k"]).env("RCLI_URL", &url).prints("OK\n").run();
    using(&elsewhere, &["-u", &url, "GET", "k"]).prints("OK\n").run();
    let elsewhere = format!("url = \"redis://h.invalid\"\npass = \"{SECRET}\"");
    using(&elsewhere, &["-p", &server.port().to_string(), "GET", "k"]).prints("OK\n").run();
    assert!(server.commands().iter().all(|command| command == "GET k"), "{:?}", server.commands());
    using(&elsewhere, &["--sandbox", "PING"]).prints("PONG\n").run();
    // A port alone corrects the profile's own server.
    let own = format!("host = \"127.0.0.1\"\npass = \"{SECRET}\"");
    using(&own, &["-p", &server.port().to_string(), "GET", "k"]).prints("OK\n").run();
    assert!(server.commands().contains(&format!("AUTH {SECRET}")), "{:?}", server.commands());
}

#[test]
fn a_password_command_gives_its_first_line() {
    let server = Server::with_password(SECRET);
    let run = |command: &str, args: &[&str]| {
        using(&format!("port = {}\npassword_command = \"{command}\"", server.port()), args)
    };
    run(&format!("echo {SECRET}; echo more"), &["PING"]).prints("PONG\n").run();
    run(&format!("printf '{SECRET}\\\\r\\\\n'"), &["PING"]).prints("PONG\n").run();
    // Standard input is the server's, and nobody asks for a password that is not needed.
    run(&format!("cat; echo {SECRET}"), &["pipe"]).stdin("PING\n").prints("PONG\n").run();
    run("touch asked", &["pipe", "--check"]).stdin("PING\n").run();
    let home = run("touch asked", &["PING"]).env("REDISCLI_AUTH", SECRET).prints("PONG\n").run().home;
    assert!(!home.path().join("asked").exists());
}

#[test]
fn a_password_command_that_fails_is_said_with_its_status_and_no_more() {
    let server = Server::with_password(SECRET);
    for (command, reason) in [
        ("echo S; exit 3", "3"),
        ("kill -9 $$", "9"),
        ("true", "no password"),
        ("echo", "no password"),
        // Some shells repeat what they cannot parse.
        ("echo S (", "cannot parse"),
        ("echo 'S", "cannot parse"),
    ] {
        let command = format!(": {SECRET}; {command}");
        let lines = format!("port = {}\npassword_command = \"{command}\"", server.port());
        let run = using(&lines, &["PING"]).status(3).complains(&["password_command", reason]).run();
        assert!(!run.err().contains(SECRET) && !run.err().contains("echo"), "{}", run.err());
    }
}

#[test]
fn a_file_with_a_password_that_others_can_read_is_refused() {
    let server = Server::with_password(SECRET);
    let port = server.port();
    for lines in [
        format!("port = {port}\npass = \"{SECRET}\""),
        format!("url = \"redis://:{SECRET}@127.0.0.1:{port}\""),
        format!("url = \"redis+sentinel://:{SECRET}@127.0.0.1:{port}/m\""),
        format!("url = \"unix:///none?pass={SECRET}\""),
        format!("port = {port}\nsentinel-pass = \"{SECRET}\""),
    ] {
        for mode in [0o644, 0o640, 0o604] {
            for args in [&["--profile", "p", "PING"][..], &["--profile", "other", "PING"], &["profiles"]] {
                let run = with(&format!("[profile.p]\n{lines}\n[profile.other]\n"), args).mode(CONFIG, mode);
                let run = run.status(2).complains(&[CONFIG, "chmod 600"]).run();
                assert!(!run.err().contains(SECRET), "{}", run.err());
            }
        }
    }
    let server = Server::start();
    let lines = format!("url = \"redis://127.0.0.1:{}\"", server.port());
    using(&lines, &["PING"]).mode(CONFIG, 0o644).prints("PONG\n").run();
}

#[test]
fn an_unknown_key_is_named_with_its_place_and_the_nearest_known_one() {
    for (key, nearest) in [
        ("hots", "host"),
        ("prot", "port"),
        ("passwd", "pass"),
        ("pasword_command", "password_command"),
        ("ca-cert", "cacert"),
        ("sentinels", "sentinel"),
        ("conect_timeout", "connect-timeout"),
        ("profile", "pass-file"),
    ] {
        let config = format!("# a comment\n[profile.p]\njson = true\n{key} = \"{SECRET}\"\n");
        for args in [&["--profile", "p", "PING"][..], &["profiles"]] {
            let parts = [&format!("{CONFIG}:4: profile 'p': ")[..], &format!("'{key}'"), &format!("'{nearest}'")];
            let run = with(&config, args).status(2).complains(&parts).run();
            assert!(!run.err().contains(SECRET), "{}", run.err());
        }
    }
}

#[test]
fn a_wrong_value_is_named_with_its_place() {
    for (line, reason) in [
        ("db = -1", "-1"),
        ("port = \"many\"", "many"),
        ("port = 0x10", "'port'"),
        ("tls = \"yes\"", "'tls' is true or false"),
        ("host = true", "'host'"),
        ("host = [\"a\"]", "not a list"),
        ("encoding = \"latin1\"", "latin1"),
        ("url = \"gopher://x\"", "gopher"),
        ("host = { name = \"x\" }", "'host'"),
        ("host = \"a\"\nhost = \"b\"", "duplicate"),
        ("host = 'a", "literal string"),
        ("host", "="),
    ] {
        let wrong_line = 1 + line.lines().count();
        let place = format!("{CONFIG}:{wrong_line}: ");
        using(line, &["PING"]).status(2).complains(&[&place, reason]).run();
    }
    // Among right ones, and where another value is put in its place.
    let lines = "json = true\ndb = 3\nport = \"many\"\ncolor = \"never\"";
    let parts = [&format!("{CONFIG}:4: profile 'p': ")[..], "'many'", "--port"];
    for args in [&["PING"][..], &["-p", "1", "PING"], &["--sandbox", "PING"]] {
        using(lines, args).status(2).complains(&parts).run();
    }
    using("host = \"a\"\nsocket = \"b\"", &["PING"]).status(2).complains(&[":1: ", "'p'", "--socket", "--host"]).run();
    with("[profiles.p]\n", &["profiles"]).status(2).complains(&[":1: ", "'profiles'", "[profile.NAME]"]).run();
    with("\nprofile = 3\n", &["profiles"]).status(2).complains(&[":2: ", "[profile.NAME]"]).run();
}

#[test]
fn a_file_that_is_not_utf_8_is_named_with_its_line() {
    let config = b"[profile.p]\n# caf\xe9\n";
    rcli(["profiles"])
        .file(".config/rcli/config.toml", config)
        .status(2)
        .complains(&["config.toml:2: this is not UTF-8"])
        .run();
}

#[test]
fn what_is_wrong_in_one_profile_concerns_no_other() {
    let server = Server::start();
    let config = format!(
        "[profile.bad]\nhots = \"{SECRET}\"\n[profile.good]\nport = {}\n[profile.worse]\nport = \"many\"\n\
         [profile.worst]\nhost = \"a\"\nsocket = \"b\"\n[profile.last]\ndb = 3\n",
        server.port()
    );
    with(&config, &["--profile", "good", "PING"]).prints("PONG\n").run();
    with(&config, &["--profile", "worse", "PING"]).status(2).complains(&[":6: profile 'worse': "]).run();
    let listed = format!("good  password not set  port={}\nlast  password not set  db=3\n", server.port());
    let run = with(&config, &["profiles"]).prints(listed).status(2).any_stderr().run();
    let complaints: Vec<String> = run.err().lines().map(str::to_owned).collect();
    assert_eq!(complaints.len(), 3, "{complaints:?}");
    for (complaint, place) in complaints.iter().zip([":2: profile 'bad'", ":6: profile 'worse'", ":7: profile 'worst'"])
    {
        assert!(complaint.contains(place) && !complaint.contains(SECRET), "{complaint}");
    }
    // A password in it is looked after all the same.
    let config = format!("[profile.bad]\nhots = 1\npass = \"{SECRET}\"\n[profile.good]\nport = {}\n", server.port());
    with(&config, &["--profile", "good", "PING"]).mode(CONFIG, 0o644).status(2).complains(&["chmod 600"]).run();
}

#[test]
fn a_bad_line_with_a_secret_in_it_is_not_shown() {
    for line in [format!("pass = \"{SECRET}"), format!("pass {SECRET}"), format!("url = \"redis://u:{SECRET}/@h\"")] {
        let run = using(&line, &["PING"]).status(2).complains(&[&format!("{CONFIG}:")]).run();
        assert!(!run.err().contains(SECRET), "{}", run.err());
    }
}

#[test]
fn an_unknown_profile_is_said_with_the_known_ones() {
    with("[profile.prod]\n[profile.dev]\n", &["--profile", "prd", "PING"])
        .status(2)
        .complains(&["'prd'", "prod, dev", CONFIG])
        .run();
    rcli(["--profile", "prod", "PING"]).status(2).complains(&["'prod'", "there is no", CONFIG]).run();
    with("", &["PING"]).env("RCLI_PROFILE", "x").status(2).complains(&["'x'", "has no profile"]).run();
}

#[test]
fn profiles_are_listed_without_secrets() {
    let config = format!(
        "[profile.prod]\nurl = \"rediss://app:{SECRET}@db.example:6380/2\"\ncacert = \"/etc/ca.pem\"\n\
         [profile.ha]\nsentinel = [\"a:26379\", \"b\"]\nmaster = \"m\"\npass = \"{SECRET}\"\ntls = true\n\
         [profile.asks]\nport = 7000\npassword_command = \"echo {SECRET}\"\n\
         [profile.plain]\nurl = \"redis://app@h\"\nconnect-timeout = 2.5\n\
         [profile.socket]\nurl = \"unix:///run/redis?db=1&pass={SECRET}\"\n\
         [profile.user]\nurl = \"unix://app:{SECRET}@/run/redis?p%61ssword={SECRET}&db=1\"\n"
    );
    let human = with(&config, &["profiles", "--human"])
        .prints(
            "prod    password set      url=rediss://app@db.example:6380/2  cacert=/etc/ca.pem\n\
             ha      password set      sentinel=a:26379,b  master=m  pass=set  tls=true\n\
             asks    password set      port=7000  password_command=set\n\
             plain   password not set  url=redis://app@h  connect-timeout=2.5\n\
             socket  password set      url=unix:///run/redis?db=1\n\
             user    password set      url=unix://app@/run/redis?db=1\n",
        )
        .run();
    with(&config, &["profiles"]).prints(human.stdout).run();
    with(&config, &["--json", "profiles"])
        .prints(concat!(
            r#"{"name":"prod","password":"set","settings":{"url":"rediss://app@db.example:6380/2","cacert":"/etc/ca.pem"}}"#,
            "\n",
            r#"{"name":"ha","password":"set","settings":{"sentinel":["a:26379","b"],"master":"m","pass":"set","tls":true}}"#,
            "\n",
            r#"{"name":"asks","password":"set","settings":{"port":7000,"password_command":"set"}}"#,
            "\n",
            r#"{"name":"plain","password":"not set","settings":{"url":"redis://app@h","connect-timeout":2.5}}"#,
            "\n",
            r#"{"name":"socket","password":"set","settings":{"url":"unix:///run/redis?db=1"}}"#,
            "\n",
            r#"{"name":"user","password":"set","settings":{"url":"unix://app@/run/redis?db=1"}}"#,
            "\n",
        ))
        .run();
}

#[test]
fn without_a_file_there_are_no_profiles_to_list() {
    rcli(["profiles"]).complains(&["no profiles", CONFIG]).run();
    with("", &["profiles"]).run();
}

#[test]
fn what_needs_no_server_does_not_read_the_file() {
    let run = with("[profile.p]\nnonsense = 1\n", &["completions", "bash"]).env("RCLI_PROFILE", "p").any_stdout().run();
    assert!(!run.stdout.is_empty());
}

#[test]
fn init_writes_a_file_of_comments_for_its_owner_and_never_over_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let run = rcli(["profiles", "--init"]).any_stdout().run();
    let path = run.home.path().join(CONFIG);
    assert_eq!(String::from_utf8_lossy(&run.stdout), format!("{}\n", path.display()));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    // As it is written it is read, and so it is with what it says to take the # away from.
    with(&text, &["profiles"]).prints("").run();
    let is_setting =
        |line: &&str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let uncomment = |line: &str| line.strip_prefix("# ").filter(is_setting).unwrap_or(line).to_owned() + "\n";
    let uncommented: String = text.lines().map(uncomment).collect();
    with(&uncommented, &["profiles"]).prints_among(&["local", "prod"]).run();
    with("[repl]\n", &["profiles", "--init"]).status(2).complains(&["config.toml is there already"]).run();
}

#[test]
fn init_leaves_nothing_of_a_file_that_cannot_be_written() {
    let full = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
    let run = rcli(["profiles", "--init"]).through_sh(full).status(2).complains(&["config.toml: "]).run();
    assert!(!run.home.path().join(CONFIG).exists());
}

//! What fuzzers found before: every file of `tests/corpus/` is given to its target.
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

use std::path::Path;
use std::{fs, iter, panic};

type Target = (&'static str, fn(&[u8]));

const TARGETS: [Target; 14] = [
    ("cluster_replies", super::cluster_replies),
    ("entries", super::entries),
    ("framer", super::framer),
    ("input", super::input),
    ("keys", super::keys),
    ("message", super::message),
    ("monitor", super::monitor),
    ("profiles", super::profiles),
    ("redirects", super::redirects),
    ("render", super::render),
    ("sentinels", super::sentinels),
    ("table", super::table),
    ("template", super::template),
    ("url", super::url),
];

#[test]
fn what_was_found_before_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut failed = Vec::new();
    for (name, check) in TARGETS {
        let paths = fs::read_dir(root.join("tests/corpus").join(name)).unwrap();
        let paths: Vec<_> = paths.map(|entry| entry.unwrap().path()).collect();
        assert!(!paths.is_empty(), "{name} has no corpus");
        for path in paths {
            let data = fs::read(&path).unwrap();
            // In some the first byte says which of several things is looked at: all of them.
            let all = (0..32).map(|first| [&[first], data.get(1..).unwrap_or_default()].concat());
            if panic::catch_unwind(|| iter::once(data.clone()).chain(all).for_each(|data| check(&data))).is_err() {
                failed.push(path);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn each_target_can_be_run_and_is_built_with_the_dependencies_of_rcli() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // A package of the crate comes without `fuzz/`, which is one of its own.
    let Ok(theirs) = fs::read_to_string(root.join("fuzz/Cargo.toml")) else { return };
    // A key that stands twice in it is no fault of a line.
    toml::de::DeTable::parse(&theirs).unwrap();
    let ours = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let dependencies = ours.split_once("[dependencies]\n").unwrap().1.split_once("\n[").unwrap().0;
    for line in dependencies.lines().filter(|line| !line.starts_with('#')) {
        assert!(theirs.lines().any(|their| their == line), "fuzz/Cargo.toml lacks: {line}");
    }
    for (name, _) in TARGETS {
        assert!(theirs.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml lacks the target {name}");
        let target = fs::read_to_string(root.join(format!("fuzz/fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("rcli::fuzz::{name}")), "{target}");
    }
}

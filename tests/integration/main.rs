//! The integration tests: the real binary against real servers and scripted peers, one file a topic.
//!
//! `server`, `peer` and `rcli` are the harness; everything else holds tests, each named after the rule it keeps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::needless_pass_by_value,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::naive_bytecount,
    reason = "a test ends by panicking, and its helpers take what is easiest to write at the call"
)]

mod certificates;
mod cluster_nodes;
mod peer;
mod pty;
mod rcli;
mod redis_cli;
mod redis_cli_table;
mod resp;
mod run;
mod running;
mod sentinels;
mod server;
mod subscribed;

mod atomic;
mod auth;
mod bounds;
mod called_as;
mod closed_descriptors;
mod cluster;
mod cluster_auth;
mod cluster_control;
mod cluster_databases;
mod cluster_faults;
mod cluster_hosts;
mod cluster_hung;
mod cluster_keys;
mod cluster_members;
mod cluster_pipe;
mod cluster_policies;
mod cluster_state;
mod cluster_streams;
mod cluster_tls;
mod cluster_txn;
mod command_tips;
mod connect;
mod connection_state;
mod control;
mod control_races;
mod csv;
#[cfg(target_os = "linux")]
mod dead_peer;
mod demoted;
mod encodings;
mod error_texts;
mod exec;
mod fake_prompt;
mod faults;
mod formats;
mod generated;
mod greeting;
mod handlers;
mod handshake;
mod hostile;
mod input;
mod input_forms;
mod json;
mod limits;
mod lines;
mod listen;
mod lost;
mod ls;
mod ls_cluster;
mod ls_columns;
mod ls_copy;
mod ls_faults;
mod memory;
mod messages;
mod monitor;
mod multi;
mod names;
mod on_disconnect;
mod overriding;
mod picture;
mod pipe;
mod pipe_faults;
mod profiles;
mod pushes;
mod rdb;
mod reach;
mod read_only;
mod readme;
mod reconnect;
mod repl;
mod repl_blocks;
mod repl_bounds;
mod repl_cluster;
mod repl_hints;
mod repl_history;
mod repl_keys;
mod repl_lines;
mod repl_offers;
mod repl_peek;
mod repl_profiles;
mod repl_sentinel;
mod repl_settings;
mod repl_subscriber;
mod repl_tables;
mod repl_values;
mod repl_verbs;
mod repl_views;
mod reports;
mod resume;
mod rows;
mod sandbox;
mod secrets;
mod sentinel;
mod sentinel_reads;
mod sentinel_switch;
mod side_by_side;
mod signals;
mod stat;
mod tail;
mod tail_cluster;
mod tail_gaps;
mod tail_groups;
mod terminal;
mod tls;
mod tls_mistakes;
mod tls_trust;
mod txn;
mod txn_program;
mod usage;

# The commands that CONTRIBUTING.md explains. `just` alone lists them.

_default:
    @just --list --unsorted

# Install what the sandbox and the tests need beside Rust
setup:
    .ci/setup

# All that a change must pass, as CI runs it
ci:
    .ci/run

# Format, and the lints with warnings denied
lint:
    cargo fmt
    cargo clippy --locked --all-targets -- -D warnings

# All tests, or those whose names hold FILTER: `just test repl_keys::`
test FILTER="":
    cargo test --locked {{ FILTER }}

# The tests on another server binary: `just test-on ./valkey-server cluster::`
test-on SERVER FILTER="":
    RCLI_TEST_SERVER={{ SERVER }} cargo test --locked {{ FILTER }}

# One fuzz target until something is found: `just fuzz framer`, `just fuzz url -max_total_time=60`
fuzz TARGET *OPTIONS:
    mkdir -p fuzz/corpus/{{ TARGET }}
    RUSTC_BOOTSTRAP=1 cargo fuzz run -s none {{ TARGET }} fuzz/corpus/{{ TARGET }} tests/corpus/{{ TARGET }} -- {{ OPTIONS }}

# An hour of kill -9, cut connections, failovers and moved slots, in which every command and message is accounted for
soak SECONDS="3600" *OPTIONS:
    cargo build --release --locked
    tests/soak/soak.py --rcli target/release/rcli --seconds {{ SECONDS }} {{ OPTIONS }}

# rcli side by side with redis-cli and redis-py: `just bench set mixed`, `just bench --quick`
bench *ROWS:
    cargo bench -- {{ ROWS }}

# The same, every row, into docs/performance.md
performance *ROWS:
    cargo bench -- --write docs/performance.md {{ ROWS }}

# The picture of README, drawn from a real session on a real terminal
picture:
    cargo test --locked --test integration -- --ignored picture::

# completions/ and man/ from the command line's definition
generate:
    cargo run --locked -- generate .

# src/start.ld: which functions a start calls (needs valgrind)
start-order:
    cargo rustc --release --locked --bin rcli --target-dir target/symbols -- -C strip=none
    packaging/start-order target/symbols/release/rcli

# A tarball with the program, manual pages and completions, and its checksum, in dist/
dist TARGET="":
    packaging/dist {{ TARGET }}

# A Debian package, installed in a fresh root, run and removed again (needs root and debootstrap)
deb:
    cargo deb --locked --output target/debian/
    packaging/try-deb target/debian/*.deb

# The licences of what it is built of, and that nothing is built in two versions without a reason
deny:
    cargo deny --locked check licenses bans

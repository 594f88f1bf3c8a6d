//! What makes each start shorter where the C library is glibc. libgcc's unwinder is linked into the program: one library
//! less to find, load and set up, a twentieth of what one command takes. `src/entry.rs` is where the program begins. And
//! in a release what a start calls stands side by side (`src/start.ld`), so that a quarter fewer pages are read, and the
//! program has a fixed address, as Go's programs have: to put one at a random address 5,900 pointers are written at each
//! start, which is a ninth of what one command takes. The stack, the heap and the libraries stay at random ones.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(own_entry)");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/start.ld");
    if target("OS") == "linux" && target("ENV") == "gnu" {
        println!("cargo::rustc-link-lib=static:-bundle=gcc_eh");
        println!("cargo::rustc-cfg=own_entry");
        if target("ARCH") == "x86_64" && of("PROFILE") == "release" && links_as_usual() {
            let script = Path::new(&of("CARGO_MANIFEST_DIR")).join("src/start.ld");
            println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", script.display());
            println!("cargo::rustc-link-arg-bins=-no-pie");
        }
    }
}

fn of(key: &str) -> String {
    env::var(key).unwrap_or_default()
}

fn target(key: &str) -> String {
    of(&format!("CARGO_CFG_TARGET_{key}"))
}

/// Whether nobody chose a linker: not each of them reads scripts.
fn links_as_usual() -> bool {
    env::var_os("RUSTC_LINKER").is_none() && !of("CARGO_ENCODED_RUSTFLAGS").contains("link")
}

//! Sets `has_avx512` where the compiler knows the AVX-512 intrinsics (stable since Rust 1.89), so
//! that an older compiler still builds the crate, with AVX2 as its widest path.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let minor = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| minor_version(&String::from_utf8_lossy(&output.stdout)));
    if minor.is_some_and(|minor| minor >= 89) {
        println!("cargo:rustc-cfg=has_avx512");
    }
}

/// 89 of "rustc 1.89.0 (...)".
fn minor_version(text: &str) -> Option<u32> {
    text.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}

//! The native kernel of `dedup`: normal forms, shingle hashes, MinHash sketches and overlaps of many
//! texts, as `dedup/_core.pyi` documents them and `dedup/_reference.py` spells them out.
//!
//! Only `python` knows of Python; the rest is plain Rust over slices.

#[cfg(all(has_avx512, target_arch = "x86_64"))]
#[allow(clippy::incompatible_msrv)] // build.rs sets has_avx512 only where the compiler has these
mod ascending;
mod ascii;
mod chars;
pub mod digest;
mod equal;
pub mod exact;
pub mod forms;
mod hash_set;
mod json;
mod large_pages;
pub mod lines;
mod lookup;
mod lowering;
pub mod minhash;
pub mod normalize;
pub mod records;
pub mod sample;
pub mod search;
pub mod seen;
pub mod shingles;
pub mod simd;
pub mod sketch;
pub mod spare;
pub mod stages;
mod table;
pub mod texts;
pub mod threads;
mod unicode_tables;
mod xxh3;

#[cfg(feature = "python")]
mod python;
#[cfg(test)]
mod testing;

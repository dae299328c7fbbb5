//! Which instructions to use: decided at run time, so that one build serves every CPU.

/// A set of instructions that some function has its own path for. Every path gives the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the compiler makes of plain Rust for the target's baseline (SSE2, NEON).
    Portable,
    /// AVX2, POPCNT, BMI1 and BMI2 (Haswell, Zen and later).
    Avx2,
    /// These, and AVX-512 F, BW, DQ, VL, VBMI and VBMI2 (Ice Lake, Zen 4 and later).
    Avx512,
}

impl Level {
    /// The best level of this CPU. `is_x86_feature_detected` keeps its answer, so this is cheap.
    pub fn detect() -> Level {
        #[cfg(all(has_avx512, target_arch = "x86_64"))]
        if Level::avx2() == Level::Avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi")
            && is_x86_feature_detected!("avx512vbmi2")
        {
            return Level::Avx512;
        }
        Level::avx2()
    }

    #[cfg(target_arch = "x86_64")]
    fn avx2() -> Level {
        let found = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        if found {
            Level::Avx2
        } else {
            Level::Portable
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn avx2() -> Level {
        Level::Portable
    }

    /// Every level this CPU can run, for tests that hold them against each other.
    #[doc(hidden)]
    pub fn available() -> Vec<Level> {
        [Level::Portable, Level::Avx2, Level::Avx512]
            .into_iter()
            .filter(|&level| level <= Level::detect())
            .collect()
    }

    /// The name that `build_info` shows.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }
}

/// Asks the memory for a value that will be looked at soon, if there is one.
#[inline(always)]
pub fn prefetch<T>(values: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(value) = values.get(at) {
        use std::arch::x86_64::{_mm_prefetch, _MM_HINT_T0};
        // SAFETY: SSE is part of x86-64, and this reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (values, at);
}

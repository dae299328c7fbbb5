//! Large tables that are read and written all over.

/// Tables of fewer bytes than this are left as they are.
const LARGE: usize = 4 << 20;

/// `count` times `value`. Where the system has large pages on request it is asked for them: in a table
/// of many megabytes nearly every access elsewhere would look up a page's address too.
pub fn filled<T: Copy>(value: T, count: usize) -> Vec<T> {
    filled_with(|| value, count)
}

/// The same of what can't be copied.
pub fn filled_with<T>(value: impl FnMut() -> T, count: usize) -> Vec<T> {
    let mut table = Vec::with_capacity(count);
    ask_for_large_pages(table.spare_capacity_mut());
    table.resize_with(count, value);
    table
}

#[cfg(target_os = "linux")]
fn ask_for_large_pages<T>(memory: &mut [T]) {
    use std::ffi::{c_int, c_void};
    extern "C" {
        fn madvise(start: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    const MADV_HUGEPAGE: c_int = 14;
    const PAGE: usize = 2 << 20;
    let range = memory.as_mut_ptr_range();
    // Whole large pages only, so that no memory of others is spoken for.
    let start = (range.start as usize).next_multiple_of(PAGE);
    let length = (range.end as usize).saturating_sub(start) / PAGE * PAGE;
    if std::mem::size_of_val(memory) >= LARGE && length > 0 {
        // SAFETY: the range lies in this allocation, and the advice changes no content. It may be
        // refused, which changes nothing either.
        unsafe { madvise(start as *mut c_void, length, MADV_HUGEPAGE) };
    }
}

/// For as long as this lives, the system is told that values are read here and there: if they stand in a file
/// and aren't in memory, reading one then fetches no megabytes around it.
pub struct HereAndThere<'a, T>(&'a [T]);

impl<'a, T> HereAndThere<'a, T> {
    pub fn new(values: &'a [T]) -> HereAndThere<'a, T> {
        const MADV_RANDOM: std::ffi::c_int = 1;
        advise(values, MADV_RANDOM);
        HereAndThere(values)
    }
}

/// The system is told that these values will be read soon.
pub fn soon<T>(values: &[T]) {
    const MADV_WILLNEED: std::ffi::c_int = 3;
    advise(values, MADV_WILLNEED);
}

impl<T> Drop for HereAndThere<'_, T> {
    fn drop(&mut self) {
        const MADV_NORMAL: std::ffi::c_int = 0;
        advise(self.0, MADV_NORMAL);
    }
}

/// Says how these values will be read.
#[cfg(target_os = "linux")]
fn advise<T>(values: &[T], advice: std::ffi::c_int) {
    use std::ffi::{c_int, c_long, c_void};
    extern "C" {
        fn madvise(start: *mut c_void, length: usize, advice: c_int) -> c_int;
        fn sysconf(name: c_int) -> c_long;
    }
    const SC_PAGESIZE: c_int = 30;
    // SAFETY: it takes a number and gives one.
    let page = unsafe { sysconf(SC_PAGESIZE) }.max(1 << 12) as usize;
    let range = values.as_ptr_range();
    let start = range.start as usize / page * page;
    let length = (range.end as usize).next_multiple_of(page) - start;
    // SAFETY: how memory will be read changes no content, not even where the first and the last page are of others.
    // The advice may be refused, which changes nothing either.
    unsafe { madvise(start as *mut c_void, length, advice) };
}

#[cfg(not(target_os = "linux"))]
fn advise<T>(_values: &[T], _advice: std::ffi::c_int) {}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages<T>(_memory: &mut [T]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_changes_no_value() {
        let values: Vec<u32> = (0..LARGE as u32 / 2).collect();
        let told = HereAndThere::new(&values);
        assert!(values.iter().copied().eq(0..LARGE as u32 / 2));
        drop(told);
        assert!(values.iter().copied().eq(0..LARGE as u32 / 2));
    }

    #[test]
    fn tables_hold_what_was_asked_for() {
        for count in [0, 1, 1000, LARGE / 8, LARGE + 12_345] {
            assert!(filled(7u64, count).iter().all(|&value| value == 7));
            assert_eq!(filled(7u64, count).len(), count);
        }
    }
}

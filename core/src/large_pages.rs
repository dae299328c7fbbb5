//! Large tables that are read and written all over.

/// Tables of fewer bytes than this are left as they are.
const LARGE: usize = 4 << 20;

/// `count` times `value`. Where the system has large pages on request it is asked for them: in a table
/// of many megabytes nearly every access elsewhere would look up a page's address too.
pub fn filled<T: Copy>(value: T, count: usize) -> Vec<T> {
    let mut table = Vec::with_capacity(count);
    ask_for_large_pages(table.spare_capacity_mut());
    table.resize(count, value);
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

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages<T>(_memory: &mut [T]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_hold_what_was_asked_for() {
        for count in [0, 1, 1000, LARGE / 8, LARGE + 12_345] {
            assert!(filled(7u64, count).iter().all(|&value| value == 7));
            assert_eq!(filled(7u64, count).len(), count);
        }
    }
}

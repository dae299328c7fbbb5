//! Any bytes to their normal form: the same on every level, of a fresh normalizer and of one that was
//! used before, and its own normal form. What isn't UTF-8 is refused where std says that it isn't.

#![no_main]

use std::cell::RefCell;

use _core::normalize::{Fault, Normalizer};
use _core::simd::Level;
use _core::threads::Cancel;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static USED: RefCell<Normalizer> = RefCell::new(Normalizer::new(Level::detect()));
}

fn form(level: Level, text: &[u8]) -> Result<Vec<u8>, Fault> {
    Normalizer::new(level).normal_form(text, &Cancel::new()).map(<[u8]>::to_vec)
}

fuzz_target!(|text: &[u8]| {
    let portable = form(Level::Portable, text);
    for level in Level::available() {
        assert_eq!(form(level, text), portable);
    }
    USED.with_borrow_mut(|used| {
        assert_eq!(used.normal_form(text, &Cancel::new()).map(<[u8]>::to_vec), portable);
    });
    match (std::str::from_utf8(text), portable) {
        (Ok(_), Ok(found)) => {
            assert!(std::str::from_utf8(&found).is_ok());
            assert_eq!(form(Level::Portable, &found).as_ref(), Ok(&found));
        }
        (Err(error), Err(fault)) => assert_eq!(fault, Fault::Utf8(error.valid_up_to())),
        (said, found) => panic!("{said:?}, but {found:?}"),
    }
});

//! The panic guard: a bug of ours answers an error instead of taking the server down.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; a panic in it gives `fallen(message)` instead.
///
/// Every function that C calls has one of these around all that it does: unwinding into C aborts
/// the process. `AssertUnwindSafe` is right because what a panicking command leaves behind is at
/// worst a value that was not changed: `decide` never mutates and `apply` is total.
pub fn catch_panic<T>(body: impl FnOnce() -> T, fallen: impl FnOnce(&str) -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(panic) => fallen(message(&*panic)),
    }
}

/// Like [`catch_panic`], but for callbacks without a reply.
pub fn catch_panic_or<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_panic(body, |_| fallback)
}

fn message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "unknown cause"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_value() {
        let outcome = catch_panic(|| -> String { panic!("the {} broke", "lid") }, |text| text.to_owned());
        assert_eq!(outcome, "the lid broke");
        assert_eq!(catch_panic_or(7, || panic!("again")), 7);
        assert_eq!(catch_panic(|| 1, |_| 2), 1);
    }
}

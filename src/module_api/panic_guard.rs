//! The panic guard: a bug of ours answers an error instead of taking the server down.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(feature = "test-commands")]
use std::sync::atomic::{AtomicU8, Ordering};

use super::context::{Level, log_anywhere};

/// Runs `body`; a panic in it gives `fallen(message)` instead.
///
/// Every function that C calls has one of these around all that it does: unwinding into C aborts
/// the process. `AssertUnwindSafe` is right because what a panicking command leaves behind is at
/// worst a value that was not changed: `decide` never mutates, and a panic in `apply` stops the
/// server (see [`abort_on_panic`]).
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

/// Stops the server if `body`, which changes what the server holds, panics. What is left may be
/// half of a change, and to go on with it would part this server from its replicas and its files.
/// The change was not sent yet: they do not have it.
pub fn abort_on_panic<T>(body: impl FnOnce() -> T) -> T {
    struct Whole;
    impl Drop for Whole {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let text = "workgate: a change panicked halfway (the cause is on the standard error): the server stops, \
                            as it would go on with half of the change; start it again from its files";
                log_anywhere(Level::Warning, text);
                std::process::abort();
            }
        }
    }
    let _whole = Whole;
    body()
}

/// Where a test may ask for a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestPoint {
    Apply = 1,
    Rewrite,
}

/// Where the next panic was asked for: a [`TestPoint`] as a number, 0 for nowhere.
#[cfg(feature = "test-commands")]
pub static PANIC_AT: AtomicU8 = AtomicU8::new(0);

/// Panics if a test has asked for that.
#[inline]
pub fn test_point(_point: TestPoint) {
    #[cfg(feature = "test-commands")]
    assert!(PANIC_AT.load(Ordering::Relaxed) != _point as u8, "asked to");
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

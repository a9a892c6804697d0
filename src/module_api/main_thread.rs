//! State that only the server's main thread touches.

use std::cell::{RefCell, RefMut};

/// A static that is used by the main thread alone.
///
/// The server runs every command, timer and event of a module in its main thread. Freeing a value
/// may happen in another one, so no `Drop` of a stored value may reach for such a static.
pub struct MainThread<T>(RefCell<T>);

// SAFETY: by the server's contract all callbacks that use these statics run in the main thread, one
// after the other; the RefCell catches reentrance.
unsafe impl<T> Sync for MainThread<T> {}

impl<T> MainThread<T> {
    pub const fn new(value: T) -> Self {
        MainThread(RefCell::new(value))
    }

    /// Borrows the state. Panics (into the guard) when it is borrowed already: hold it briefly and
    /// never across a call that can come back to it.
    pub fn borrow(&self) -> RefMut<'_, T> {
        self.0.borrow_mut()
    }

    /// Runs `body` with the state.
    pub fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        body(&mut self.0.borrow_mut())
    }
}

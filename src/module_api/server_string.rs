//! Strings of the server: key names and payloads, borrowed or owned.

use std::marker::PhantomData;
use std::slice;

use crate::module_api::{api, raw};

/// A string that the server owns, borrowed for one call. Any byte is allowed in it.
#[derive(Clone, Copy)]
pub struct ServerStr<'a> {
    raw: *mut raw::RedisModuleString,
    call: PhantomData<&'a [u8]>,
}

impl<'a> ServerStr<'a> {
    /// # Safety
    /// `raw` must be a string that stays alive and unchanged for `'a`.
    pub(crate) unsafe fn new(raw: *mut raw::RedisModuleString) -> Self {
        ServerStr { raw, call: PhantomData }
    }

    pub(crate) fn raw(self) -> *mut raw::RedisModuleString {
        self.raw
    }

    pub fn bytes(self) -> &'a [u8] {
        // SAFETY: the string is alive for 'a (see `new`).
        unsafe { bytes_of(self.raw) }
    }
}

/// # Safety
/// `string` must stay alive and unchanged for `'a`.
pub(crate) unsafe fn bytes_of<'a>(string: *const raw::RedisModuleString) -> &'a [u8] {
    let mut length = 0usize;
    // SAFETY: the string is alive; the length is written before the pointer is used.
    unsafe {
        let start = api!(RedisModule_StringPtrLen)(string, &mut length);
        slice::from_raw_parts(start.cast::<u8>(), length)
    }
}

/// A string of the server that we made, released on drop.
pub struct ServerString {
    raw: *mut raw::RedisModuleString,
}

impl ServerString {
    pub fn new(bytes: &[u8]) -> Self {
        // SAFETY: a null context is allowed: the string is then ours to free.
        let raw = unsafe {
            api!(RedisModule_CreateString)(std::ptr::null_mut(), bytes.as_ptr().cast(), bytes.len())
        };
        ServerString { raw }
    }

    pub fn borrow(&self) -> ServerStr<'_> {
        // SAFETY: the string lives as long as self.
        unsafe { ServerStr::new(self.raw) }
    }
}

impl Drop for ServerString {
    fn drop(&mut self) {
        // SAFETY: made by `new` with a null context and freed once.
        unsafe { api!(RedisModule_FreeString)(std::ptr::null_mut(), self.raw) };
    }
}

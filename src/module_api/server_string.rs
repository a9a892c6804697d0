//! Strings of the server: key names and payloads, borrowed or owned.

use std::marker::PhantomData;
use std::slice;

use super::context::Ctx;
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

    /// Takes over a string that the server has made for the module in the context of a call; `None`
    /// for null.
    ///
    /// # Safety
    /// `raw` must be null, or ours to free and made in this context.
    pub(crate) unsafe fn from_raw(ctx: Ctx<'_>, raw: *mut raw::RedisModuleString) -> Option<Self> {
        if raw.is_null() {
            return None;
        }
        // SAFETY: by the caller's promise. The copy belongs to no context, so that every drop is
        // alike.
        unsafe {
            let copy = ServerString::new(bytes_of(raw));
            api!(RedisModule_FreeString)(ctx.raw(), raw);
            Some(copy)
        }
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

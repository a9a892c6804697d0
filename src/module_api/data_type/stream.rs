//! The bytes of a value in the server's stream.

use std::ffi::c_char;

use crate::module_api::{api, raw};

pub(super) fn save_bytes(io: *mut raw::RedisModuleIO, bytes: &[u8]) {
    // SAFETY: the server copies the bytes into its stream.
    unsafe { api!(RedisModule_SaveStringBuffer)(io, bytes.as_ptr().cast(), bytes.len()) };
}

/// Bytes that the server allocated for us.
pub(super) struct Buffer {
    start: *mut c_char,
    length: usize,
}

impl Buffer {
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the server gave `length` bytes at `start`, ours until drop.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.length) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: allocated by the server for us, freed once.
        unsafe { api!(RedisModule_Free)(self.start.cast()) };
    }
}

/// `None` when the stream is damaged: with HANDLE_IO_ERRORS set, the server tells instead of dying.
pub(super) fn load_bytes(io: *mut raw::RedisModuleIO) -> Option<Buffer> {
    let mut length = 0usize;
    // SAFETY: `io` is the server's stream for this call.
    let start = unsafe { api!(RedisModule_LoadStringBuffer)(io, &mut length) };
    if start.is_null() {
        return None;
    }
    let buffer = Buffer { start, length };
    // SAFETY: as above.
    let failed = unsafe { api!(RedisModule_IsIOError)(io) } != 0;
    (!failed).then_some(buffer)
}

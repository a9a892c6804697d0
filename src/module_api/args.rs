//! The arguments of one command, borrowed from the server.

use std::ffi::c_int;
use std::slice;

use super::server_string::ServerStr;
use crate::module_api::raw;

/// Arguments by position; 0 is the command's name.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    strings: &'a [*mut raw::RedisModuleString],
}

impl<'a> Args<'a> {
    /// # Safety
    /// `argv` must point to `argc` strings that stay alive for `'a`.
    pub(crate) unsafe fn new(argv: *mut *mut raw::RedisModuleString, argc: c_int) -> Self {
        // SAFETY: by the caller's promise; a command has at least its name.
        Args { strings: unsafe { slice::from_raw_parts(argv, argc as usize) } }
    }

    pub fn len(self) -> usize {
        self.strings.len()
    }

    /// The argument at `index` as the server's own string. Panics (into the guard) beyond the end.
    pub fn name(self, index: usize) -> ServerStr<'a> {
        // SAFETY: alive for 'a by the promise given to `new`.
        unsafe { ServerStr::new(self.strings[index]) }
    }

    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        // SAFETY: alive for 'a by the promise given to `new`.
        self.strings.get(index).map(|string| unsafe { ServerStr::new(*string) }.bytes())
    }
}

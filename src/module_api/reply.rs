//! Answers to the client of the current call.

use std::ffi::{CStr, CString, c_long};
use std::sync::atomic::{AtomicBool, Ordering};

use super::context::Ctx;
use crate::module_api::{api, raw};

/// Whether the command that runs now has begun its reply. Commands run one at a time.
static BEGUN: AtomicBool = AtomicBool::new(false);

/// Writes the reply piece by piece, in order.
#[derive(Clone, Copy)]
pub struct Reply<'a> {
    ctx: Ctx<'a>,
}

impl<'a> Reply<'a> {
    pub fn to(ctx: Ctx<'a>) -> Self {
        Reply { ctx }
    }

    /// Every piece of a reply goes through here.
    fn raw(self) -> *mut raw::RedisModuleCtx {
        BEGUN.store(true, Ordering::Relaxed);
        self.ctx.raw()
    }

    /// Before a command runs: nothing is written yet.
    pub(crate) fn begin() {
        BEGUN.store(false, Ordering::Relaxed);
    }

    /// Whether the command that runs has written anything.
    pub(crate) fn has_begun() -> bool {
        BEGUN.load(Ordering::Relaxed)
    }

    /// The head of an array; `length` elements follow.
    pub fn array(self, length: usize) {
        // SAFETY: the context is alive.
        unsafe { api!(RedisModule_ReplyWithArray)(self.raw(), length as c_long) };
    }

    /// The head of a map (a flat array on RESP2); `pairs` keys with their values follow.
    pub fn map(self, pairs: usize) {
        // SAFETY: the context is alive.
        unsafe { api!(RedisModule_ReplyWithMap)(self.raw(), pairs as c_long) };
    }

    pub fn int(self, value: i64) {
        // SAFETY: the context is alive.
        unsafe { api!(RedisModule_ReplyWithLongLong)(self.raw(), value) };
    }

    /// A count, time or token; all of ours are far below 2^63.
    pub fn uint(self, value: u64) {
        self.int(i64::try_from(value).unwrap_or(i64::MAX));
    }

    /// A double on RESP3, its shortest text on RESP2.
    pub fn double(self, value: f64) {
        if self.ctx.is_resp3() {
            // SAFETY: the context is alive.
            unsafe { api!(RedisModule_ReplyWithDouble)(self.raw(), value) };
        } else {
            self.bulk(value.to_string().as_bytes());
        }
    }

    /// True or false on RESP3, 1 or 0 on RESP2.
    pub fn boolean(self, value: bool) {
        // SAFETY: the context is alive.
        unsafe { api!(RedisModule_ReplyWithBool)(self.raw(), value.into()) };
    }

    pub fn bulk(self, bytes: &[u8]) {
        // SAFETY: the server copies the bytes.
        unsafe { api!(RedisModule_ReplyWithStringBuffer)(self.raw(), bytes.as_ptr().cast(), bytes.len()) };
    }

    pub fn bulk_or_null(self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    pub fn null(self) {
        // SAFETY: the context is alive.
        unsafe { api!(RedisModule_ReplyWithNull)(self.raw()) };
    }

    /// A state's name: a bulk string, which costs the server half of a simple one.
    pub fn word(self, text: &'static CStr) {
        self.bulk(text.to_bytes());
    }

    /// A simple string of one line.
    pub fn status(self, text: &str) {
        let text = CString::new(text).unwrap_or_default();
        // SAFETY: the server copies the text.
        unsafe { api!(RedisModule_ReplyWithSimpleString)(self.raw(), text.as_ptr()) };
    }

    pub fn ok(self) {
        // SAFETY: the server copies the text.
        unsafe { api!(RedisModule_ReplyWithSimpleString)(self.raw(), c"OK".as_ptr()) };
    }

    /// An error line; `text` begins with its machine-readable word.
    pub fn error(self, text: &str) {
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let text = CString::new(clean).unwrap_or_default();
        // SAFETY: the server copies the text.
        unsafe { api!(RedisModule_ReplyWithError)(self.raw(), text.as_ptr()) };
    }
}

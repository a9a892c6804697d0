//! A server that knows strings, its role and replies, and nothing else, for fuzz targets.
//!
//! A command that has read its arguments asks for something that this server does not know. The
//! panic guard answers that with an error that names the function, see [`UNKNOWN_FUNCTION`].

use std::ffi::{CStr, c_char, c_int, c_long, c_longlong};
use std::sync::Once;

use super::command::Entry;
use crate::module_api::raw;

/// Begins the error of a command that has panicked.
pub const PANIC: &str = "ERR internal error in workgate";

/// Begins the error of a command that asked for what this server does not know.
pub const UNKNOWN_FUNCTION: &str = "ERR internal error in workgate, please report it: RedisModule_";

/// What a command did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The error that it answered.
    pub error: Option<String>,
    /// Where it found keys, when it was asked.
    pub key_positions: Vec<usize>,
}

/// What the context points to.
#[derive(Default)]
struct Call {
    outcome: Outcome,
    asks_for_keys: bool,
}

/// Asks a command for its keys, where it can be asked, and calls it.
pub fn call(entry: Entry, words: &[&[u8]]) -> Outcome {
    static BEGIN: Once = Once::new();
    BEGIN.call_once(begin);
    let mut strings: Vec<Vec<u8>> = words.iter().map(|word| word.to_vec()).collect();
    let mut argv: Vec<*mut raw::RedisModuleString> =
        strings.iter_mut().map(|string| std::ptr::from_mut(string).cast()).collect();
    let mut call = Call { outcome: Outcome::default(), asks_for_keys: true };
    for asks_for_keys in [true, false] {
        call.asks_for_keys = asks_for_keys;
        call.outcome.error = None;
        let ctx = std::ptr::from_mut(&mut call).cast();
        // SAFETY: context and arguments are of the forms that the functions below expect, and live
        // until the end of the call.
        unsafe { entry(ctx, argv.as_mut_ptr(), argv.len() as c_int) };
    }
    call.outcome
}

/// Fills the table of functions.
fn begin() {
    // SAFETY: done once, before any command is called; nothing else in such a program reads it.
    unsafe {
        raw::RedisModule_StringPtrLen = Some(string_ptr_len);
        raw::RedisModule_CreateString = Some(create_string);
        raw::RedisModule_FreeString = Some(free_string);
        raw::RedisModule_GetContextFlags = Some(is_primary);
        raw::RedisModule_IsKeysPositionRequest = Some(is_keys_position_request);
        raw::RedisModule_KeyAtPos = Some(key_at_pos);
        raw::RedisModule_ReplyWithArray = Some(reply_with_length);
        raw::RedisModule_ReplyWithMap = Some(reply_with_length);
        raw::RedisModule_ReplyWithLongLong = Some(reply_with_long_long);
        raw::RedisModule_ReplyWithDouble = Some(reply_with_double);
        raw::RedisModule_ReplyWithBool = Some(reply_with_bool);
        raw::RedisModule_ReplyWithStringBuffer = Some(reply_with_buffer);
        raw::RedisModule_ReplyWithNull = Some(reply_with_null);
        raw::RedisModule_ReplyWithSimpleString = Some(reply_with_simple_string);
        raw::RedisModule_ReplyWithError = Some(reply_with_error);
        raw::RedisModule_GetClientId = Some(client_id);
        raw::RedisModule_DeauthenticateAndCloseClient = Some(close_client);
    }
}

type Ctx = *mut raw::RedisModuleCtx;

fn call_of<'a>(ctx: Ctx) -> &'a mut Call {
    // SAFETY: the context is the one that `call` has made, and nothing else borrows it meanwhile.
    unsafe { &mut *ctx.cast::<Call>() }
}

unsafe extern "C" fn string_ptr_len(
    string: *const raw::RedisModuleString,
    length: *mut usize,
) -> *const c_char {
    // SAFETY: a string of this server is a `Vec<u8>`; the caller gives a place for the length.
    unsafe {
        let string = &*string.cast::<Vec<u8>>();
        *length = string.len();
        string.as_ptr().cast()
    }
}

unsafe extern "C" fn create_string(
    _: Ctx,
    bytes: *const c_char,
    length: usize,
) -> *mut raw::RedisModuleString {
    // SAFETY: the caller gives so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), length) };
    Box::into_raw(Box::new(bytes.to_vec())).cast()
}

unsafe extern "C" fn free_string(_: Ctx, string: *mut raw::RedisModuleString) {
    // SAFETY: made by `create_string`, and freed once.
    drop(unsafe { Box::from_raw(string.cast::<Vec<u8>>()) });
}

unsafe extern "C" fn is_primary(_: Ctx) -> c_int {
    raw::REDISMODULE_CTX_FLAGS_MASTER as c_int
}

unsafe extern "C" fn is_keys_position_request(ctx: Ctx) -> c_int {
    call_of(ctx).asks_for_keys.into()
}

unsafe extern "C" fn key_at_pos(ctx: Ctx, position: c_int) {
    call_of(ctx).outcome.key_positions.push(position as usize);
}

unsafe extern "C" fn reply_with_length(_: Ctx, _: c_long) -> c_int {
    0
}

unsafe extern "C" fn reply_with_long_long(_: Ctx, _: c_longlong) -> c_int {
    0
}

unsafe extern "C" fn reply_with_double(_: Ctx, _: f64) -> c_int {
    0
}

unsafe extern "C" fn reply_with_bool(_: Ctx, _: c_int) -> c_int {
    0
}

unsafe extern "C" fn reply_with_buffer(_: Ctx, _: *const c_char, _: usize) -> c_int {
    0
}

unsafe extern "C" fn reply_with_null(_: Ctx) -> c_int {
    0
}

unsafe extern "C" fn reply_with_simple_string(_: Ctx, _: *const c_char) -> c_int {
    0
}

unsafe extern "C" fn reply_with_error(ctx: Ctx, text: *const c_char) -> c_int {
    // SAFETY: the caller gives a text that ends.
    let text = unsafe { CStr::from_ptr(text) };
    call_of(ctx).outcome.error = Some(text.to_string_lossy().into_owned());
    0
}

unsafe extern "C" fn client_id(_: Ctx) -> u64 {
    1
}

unsafe extern "C" fn close_client(_: Ctx, _: u64) -> c_int {
    0
}

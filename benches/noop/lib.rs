//! A module whose one command does nothing: what any command with such a reply costs at the least.
//!
//! `NOOP.FIVE key limit` answers five integers, as an allowed RATELIMIT.CHECK does; `make bench` loads it beside ours.

use std::ffi::c_int;

use redis_module::raw;

const OK: c_int = raw::REDISMODULE_OK as c_int;

unsafe extern "C" fn five(
    ctx: *mut raw::RedisModuleCtx,
    _argv: *mut *mut raw::RedisModuleString,
    _argc: c_int,
) -> c_int {
    // SAFETY: the server filled the table before it called, and the context is alive for this call.
    unsafe {
        let (Some(array), Some(number)) =
            (raw::RedisModule_ReplyWithArray, raw::RedisModule_ReplyWithLongLong)
        else {
            return raw::REDISMODULE_ERR as c_int;
        };
        array(ctx, 5);
        for value in [1, 1_000_000_000, 999_999_999, 0, 1] {
            number(ctx, value);
        }
    }
    OK
}

/// Called by the server when it loads the module.
///
/// # Safety
/// The context is the one that the server gives to a module it loads.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn RedisModule_OnLoad(
    ctx: *mut raw::RedisModuleCtx,
    _argv: *mut *mut raw::RedisModuleString,
    _argc: c_int,
) -> c_int {
    // SAFETY: the names end in NUL; the table of functions is filled by the first call.
    unsafe {
        if raw::Export_RedisModule_Init(ctx, c"noop".as_ptr(), 1, raw::REDISMODULE_APIVER_1 as c_int) != OK {
            return raw::REDISMODULE_ERR as c_int;
        }
        let Some(create) = raw::RedisModule_CreateCommand else { return raw::REDISMODULE_ERR as c_int };
        create(ctx, c"noop.five".as_ptr(), Some(five), c"readonly fast".as_ptr(), 1, 1, 1)
    }
}

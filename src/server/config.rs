//! Settings: `CONFIG SET workgate.<name>`, and arguments of MODULE LOAD do not exist.

use std::ffi::{CString, c_char, c_int, c_longlong, c_void};
use std::sync::atomic::{AtomicI64, Ordering};

use super::ctx::Ctx;
use super::{api, raw};

/// A whole number that can be changed at run time.
pub struct Number {
    pub name: &'static str,
    pub default: i64,
    pub least: i64,
    pub most: i64,
    /// What CONFIG GET shows; read by the commands.
    pub value: AtomicI64,
}

impl Number {
    pub const fn new(name: &'static str, default: i64, least: i64, most: i64) -> Self {
        Number { name, default, least, most, value: AtomicI64::new(default) }
    }

    pub fn get(&self) -> i64 {
        self.value.load(Ordering::Relaxed)
    }
}

/// Registers the settings and reads what the configuration file says of them.
pub fn register(ctx: Ctx<'_>, numbers: &'static [&'static Number]) -> bool {
    let registered = numbers.iter().all(|number| register_number(ctx, number));
    // SAFETY: the context is alive.
    registered && unsafe { api!(RedisModule_LoadConfigs)(ctx.raw()) } == raw::REDISMODULE_OK as c_int
}

fn register_number(ctx: Ctx<'_>, number: &'static Number) -> bool {
    let name = CString::new(number.name).expect("names of settings hold no NUL");
    // SAFETY: the server copies the name; the private data is a static.
    let status = unsafe {
        api!(RedisModule_RegisterNumericConfig)(
            ctx.raw(),
            name.as_ptr(),
            number.default,
            raw::REDISMODULE_CONFIG_DEFAULT,
            number.least,
            number.most,
            Some(get_number),
            Some(set_number),
            None,
            std::ptr::from_ref(number).cast_mut().cast(),
        )
    };
    status == raw::REDISMODULE_OK as c_int
}

/// # Safety
/// `data` must be what [`register_number`] passed.
unsafe fn number_of(data: *mut c_void) -> &'static Number {
    // SAFETY: by the caller's promise a static.
    unsafe { &*data.cast::<Number>() }
}

extern "C" fn get_number(_: *const c_char, data: *mut c_void) -> c_longlong {
    // SAFETY: the server hands back the private data.
    unsafe { number_of(data) }.get()
}

extern "C" fn set_number(
    _: *const c_char,
    value: c_longlong,
    data: *mut c_void,
    _: *mut *mut raw::RedisModuleString,
) -> c_int {
    // SAFETY: the server hands back the private data and has checked the range.
    unsafe { number_of(data) }.value.store(value, Ordering::Relaxed);
    raw::REDISMODULE_OK as c_int
}

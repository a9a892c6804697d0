//! Registers the settings `workgate.<name>`. The module takes no arguments of MODULE LOAD.

use std::ffi::{CStr, CString, OsString, c_char, c_int, c_longlong, c_void};
use std::os::unix::ffi::OsStringExt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::context::Ctx;
use super::main_thread::MainThread;
use super::server_string::{ServerString, bytes_of};
use crate::module_api::{api, raw};

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

/// Yes or no, which can be changed at run time.
pub struct Switch {
    pub name: &'static str,
    on: AtomicBool,
}

impl Switch {
    /// Off unless the configuration says otherwise.
    pub const fn new(name: &'static str) -> Self {
        Switch { name, on: AtomicBool::new(false) }
    }

    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }
}

/// A text that the configuration file or the command line gives, and that does not change
/// afterwards. Empty unless given.
pub struct Text {
    pub name: &'static str,
    value: MainThread<Option<ServerString>>,
}

impl Text {
    pub const fn new(name: &'static str) -> Self {
        Text { name, value: MainThread::new(None) }
    }

    pub fn get(&self) -> OsString {
        let bytes = self.value.with(|value| value.as_ref().map(|text| text.borrow().bytes().to_vec()));
        OsString::from_vec(bytes.unwrap_or_default())
    }
}

/// Registers the settings and reads what the configuration file says of them.
pub fn register(
    ctx: Ctx<'_>,
    numbers: &'static [&'static Number],
    switches: &'static [&'static Switch],
    texts: &'static [&'static Text],
) -> bool {
    let registered = numbers.iter().all(|number| register_number(ctx, number))
        && switches.iter().all(|switch| register_switch(ctx, switch))
        && texts.iter().all(|text| register_text(ctx, text));
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

fn register_switch(ctx: Ctx<'_>, switch: &'static Switch) -> bool {
    let name = CString::new(switch.name).expect("names of settings hold no NUL");
    // SAFETY: the server copies the name; the private data is a static.
    let status = unsafe {
        api!(RedisModule_RegisterBoolConfig)(
            ctx.raw(),
            name.as_ptr(),
            0,
            raw::REDISMODULE_CONFIG_DEFAULT,
            Some(get_switch),
            Some(set_switch),
            None,
            std::ptr::from_ref(switch).cast_mut().cast(),
        )
    };
    status == raw::REDISMODULE_OK as c_int
}

extern "C" fn get_switch(_: *const c_char, data: *mut c_void) -> c_int {
    // SAFETY: the private data is a static `Switch`.
    unsafe { &*data.cast::<Switch>() }.is_on().into()
}

extern "C" fn set_switch(
    _: *const c_char,
    value: c_int,
    data: *mut c_void,
    _: *mut *mut raw::RedisModuleString,
) -> c_int {
    // SAFETY: the private data is a static `Switch`.
    unsafe { &*data.cast::<Switch>() }.on.store(value != 0, Ordering::Relaxed);
    raw::REDISMODULE_OK as c_int
}

fn register_text(ctx: Ctx<'_>, text: &'static Text) -> bool {
    let name = CString::new(text.name).expect("names of settings hold no NUL");
    // SAFETY: the server copies the name; the private data is a static.
    let status = unsafe {
        api!(RedisModule_RegisterStringConfig)(
            ctx.raw(),
            name.as_ptr(),
            c"".as_ptr(),
            raw::REDISMODULE_CONFIG_IMMUTABLE,
            Some(get_text),
            Some(set_text),
            None,
            std::ptr::from_ref(text).cast_mut().cast(),
        )
    };
    status == raw::REDISMODULE_OK as c_int
}

/// # Safety
/// `data` must be what [`register_text`] passed.
unsafe fn text_of(data: *mut c_void) -> &'static Text {
    // SAFETY: by the caller's promise a static.
    unsafe { &*data.cast::<Text>() }
}

/// The server reads the string and leaves it ours.
extern "C" fn get_text(_: *const c_char, data: *mut c_void) -> *mut raw::RedisModuleString {
    // SAFETY: the server hands back the private data.
    let text = unsafe { text_of(data) };
    text.value.with(|value| value.get_or_insert_with(|| ServerString::new(b"")).borrow().raw())
}

extern "C" fn set_text(
    _: *const c_char,
    given: *mut raw::RedisModuleString,
    data: *mut c_void,
    _: *mut *mut raw::RedisModuleString,
) -> c_int {
    // SAFETY: the server hands back the private data; the string is alive for this call.
    let (text, bytes) = unsafe { (text_of(data), bytes_of(given)) };
    text.value.with(|value| *value = Some(ServerString::new(bytes)));
    raw::REDISMODULE_OK as c_int
}

/// The value of a setting of the server itself; `None` where the server does not tell, since CONFIG
/// was renamed.
pub fn server_setting(ctx: Ctx<'_>, name: &CStr) -> Option<String> {
    // SAFETY: the format names exactly the arguments that follow; the reply and what belongs to it
    // are used before it is freed.
    unsafe {
        let reply = api!(RedisModule_Call)(
            ctx.raw(),
            c"CONFIG".as_ptr(),
            c"cc".as_ptr(),
            c"GET".as_ptr(),
            name.as_ptr(),
        );
        if reply.is_null() {
            return None;
        }
        let mut length = 0usize;
        let value = api!(RedisModule_CallReplyArrayElement)(reply, 1);
        let start = if value.is_null() {
            std::ptr::null()
        } else {
            api!(RedisModule_CallReplyStringPtr)(value, &mut length)
        };
        let text = (!start.is_null()).then(|| {
            String::from_utf8_lossy(std::slice::from_raw_parts(start.cast::<u8>(), length)).into_owned()
        });
        api!(RedisModule_FreeCallReply)(reply);
        text
    }
}

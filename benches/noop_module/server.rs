//! The server's functions.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use redis_module::raw;

const OK: c_int = raw::REDISMODULE_OK as c_int;

/// A command, as the server calls it.
pub type Function =
    unsafe extern "C" fn(*mut raw::RedisModuleCtx, *mut *mut raw::RedisModuleString, c_int) -> c_int;

/// The type of the values under the keys.
static KIND: AtomicPtr<raw::RedisModuleType> = AtomicPtr::new(ptr::null_mut());

/// The function of that name, called. The server has filled the table before it calls any command.
macro_rules! api {
    ($name:ident($($argument:expr),*)) => {
        (raw::$name.expect("the server has this function"))($($argument),*)
    };
}

/// A call of a command.
#[derive(Clone, Copy)]
pub struct Call {
    ctx: *mut raw::RedisModuleCtx,
    key: *mut raw::RedisModuleString,
}

// SAFETY of all of these: the context and the key are alive while the command runs, which is as
// long as a `Call` is handed round; texts end in NUL where the server asks for that.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Call {
    /// # Safety
    /// The words are those of a command with a key.
    pub unsafe fn new(
        ctx: *mut raw::RedisModuleCtx,
        argv: *mut *mut raw::RedisModuleString,
        argc: c_int,
    ) -> Self {
        assert!(argc > 1, "every command has a key");
        Call { ctx, key: unsafe { *argv.add(1) } }
    }

    /// Looks what is under the key, and at the clock.
    fn open(self) -> (*mut raw::RedisModuleKey, i64) {
        unsafe {
            api!(RedisModule_GetContextFlags(self.ctx));
            let mode = (raw::REDISMODULE_READ | raw::REDISMODULE_WRITE) as c_int;
            let key = api!(RedisModule_OpenKey(self.ctx, self.key, mode)).cast();
            if api!(RedisModule_KeyType(key)) as isize == raw::REDISMODULE_KEYTYPE_MODULE {
                api!(RedisModule_ModuleTypeGetType(key));
                api!(RedisModule_ModuleTypeGetValue(key));
            }
            (key, api!(RedisModule_Milliseconds()))
        }
    }

    pub fn read(self) {
        unsafe { api!(RedisModule_CloseKey(self.open().0)) };
    }

    /// Changes the key, and replicates the command as it came.
    pub fn write(self, expires: bool) {
        unsafe { api!(RedisModule_ReplicateVerbatim(self.ctx)) };
        self.change(expires);
    }

    /// Changes the key, and replicates an effect.
    pub fn write_as(self, effect: &[u8]) {
        unsafe {
            let (name, format) = (c"noop._apply".as_ptr(), c"sb".as_ptr());
            let (bytes, length) = (effect.as_ptr().cast::<c_char>(), effect.len());
            api!(RedisModule_Replicate(self.ctx, name, format, self.key, bytes, length));
        }
        self.change(false);
    }

    fn change(self, expires: bool) {
        unsafe {
            let (key, now) = self.open();
            if api!(RedisModule_KeyType(key)) as isize == raw::REDISMODULE_KEYTYPE_EMPTY {
                let value = api!(RedisModule_Alloc(32));
                api!(RedisModule_ModuleTypeSetValue(key, KIND.load(Ordering::Relaxed), value));
            }
            if expires {
                api!(RedisModule_SetAbsExpire(key, now + 3_600_000));
            }
            api!(RedisModule_SignalModifiedKey(self.ctx, self.key));
            api!(RedisModule_CloseKey(key));
        }
    }

    pub fn array(self, length: usize) {
        unsafe { api!(RedisModule_ReplyWithArray(self.ctx, length as _)) };
    }

    pub fn integer(self, number: i64) {
        unsafe { api!(RedisModule_ReplyWithLongLong(self.ctx, number)) };
    }

    pub fn bulk(self, bytes: &[u8]) {
        unsafe { api!(RedisModule_ReplyWithStringBuffer(self.ctx, bytes.as_ptr().cast(), bytes.len())) };
    }

    pub fn ok(self) {
        unsafe { api!(RedisModule_ReplyWithSimpleString(self.ctx, c"OK".as_ptr())) };
    }

    pub fn null(self) {
        unsafe { api!(RedisModule_ReplyWithNull(self.ctx)) };
    }
}

unsafe extern "C" fn free(value: *mut c_void) {
    // SAFETY: a value is what `change` has allocated.
    unsafe { api!(RedisModule_Free(value)) };
}

unsafe extern "C" fn save(_: *mut raw::RedisModuleIO, _: *mut c_void) {}

unsafe extern "C" fn load_value(_: *mut raw::RedisModuleIO, _: c_int) -> *mut c_void {
    // SAFETY: the table is filled.
    unsafe { api!(RedisModule_Alloc(32)) }
}

/// # Safety
/// The context is the one that the server gives to a module it loads.
pub unsafe fn load(ctx: *mut raw::RedisModuleCtx, commands: &[(&CStr, &CStr, Function)]) -> c_int {
    // SAFETY: the names end in NUL; the table of functions is filled by the first call; what is
    // missing of the methods is null, which the server allows.
    unsafe {
        if raw::Export_RedisModule_Init(ctx, c"noop".as_ptr(), 1, raw::REDISMODULE_APIVER_1 as c_int) != OK {
            return raw::REDISMODULE_ERR as c_int;
        }
        let mut methods: raw::RedisModuleTypeMethods = std::mem::zeroed();
        methods.version = raw::REDISMODULE_TYPE_METHOD_VERSION.into();
        methods.rdb_load = Some(load_value);
        methods.rdb_save = Some(save);
        methods.free = Some(free);
        let kind = api!(RedisModule_CreateDataType(ctx, c"noop-none".as_ptr(), 1, &mut methods));
        KIND.store(kind, Ordering::Relaxed);
        for (name, flags, function) in commands {
            if api!(RedisModule_CreateCommand(ctx, name.as_ptr(), Some(*function), flags.as_ptr(), 1, 1, 1))
                != OK
            {
                return raw::REDISMODULE_ERR as c_int;
            }
        }
    }
    OK
}

//! A key opened for one call.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use super::context::Ctx;
use super::data_type::{DataType, into_value};
use super::server_string::ServerStr;
use crate::module_api::{api, blocking, raw};

/// The key holds something else than what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongType;

/// An open key; closed on drop. Nothing is signalled on closing (NO_IMPLICIT_SIGNAL_MODIFIED):
/// code that changes something calls [`Key::changed`].
pub struct Key<'a> {
    raw: *mut raw::RedisModuleKey,
    ctx: Ctx<'a>,
    name: ServerStr<'a>,
    content: Content,
    now: Cell<Option<u64>>,
}

/// What is under the key. The server is asked once, while the key is opened: afterwards only this
/// key changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Nothing,
    /// One of the server's own strings.
    Text,
    /// A module's value, ours or another's.
    Value {
        kind: *mut raw::RedisModuleType,
        value: *mut c_void,
    },
    Other,
}

impl Content {
    fn of(key: *mut raw::RedisModuleKey) -> Self {
        // SAFETY: a null key is allowed here: it is an empty one.
        match unsafe { api!(RedisModule_KeyType)(key) } as isize {
            raw::REDISMODULE_KEYTYPE_EMPTY => Content::Nothing,
            raw::REDISMODULE_KEYTYPE_STRING => Content::Text,
            // SAFETY: the key is open and holds a module's value.
            raw::REDISMODULE_KEYTYPE_MODULE => unsafe {
                let kind = api!(RedisModule_ModuleTypeGetType)(key);
                Content::Value { kind, value: api!(RedisModule_ModuleTypeGetValue)(key) }
            },
            _ => Content::Other,
        }
    }
}

impl<'a> Key<'a> {
    /// For a command that may write. The key need not exist.
    pub fn for_writing(ctx: Ctx<'a>, name: ServerStr<'a>) -> Self {
        Key::open(ctx, name, raw::REDISMODULE_READ | raw::REDISMODULE_WRITE)
    }

    /// For a command that only reads.
    pub fn for_reading(ctx: Ctx<'a>, name: ServerStr<'a>) -> Self {
        Key::open(ctx, name, raw::REDISMODULE_READ)
    }

    /// For a look that leaves no trace: no statistics, no change of the key's last use.
    pub fn open_no_touch(ctx: Ctx<'a>, name: ServerStr<'a>) -> Self {
        Key::open(ctx, name, raw::REDISMODULE_READ | raw::REDISMODULE_OPEN_KEY_NOTOUCH)
    }

    /// Like [`Key::open_no_touch`], but a key whose time is over is still there as long as the
    /// server keeps it (on Redis 7.0 it is not: that one knows no such look).
    pub fn open_no_expire(ctx: Ctx<'a>, name: ServerStr<'a>) -> Self {
        let mode =
            raw::REDISMODULE_READ | raw::REDISMODULE_OPEN_KEY_NOTOUCH | raw::REDISMODULE_OPEN_KEY_NOEXPIRE;
        Key::open(ctx, name, mode)
    }

    fn open(ctx: Ctx<'a>, name: ServerStr<'a>, mode: u32) -> Self {
        // SAFETY: context and name are alive for 'a. Null (a missing key) is kept as it is.
        let raw = unsafe { api!(RedisModule_OpenKey)(ctx.raw(), name.raw(), mode as c_int) };
        Key { raw: raw.cast(), ctx, name, content: Content::of(raw.cast()), now: Cell::new(None) }
    }

    /// The call that it was opened for.
    pub fn ctx(&self) -> Ctx<'a> {
        self.ctx
    }

    /// [`Ctx::now_ms`] of its call, asked once.
    pub fn now_ms(&self) -> u64 {
        self.now.get().unwrap_or_else(|| {
            let now = self.ctx.now_ms();
            self.now.set(Some(now));
            now
        })
    }

    pub fn name(&self) -> &'a [u8] {
        self.name.bytes()
    }

    pub fn server_name(&self) -> ServerStr<'a> {
        self.name
    }

    /// Takes the subjects that have changed: their waiters are tried when the key is
    /// served next.
    pub fn subject_notifier(&self) -> impl FnMut(u64) + use<'a> {
        let (ctx, name) = (self.ctx, self.name);
        move |subject| blocking::notify(ctx, name, subject)
    }

    pub fn is_missing(&self) -> bool {
        self.content == Content::Nothing
    }

    /// Whether the key holds one of the server's own strings.
    pub fn is_string(&self) -> bool {
        self.content == Content::Text
    }

    fn stored<T: DataType>(&self) -> Result<*mut T, WrongType> {
        match self.content {
            Content::Nothing => Ok(std::ptr::null_mut()),
            Content::Value { kind, value } if kind == T::slot().get() => Ok(value.cast()),
            _ => Err(WrongType),
        }
    }

    /// The value, `None` when the key is missing.
    pub fn value<T: DataType>(&self) -> Result<Option<&T>, WrongType> {
        // SAFETY: null or a value of this type, alive while the key is open and borrowed.
        Ok(unsafe { self.stored::<T>()?.as_ref() })
    }

    /// The value for changing it.
    pub fn value_mut<T: DataType>(&mut self) -> Result<Option<&mut T>, WrongType> {
        // SAFETY: null or a value of this type; the key is borrowed mutably and the server runs
        // nothing else meanwhile.
        Ok(unsafe { self.stored::<T>()?.as_mut() })
    }

    /// Puts a value under the key, in place of what was there, without an expiry.
    pub fn put<T: DataType>(&mut self, value: T) {
        value.on_key_added(self.ctx.db(), self.name.bytes());
        let (kind, value) = (T::slot().get(), into_value(value));
        // SAFETY: the key is open for writing and takes the value over.
        unsafe { api!(RedisModule_ModuleTypeSetValue)(self.raw, kind, value) };
        self.content = Content::Value { kind, value };
    }

    pub fn delete(&mut self) {
        // SAFETY: the key is open for writing.
        unsafe { api!(RedisModule_DeleteKey)(self.raw) };
        self.content = Content::Nothing;
    }

    /// The key's expiry in Unix milliseconds.
    pub fn expiry(&self) -> Option<u64> {
        // SAFETY: the key is open, or null for a missing one, which has no expiry.
        let at = unsafe { if self.raw.is_null() { -1 } else { api!(RedisModule_GetAbsExpire)(self.raw) } };
        u64::try_from(at).ok()
    }

    /// Sets or takes away the expiry. A time that has passed becomes the next millisecond: Redis
    /// 8.6 frees a value at once whose expiry has passed, and this key may go on to change it.
    pub fn expire_at(&mut self, at_ms: Option<u64>) {
        let at_ms = at_ms.map(|at| at.max(self.now_ms() + 1));
        let at = at_ms.map_or(raw::REDISMODULE_NO_EXPIRE.into(), |ms| i64::try_from(ms).unwrap_or(i64::MAX));
        // SAFETY: the key is open for writing.
        unsafe { api!(RedisModule_SetAbsExpire)(self.raw, at) };
    }

    /// Tells WATCH and client-side caches that the key has changed.
    pub fn changed(&self) {
        // SAFETY: context and name are alive for 'a.
        unsafe { api!(RedisModule_SignalModifiedKey)(self.ctx.raw(), self.name.raw()) };
    }
}

impl Drop for Key<'_> {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: opened by `open` and closed once.
            unsafe { api!(RedisModule_CloseKey)(self.raw) };
        }
    }
}

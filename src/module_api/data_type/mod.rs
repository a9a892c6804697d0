//! Rust values under keys: registration and the callbacks the server makes for a type.

mod aux_state;
mod registration;
mod stream;

use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicU32, Ordering};

pub use aux_state::{Aux, note_whole_file, register_aux};
pub use registration::newer_encoding;

use super::context::{Ctx, Level, log_anywhere};
use super::own_files;
use super::panic_guard::{TestPoint, catch_panic, catch_panic_or, test_point};
use super::server_string::{ServerStr, bytes_of};
use crate::module_api::{api, raw};
use aux_state::aux_is_saved;
use registration::{create, no_methods};
use stream::{load_bytes, save_bytes};

/// A value that can live under a key.
pub trait DataType: Default + 'static {
    /// Nine characters, permanent: it is written in every RDB file.
    const TYPE_NAME: &'static CStr;
    /// Rises with the binary form; older forms stay readable.
    const ENCODING: u32;
    /// The internal command that a rewritten AOF carries the value with.
    const APPLY: &'static CStr;

    /// The internal command that a rewritten AOF carries with what belongs to no key.
    const APPLY_AUX: &'static CStr;

    /// Where the server's handle of this type is kept.
    fn slot() -> &'static TypeSlot;

    /// The canonical form, block by block, none of them empty.
    fn save(&self, emit: &mut dyn FnMut(&[u8]));

    /// The value as it counts under `key` where the [`Aux`] state does not travel with it (DUMP,
    /// MIGRATE, a slot's move, COPY); `None` when that is the value itself.
    fn self_contained(&self, key: &[u8]) -> Option<Self>;

    /// Adds one block of what `save` wrote; false if it is not that.
    fn load_block(&mut self, encoding: u32, block: &[u8]) -> bool;

    /// Called after the last block, with the database and the name of the key; false refuses the
    /// value.
    fn finish_load(&mut self, ctx: Ctx<'_>, place: Option<(i32, &[u8])>) -> bool;

    /// The value is about to be placed under `key` of `db`: it was created, loaded, restored or
    /// copied; or it does since a moment ago: it was renamed or moved, where
    /// [`keyspace::follow`](crate::module_api::keyspace::follow) was asked for. The first kind may
    /// still fail, so a list of keys must be checked again.
    fn on_key_added(&self, db: i32, key: &[u8]);

    fn memory(&self) -> usize;
    fn free_effort(&self) -> usize;

    /// For COPY, with the database and the name of the copy; `None` refuses.
    fn duplicate(&self, db: i32, key: &[u8]) -> Option<Self>;

    /// It leaves the keyspace, or a client's argument, maybe in the server's background thread.
    fn on_free(self);

    /// What a rewritten AOF holds once, before the values, carried by [`DataType::APPLY_AUX`]. A
    /// file with an RDB preamble does without; one without would otherwise lose the [`Aux`] state.
    fn aof_preface() -> Vec<AuxState>;

    /// The value is about to leave `key` of `db` (deleted, expired, evicted, overwritten, renamed).
    fn on_key_removed(db: i32, key: &[u8]);
}

/// State that belongs to no key, as a rewritten AOF carries it: `APPLY_AUX name STATE encoding
/// bytes`.
pub struct AuxState {
    pub name: &'static CStr,
    pub encoding: u32,
    pub bytes: Vec<u8>,
}

/// The server's handle of a type, known from load on.
pub struct TypeSlot(AtomicPtr<raw::RedisModuleType>, AtomicI64);

impl TypeSlot {
    #[allow(clippy::new_without_default)] // a slot is a static; a default one elsewhere is useless
    pub const fn new() -> Self {
        TypeSlot(AtomicPtr::new(std::ptr::null_mut()), AtomicI64::new(0))
    }

    pub(crate) fn get(&self) -> *mut raw::RedisModuleType {
        self.0.load(Ordering::Relaxed)
    }

    /// How many values of the type the server holds, those included that its background thread has
    /// yet to free.
    pub fn live_values(&self) -> usize {
        self.1.load(Ordering::Relaxed).max(0) as usize
    }
}

/// Registers a type with the server; false when the server refuses.
pub fn register<T: DataType>(ctx: Ctx<'_>) -> bool {
    let mut methods = raw::RedisModuleTypeMethods {
        version: raw::REDISMODULE_TYPE_METHOD_VERSION.into(),
        rdb_load: Some(rdb_load::<T>),
        rdb_save: Some(rdb_save::<T>),
        aof_rewrite: Some(aof_rewrite::<T>),
        mem_usage2: Some(mem_usage::<T>),
        digest: Some(digest::<T>),
        free: Some(free::<T>),
        free_effort2: Some(free_effort::<T>),
        unlink2: Some(unlink::<T>),
        copy2: Some(copy::<T>),
        ..no_methods()
    };
    let handle = create(ctx, T::TYPE_NAME, T::ENCODING, &mut methods);
    T::slot().0.store(handle, Ordering::Relaxed);
    !handle.is_null()
}

/// # Safety
/// `value` must come from [`into_value`] of the same type.
unsafe fn value_of<'a, T>(value: *const c_void) -> &'a T {
    // SAFETY: by the caller's promise.
    unsafe { &*value.cast::<T>() }
}

/// How many values of the module the server holds, those included that its background thread has
/// yet to free.
static LIVE_VALUES: AtomicI64 = AtomicI64::new(0);

/// Whether the server holds any value of the module.
pub fn has_live_values() -> bool {
    LIVE_VALUES.load(Ordering::Relaxed) > 0
}

pub(crate) fn into_value<T: DataType>(value: T) -> *mut c_void {
    LIVE_VALUES.fetch_add(1, Ordering::Relaxed);
    T::slot().1.fetch_add(1, Ordering::Relaxed);
    Box::into_raw(Box::new(value)).cast()
}

extern "C" fn rdb_save<T: DataType>(io: *mut raw::RedisModuleIO, value: *mut c_void) {
    let save = || {
        // SAFETY: the server passes a value of this type.
        let value = unsafe { value_of::<T>(value) };
        let alone = if aux_is_saved() { None } else { key_of(io).and_then(|key| value.self_contained(key)) };
        alone.as_ref().unwrap_or(value).save(&mut |block| save_bytes(io, block));
        save_bytes(io, b"");
    };
    catch_panic(save, |cause| abort_child("saving", cause));
}

/// The name of the key that is being saved.
fn key_of<'a>(io: *mut raw::RedisModuleIO) -> Option<&'a [u8]> {
    // SAFETY: `io` is the server's stream for this call, and so is the name.
    unsafe {
        let name = api!(RedisModule_GetKeyNameFromIO)(io);
        (!name.is_null()).then(|| bytes_of(name))
    }
}

extern "C" fn rdb_load<T: DataType>(io: *mut raw::RedisModuleIO, encoding: c_int) -> *mut c_void {
    catch_panic_or(std::ptr::null_mut(), || {
        let name = T::TYPE_NAME.to_string_lossy();
        let encoding = encoding as u32;
        if encoding > T::ENCODING {
            log_anywhere(Level::Warning, &newer_encoding(&name, encoding, T::ENCODING));
            own_files::refuse_to_start(&refused_value(io, &name));
            return std::ptr::null_mut();
        }
        match read_value::<T>(io, encoding) {
            Some(value) => into_value(value),
            None => {
                log_anywhere(Level::Warning, &format!("{name}: refused a value that is damaged"));
                own_files::refuse_to_start(&refused_value(io, &name));
                std::ptr::null_mut()
            }
        }
    })
}

fn refused_value(io: *mut raw::RedisModuleIO, name: &str) -> String {
    let key = key_of(io).unwrap_or_default().escape_ascii();
    format!("the file is cut or damaged within the value of the key '{key}' ({name})")
}

fn read_value<T: DataType>(io: *mut raw::RedisModuleIO, encoding: u32) -> Option<T> {
    let mut value = T::default();
    loop {
        let block = load_bytes(io)?;
        if block.is_empty() {
            break;
        }
        if !value.load_block(encoding, block.bytes()) {
            return None;
        }
    }
    // SAFETY: `io` is the server's stream for this call.
    let db = unsafe { api!(RedisModule_GetDbIdFromIO)(io) };
    value.finish_load(Ctx::no_context(), key_of(io).map(|key| (db, key))).then_some(value)
}

/// A rewritten AOF carries a value as `APPLY key BLOCK encoding last block`, once for each block.
extern "C" fn aof_rewrite<T: DataType>(
    io: *mut raw::RedisModuleIO,
    key: *mut raw::RedisModuleString,
    value: *mut c_void,
) {
    let rewrite = || {
        test_point(TestPoint::Rewrite);
        // SAFETY: the server passes a value of this type and its key's name.
        let (value, key) = unsafe { (value_of::<T>(value), ServerStr::new(key)) };
        emit_preface::<T>(io);
        let mut waiting: Option<Vec<u8>> = None;
        let alone = value.self_contained(key.bytes());
        alone.as_ref().unwrap_or(value).save(&mut |block| {
            if let Some(before) = waiting.replace(block.to_vec()) {
                emit_block::<T>(io, key, false, &before);
            }
        });
        emit_block::<T>(io, key, true, &waiting.unwrap_or_default());
    };
    catch_panic(rewrite, |cause| abort_child("rewriting", cause));
}

/// A file that lacks a value, or its end, must not take the place of the last one: the child that
/// writes it fails.
fn abort_child(doing: &str, cause: &str) {
    log_anywhere(Level::Warning, &format!("workgate: {doing} a value panicked: {cause}"));
    if Ctx::no_context().is_child() {
        std::process::abort();
    }
}

/// Every rewrite runs in a process of its own, which is how the first value of one is known.
fn emit_preface<T: DataType>(io: *mut raw::RedisModuleIO) {
    static LAST_REWRITE: AtomicU32 = AtomicU32::new(0);
    let this = std::process::id();
    if LAST_REWRITE.swap(this, Ordering::Relaxed) == this {
        return;
    }
    for AuxState { name, encoding, bytes } in T::aof_preface() {
        // SAFETY: the format names exactly the arguments that follow.
        unsafe {
            api!(RedisModule_EmitAOF)(
                io,
                T::APPLY_AUX.as_ptr(),
                c"cclb".as_ptr(),
                name.as_ptr(),
                c"STATE".as_ptr(),
                i64::from(encoding),
                bytes.as_ptr(),
                bytes.len(),
            )
        };
    }
}

fn emit_block<T: DataType>(io: *mut raw::RedisModuleIO, key: ServerStr<'_>, last: bool, block: &[u8]) {
    // SAFETY: the format names exactly the arguments that follow.
    unsafe {
        api!(RedisModule_EmitAOF)(
            io,
            T::APPLY.as_ptr(),
            c"scllb".as_ptr(),
            key.raw(),
            c"BLOCK".as_ptr(),
            i64::from(T::ENCODING),
            i64::from(last),
            block.as_ptr(),
            block.len(),
        )
    };
}

extern "C" fn mem_usage<T: DataType>(
    _: *mut raw::RedisModuleKeyOptCtx,
    value: *const c_void,
    _samples: usize,
) -> usize {
    // SAFETY: the server passes a value of this type.
    catch_panic_or(0, || unsafe { value_of::<T>(value) }.memory())
}

extern "C" fn digest<T: DataType>(digest: *mut raw::RedisModuleDigest, value: *mut c_void) {
    catch_panic_or((), || {
        // SAFETY: the server passes a value of this type.
        let value = unsafe { value_of::<T>(value) };
        value.save(&mut |block| {
            // SAFETY: the server hashes the bytes during the call.
            unsafe { api!(RedisModule_DigestAddStringBuffer)(digest, block.as_ptr().cast(), block.len()) };
        });
        // SAFETY: the digest is the server's for this call.
        unsafe { api!(RedisModule_DigestEndSequence)(digest) };
    });
}

/// May run in the server's background thread: what [`DataType::on_free`] does touches nothing but
/// the value.
extern "C" fn free<T: DataType>(value: *mut c_void) {
    LIVE_VALUES.fetch_sub(1, Ordering::Relaxed);
    T::slot().1.fetch_sub(1, Ordering::Relaxed);
    // SAFETY: made by `into_value` of this type and freed once.
    catch_panic_or((), || unsafe { Box::from_raw(value.cast::<T>()) }.on_free());
}

extern "C" fn free_effort<T: DataType>(_: *mut raw::RedisModuleKeyOptCtx, value: *const c_void) -> usize {
    // The server reads 0 as "always in the background".
    // SAFETY: the server passes a value of this type.
    catch_panic_or(1, || unsafe { value_of::<T>(value) }.free_effort().max(1))
}

extern "C" fn unlink<T: DataType>(ctx: *mut raw::RedisModuleKeyOptCtx, _value: *const c_void) {
    catch_panic_or((), || {
        // SAFETY: the context is the server's for this call, and so is the name.
        unsafe {
            let key = api!(RedisModule_GetKeyNameFromOptCtx)(ctx);
            let db = api!(RedisModule_GetDbIdFromOptCtx)(ctx);
            if !key.is_null() {
                T::on_key_removed(db, bytes_of(key));
            }
        }
    });
}

extern "C" fn copy<T: DataType>(ctx: *mut raw::RedisModuleKeyOptCtx, value: *const c_void) -> *mut c_void {
    catch_panic_or(std::ptr::null_mut(), || {
        // SAFETY: the server passes a value of this type; the context is its own for this call, and
        // so is the name.
        let (value, from, db, to) = unsafe {
            let from = api!(RedisModule_GetKeyNameFromOptCtx)(ctx);
            let to = api!(RedisModule_GetToKeyNameFromOptCtx)(ctx);
            let db = api!(RedisModule_GetToDbIdFromOptCtx)(ctx);
            let bytes = |name: *const raw::RedisModuleString| (!name.is_null()).then(|| bytes_of(name));
            (value_of::<T>(value), bytes(from), db, bytes(to))
        };
        let alone = from.and_then(|from| value.self_contained(from));
        match alone.as_ref().unwrap_or(value).duplicate(db, to.unwrap_or_default()) {
            Some(copied) => into_value(copied),
            None => std::ptr::null_mut(),
        }
    })
}

//! State that belongs to no key, as RDB files carry it.

use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::registration::{create, newer_encoding, no_methods};
use super::stream::{load_bytes, save_bytes};
use crate::module_api::context::{Ctx, Level, log_anywhere};
use crate::module_api::own_files;
use crate::module_api::panic_guard::catch_panic_or;
use crate::module_api::raw;

/// State that belongs to no key and is saved beside the keys.
pub trait Aux: 'static {
    /// Nine characters, permanent.
    const TYPE_NAME: &'static CStr;
    const ENCODING: u32;

    /// What to save; `None` when there is nothing.
    fn save() -> Option<Vec<u8>>;

    /// False when the bytes are not what `save` wrote.
    fn load(encoding: u32, bytes: &[u8]) -> bool;
}

/// Registers a carrier of state that belongs to no key.
pub fn register_aux<A: Aux>(ctx: Ctx<'_>) -> bool {
    let mut methods = raw::RedisModuleTypeMethods {
        version: raw::REDISMODULE_TYPE_METHOD_VERSION.into(),
        rdb_load: Some(no_load),
        rdb_save: Some(no_save),
        aof_rewrite: Some(no_rewrite),
        free: Some(no_free),
        aux_load: Some(aux_load::<A>),
        // Redis 7.0 knows only the first of the two; newer servers prefer the second, which may
        // write nothing at all.
        aux_save: Some(aux_save::<A>),
        aux_save2: Some(aux_save::<A>),
        aux_save_triggers: raw::REDISMODULE_AUX_BEFORE_RDB as c_int,
        ..no_methods()
    };
    !create(ctx, A::TYPE_NAME, A::ENCODING, &mut methods).is_null()
}

/// The process that has saved [`Aux`] state, if it is a child: what it saves is a whole file.
static AUX_SAVED_BY: AtomicU32 = AtomicU32::new(0);

/// Whether the main process saves a whole file: SAVE, SHUTDOWN, DEBUG RELOAD. After a restart from
/// such a file a replica goes on by partial resynchronisation, so it must hold what its primary
/// holds.
static SAVES_WHOLE_FILE: AtomicBool = AtomicBool::new(false);

/// The main process begins to save a whole file, or has ended it.
pub fn note_whole_file(begins: bool) {
    SAVES_WHOLE_FILE.store(begins, Ordering::Relaxed);
}

pub(super) fn aux_is_saved() -> bool {
    SAVES_WHOLE_FILE.load(Ordering::Relaxed) || AUX_SAVED_BY.load(Ordering::Relaxed) == std::process::id()
}

extern "C" fn aux_save<A: Aux>(io: *mut raw::RedisModuleIO, _when: c_int) {
    catch_panic_or((), || {
        // The main process saves whole files and single keys alike: see `note_whole_file`.
        if Ctx::no_context().is_child() {
            AUX_SAVED_BY.store(std::process::id(), Ordering::Relaxed);
        }
        if let Some(bytes) = A::save() {
            save_bytes(io, &bytes);
        } else if !newer_aux_save() {
            save_bytes(io, b"");
        }
    });
}

/// Whether the server knows `aux_save2`, where writing nothing is allowed (Redis 7.2 on).
fn newer_aux_save() -> bool {
    // SAFETY: the table is only read after it was filled. Both came with the same server version.
    unsafe { raw::RedisModule_GetTypeMethodVersion }
        // SAFETY: takes nothing and only reads.
        .is_some_and(|version| unsafe { version() } >= 5)
}

extern "C" fn aux_load<A: Aux>(io: *mut raw::RedisModuleIO, encoding: c_int, _when: c_int) -> c_int {
    const REFUSED: c_int = raw::REDISMODULE_ERR as c_int;
    catch_panic_or(REFUSED, || {
        let encoding = encoding as u32;
        if encoding > A::ENCODING {
            let name = A::TYPE_NAME.to_string_lossy();
            log_anywhere(Level::Warning, &newer_encoding(&name, encoding, A::ENCODING));
            own_files::refuse_to_start(&refused_state::<A>());
            return REFUSED;
        }
        match load_bytes(io) {
            Some(bytes) if bytes.is_empty() || A::load(encoding, bytes.bytes()) => {
                raw::REDISMODULE_OK as c_int
            }
            _ => {
                own_files::refuse_to_start(&refused_state::<A>());
                REFUSED
            }
        }
    })
}

fn refused_state<A: Aux>() -> String {
    let name = A::TYPE_NAME.to_string_lossy();
    format!("the file is cut or damaged within what the module keeps beside the keys ({name})")
}

// A type that only carries aux state never has a value under a key.

extern "C" fn no_load(_: *mut raw::RedisModuleIO, _: c_int) -> *mut c_void {
    std::ptr::null_mut()
}

extern "C" fn no_save(_: *mut raw::RedisModuleIO, _: *mut c_void) {}

extern "C" fn no_rewrite(_: *mut raw::RedisModuleIO, _: *mut raw::RedisModuleString, _: *mut c_void) {}

extern "C" fn no_free(_: *mut c_void) {}

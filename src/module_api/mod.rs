//! Everything of the server's module API, and everything `unsafe`.
//!
//! It wraps the module API (through the bindings of the `redis-module` crate) in types that the
//! commands can use without `unsafe`. It knows no command and nothing of the families' state.
//!
//! | module | holds |
//! | --- | --- |
//! | [`allocator`] | the process-wide allocator: the server's own, so that memory is accounted for |
//! | [`panic_guard`] | the guard against panics at every entry from C |
//! | [`main_thread`] | state that only the main thread touches |
//! | [`context`] | the server as one call sees it: flags, clock, log, database |
//! | [`server_string`], [`args`] | the server's strings and a command's arguments, borrowed |
//! | [`key`], [`data_type`] | keys, and Rust values kept under them |
//! | [`own_files`] | damage in the files that the server starts from |
//! | [`keyspace`], [`string_keys`] | walking over all keys; the server's own strings |
//! | [`reply`] | replies |
//! | [`command`], [`acl`] | registration from one table, with COMMAND DOCS; whose keys a caller may see |
//! | [`replication`] | whether this server may write, and how a write reaches replicas and the AOF |
//! | [`timer`] | one-shot timers, on time; whether the clock that they go by was set back |
//! | [`blocking`] | clients that wait for a key, in the order in which they blocked |
//! | [`events`] | what happens to the server: load, flush, swap, role change |
//! | [`config`], [`info`] | `CONFIG SET workgate.*` and the INFO section |
//! | [`cluster_slots`] | which node owns a key, in a cluster |
//! | `fake_server` | a server that knows next to nothing, for fuzz targets |
//! | [`random`], [`maxmemory`] | random numbers; what happens when the memory is full |

pub(crate) mod acl;
pub(crate) mod allocator;
pub(crate) mod args;
pub(crate) mod blocking;
pub(crate) mod cluster_slots;
pub(crate) mod command;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod data_type;
pub(crate) mod events;
#[cfg(feature = "fuzzing")]
pub(crate) mod fake_server;
pub(crate) mod info;
pub(crate) mod key;
pub(crate) mod keyspace;
pub(crate) mod main_thread;
pub(crate) mod maxmemory;
pub(crate) mod own_files;
pub(crate) mod panic_guard;
pub(crate) mod random;
pub(crate) mod replication;
pub(crate) mod reply;
pub(crate) mod server_string;
pub(crate) mod string_keys;
pub(crate) mod timer;

use redis_module::raw;

/// A function of the server's module API, to be called inside `unsafe`.
///
/// The server fills the table of functions once, while the module loads and before any of our code
/// runs; after that it is only read. One that the server does not know stays empty: this macro is
/// for those that every supported server has (Redis 7.0 and Valkey 8 on); ask the table itself for
/// the others.
macro_rules! api {
    ($function:ident) => {
        $crate::module_api::raw::$function.expect(stringify!($function))
    };
}
use api;

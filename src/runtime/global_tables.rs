//! The tables that the module holds beside the keys: where they live, and the one way in which they
//! change.
//!
//! An effect is replicated as `WORKGATE._APPLY table effect`. RDB files carry the tables as aux
//! data, a rewritten AOF as `WORKGATE._APPLY table STATE encoding bytes`. FLUSHALL leaves them
//! alone, as it does functions; a load replaces them.

use std::ffi::CStr;
use std::sync::OnceLock;

use crate::domain::codec::{Corrupt, Reader};
use crate::domain::decision::Decision;
use crate::domain::global_state::Table;
use crate::domain::refusal::Refusal;
use crate::domain::time;
use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::domain::value::Effect;
use crate::module_api::context::Ctx;
use crate::module_api::data_type;
use crate::module_api::data_type::{Aux, AuxState};
use crate::module_api::main_thread::MainThread;
use crate::module_api::panic_guard;
use crate::module_api::replication;

use crate::runtime::{eviction, in_use, replicated_clock, token_clock};

/// What the server has to know of a table.
pub trait GlobalTable: Table + 'static {
    /// Its name in `WORKGATE._APPLY`; permanent.
    const NAME: &'static CStr;
    /// Nine characters, the carrier in RDB files; permanent.
    const TYPE_NAME: &'static CStr;

    /// Whether the table means anything on a server that holds no key of the module. One that does
    /// not is neither saved nor replicated there.
    const OUTLIVES_KEYS: bool;

    /// Forgets what only matters together with keys: there are none.
    fn forget(&mut self);

    fn cell() -> &'static MainThread<Option<Self>>;
}

macro_rules! global_table {
    ($table:ty, $name:literal, $type_name:literal, outlives_keys: $outlives_keys:literal, forget: $forget:expr) => {
        impl $crate::runtime::global_tables::GlobalTable for $table {
            const NAME: &'static std::ffi::CStr = $name;
            const TYPE_NAME: &'static std::ffi::CStr = $type_name;
            const OUTLIVES_KEYS: bool = $outlives_keys;

            fn forget(&mut self) {
                let forget: fn(&mut Self) = $forget;
                forget(self);
            }

            fn cell() -> &'static $crate::module_api::main_thread::MainThread<Option<Self>> {
                static TABLE: $crate::module_api::main_thread::MainThread<Option<$table>> =
                    $crate::module_api::main_thread::MainThread::new(None);
                &TABLE
            }
        }
    };
}

pub(crate) use global_table;

/// A table without its type.
pub struct TableRow {
    name: &'static CStr,
    encoding: u32,
    outlives_keys: bool,
    is_empty: fn() -> bool,
    forget: fn(),
    register: fn(Ctx<'_>) -> bool,
    clear: fn(),
    save: fn() -> Option<Vec<u8>>,
    load: fn(u32, &[u8]) -> bool,
    apply: fn(&[u8], UnixMs) -> Result<(), Corrupt>,
}

impl TableRow {
    pub const fn of<T: GlobalTable>() -> Self {
        TableRow {
            name: T::NAME,
            encoding: <T as Table>::ENCODING,
            outlives_keys: T::OUTLIVES_KEYS,
            is_empty: || with(|table: &mut T| table.is_empty()),
            forget: || with(|table: &mut T| table.forget()),
            register: |ctx| data_type::register_aux::<T>(ctx),
            clear: || with(|table: &mut T| *table = T::default()),
            save: <T as Aux>::save,
            load: <T as Aux>::load,
            apply: |effect, now| {
                let mut reader = Reader::new(effect);
                let effect = T::Effect::read(&mut reader, None)?;
                if !token_clock::admits(effect.highest_token(), now)
                    || !time::is_near(reader.latest_time(), now)
                {
                    return Err(Corrupt);
                }
                apply::<T>(effect);
                Ok(())
            },
        }
    }
}

impl<T: GlobalTable> Aux for T {
    const TYPE_NAME: &'static CStr = <T as GlobalTable>::TYPE_NAME;
    const ENCODING: u32 = <T as Table>::ENCODING;

    fn save() -> Option<Vec<u8>> {
        if !in_use::is_in_use() {
            return None;
        }
        with(|table: &mut T| (!table.is_empty()).then(|| table.save()))
    }

    fn load(encoding: u32, bytes: &[u8]) -> bool {
        let Ok(loaded) = <T as Table>::load(encoding, bytes) else { return false };
        // A mark of a damaged file would be above all that is stored later.
        if !token_clock::admits(loaded.highest_token(), Ctx::no_context().now_ms()) {
            return false;
        }
        with(|table: &mut T| *table = loaded);
        true
    }
}

fn with<T: GlobalTable, R>(body: impl FnOnce(&mut T) -> R) -> R {
    T::cell().with(|table| body(table.get_or_insert_default()))
}

/// Looks at a table.
pub fn read<T: GlobalTable, R>(view: impl FnOnce(&T) -> R) -> R {
    with(|table: &mut T| view(table))
}

/// Decides on a table and makes the effect happen, here and on the replicas.
pub fn write<T: GlobalTable, R>(
    ctx: Ctx<'_>,
    decide: impl FnOnce(&T, UnixMs, &TokenClock) -> Result<Decision<R, T::Effect>, Refusal>,
) -> Result<R, Refusal> {
    let now = ctx.now_ms();
    let decision = read::<T, _>(|table| token_clock::tokens(|tokens| decide(table, now, tokens)))?;
    token_clock::refuse_spent(decision.effect.as_ref())?;
    if let Some(effect) = decision.effect {
        if read::<T, _>(|table| table.adds(&effect)) && eviction::is_full(ctx) {
            return Err(eviction::out_of_memory());
        }
        // What only matters together with keys is forgotten when the first of them comes.
        if T::OUTLIVES_KEYS {
            before_commit(ctx);
        }
        replication::table_effect(ctx, T::NAME, &effect.encode());
        apply::<T>(effect);
    }
    Ok(decision.reply)
}

fn apply<T: GlobalTable>(effect: T::Effect) {
    token_clock::tokens(|tokens| tokens.saw(effect.highest_token()));
    panic_guard::abort_on_panic(|| {
        panic_guard::test_point(panic_guard::TestPoint::Apply);
        with(|table: &mut T| table.apply(effect));
    });
}

/// All tables, as [`register`] was given them: every list of them is made from this one.
static ALL: OnceLock<&'static [TableRow]> = OnceLock::new();

fn all() -> &'static [TableRow] {
    ALL.get().copied().unwrap_or_default()
}

/// Takes the list of all tables and registers their carriers in RDB files.
pub fn register(ctx: Ctx<'_>, tables: &'static [TableRow]) -> bool {
    in_use::register(|| all().iter().any(|row| row.outlives_keys && !(row.is_empty)()));
    ALL.get_or_init(|| tables).iter().all(|row| (row.register)(ctx))
}

/// The name in `WORKGATE._APPLY` of the message that a history starts.
pub const START: &CStr = c"start";

/// Starts a new history where the module holds nothing: to be called before each change is
/// replicated.
///
/// Files of such a server hold nothing of the module, and a replica that loaded one knows neither
/// tokens nor invalidations. Both forget them here, in the same place of the stream, and so stay
/// equal.
pub fn before_commit(ctx: Ctx<'_>) {
    if !in_use::is_in_use() && ctx.is_primary() {
        start_history();
        replication::table_effect(ctx, START, b"");
    }
}

/// Forgets what only matters together with keys. Tokens go on above all that this server has
/// issued.
pub fn start_history() {
    all().iter().for_each(|row| (row.forget)());
    token_clock::tokens(TokenClock::start_over);
    replicated_clock::reset();
}

/// A load replaces everything, and a file holds no table that is empty.
pub fn load_started() {
    all().iter().for_each(|row| (row.clear)());
}

/// All that hold anything, as a file or the digest takes them.
pub fn saved() -> impl Iterator<Item = AuxState> {
    all().iter().filter_map(|row| {
        (row.save)().map(|bytes| AuxState { name: row.name, encoding: row.encoding, bytes })
    })
}

fn named(name: &[u8]) -> Result<&'static TableRow, Corrupt> {
    all().iter().find(|row| row.name.to_bytes() == name).ok_or(Corrupt)
}

/// Applies an effect to the table with this name.
pub fn apply_named(name: &[u8], effect: &[u8], now: UnixMs) -> Result<(), Corrupt> {
    (named(name)?.apply)(effect, now)
}

/// Replaces the table with this name by a saved one.
pub fn load(name: &[u8], encoding: u32, bytes: &[u8]) -> Result<(), Corrupt> {
    let row = named(name)?;
    if encoding <= row.encoding && (row.load)(encoding, bytes) { Ok(()) } else { Err(Corrupt) }
}

//! The families' values as the server keeps them.

use std::ffi::CStr;

use crate::domain::time;
use crate::domain::time::UnixMs;
use crate::domain::value::{Lifetime, Value};
use crate::module_api::context::Ctx;
use crate::module_api::data_type::{AuxState, DataType, TypeSlot};
use crate::module_api::{blocking, replication};

use crate::runtime::counters::JobTotals;
use crate::runtime::global_state;
use crate::runtime::token_clock;

/// What the server has to know of a family.
pub trait ValueType: Value + 'static {
    /// Nine characters, as TYPE shows it; permanent.
    const TYPE_NAME: &'static CStr;
    /// The internal command that applies the family's effects.
    const APPLY: &'static CStr;

    fn slot() -> &'static TypeSlot;

    /// What the tables beside the keys make of the value under `key`, as an effect of its own;
    /// every write applies it first.
    fn pending_invalidation(&self, _key: &[u8]) -> Option<Self::Effect> {
        None
    }

    /// Called when what [`ValueType::pending_invalidation`] gave is about to be applied.
    fn on_invalidated(_key: &[u8]) {}

    /// Counts a value that is under `key` from now on, for statistics.
    fn count(&mut self, _key: &[u8]) {}

    /// Called before the value is changed or freed: it is no longer counted. May run in the
    /// server's background thread.
    fn uncount(&self) {}

    /// How far the jobs of the value have come, for the counters of INFO.
    fn job_totals(&self) -> JobTotals {
        JobTotals::default()
    }

    /// Called whenever the value was changed or loaded.
    fn after_change(&self) {}

    /// The keyspace event that tells what the effect does, where the effect alone tells it. It
    /// begins with the family's name and a dot.
    fn event(_effect: &Self::Effect) -> Option<&'static CStr> {
        None
    }

    /// Like [`ValueType::event`], for what only the value knows: calls `each` for all that has
    /// happened since the last call.
    fn take_events(&mut self, _each: &mut dyn FnMut(&'static CStr)) {}

    /// When something must happen under the key without a command.
    fn next_wakeup(&self) -> Option<UnixMs> {
        None
    }

    /// See [`DataType::on_key_added`]; called as well when [`ValueType::next_wakeup`] has changed.
    fn on_key_added(&self, _db: i32, _key: &[u8]) {}

    /// A value of the family is about to leave this key.
    fn on_key_removed(_db: i32, _key: &[u8]) {}
}

macro_rules! value_type {
    ($value:ty, $type_name:literal, $apply:literal $(, { $($own:item)* })?) => {
        impl $crate::runtime::value_type::ValueType for $value {
            const TYPE_NAME: &'static std::ffi::CStr = $type_name;
            const APPLY: &'static std::ffi::CStr = $apply;

            fn slot() -> &'static $crate::module_api::data_type::TypeSlot {
                static SLOT: $crate::module_api::data_type::TypeSlot = $crate::module_api::data_type::TypeSlot::new();
                &SLOT
            }

            $($($own)*)?
        }
    };
}
pub(crate) use value_type;

impl<V: ValueType> DataType for V {
    const TYPE_NAME: &'static CStr = <V as ValueType>::TYPE_NAME;
    const ENCODING: u32 = <V as Value>::ENCODING;
    const APPLY: &'static CStr = <V as ValueType>::APPLY;
    const APPLY_AUX: &'static CStr = replication::APPLY_AUX;

    fn slot() -> &'static TypeSlot {
        <V as ValueType>::slot()
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        Value::save(self, emit);
    }

    fn self_contained(&self, key: &[u8]) -> Option<Self> {
        // An invalidation ends leases, as a copy does.
        let effect = self.pending_invalidation(key)?;
        let mut alone = Value::duplicate(self);
        alone.apply(effect);
        Some(alone)
    }

    fn load_block(&mut self, encoding: u32, block: &[u8]) -> bool {
        self.load(encoding, block).is_ok()
    }

    fn finish_load(&mut self, ctx: Ctx<'_>, place: Option<(i32, &[u8])>) -> bool {
        let token = self.highest_token();
        let (time, now) = (self.latest_time(), ctx.now_ms());
        // A RESTORE must not be able to exhaust the token clock or the counters of the value; a
        // file of our own may be ahead of a server clock that was set back, and a replica takes
        // what its primary took.
        let believed = if ctx.is_replay() || !ctx.is_primary() {
            token_clock::admits(token, now) && time::is_near(time, now)
        } else {
            token_clock::tokens(|clock| clock.is_plausible(token, time, now)) && self.has_room()
        };
        if !believed || self.loaded().is_err() {
            return false;
        }
        let leads = token_clock::tokens(|clock| token >= clock.next(now));
        token_clock::tokens(|clock| clock.saw(token));
        if leads && ctx.is_cluster() && ctx.is_primary() && !ctx.is_loading() {
            // It comes from another node, which has granted the tokens behind this one as well, and
            // for keys of the slot that are gone again.
            global_state::skip_tokens(now);
        }
        self.after_change();
        self.count(place.map(|(_, key)| key).unwrap_or_default());
        if let Some((db, key)) = place {
            ValueType::on_key_added(self, db, key);
        }
        true
    }

    fn memory(&self) -> usize {
        Value::memory(self)
    }

    fn free_effort(&self) -> usize {
        Value::free_effort(self)
    }

    fn on_key_added(&self, db: i32, key: &[u8]) {
        ValueType::on_key_added(self, db, key);
    }

    fn duplicate(&self, db: i32, key: &[u8]) -> Option<Self> {
        let mut copy = Value::duplicate(self);
        if copy.lifetime() == Lifetime::Over && self.lifetime() != Lifetime::Over {
            // What is only leased has nothing to copy: an empty key would stay behind.
            return None;
        }
        copy.count(key);
        ValueType::on_key_added(&copy, db, key);
        Some(copy)
    }

    fn on_free(self) {
        self.uncount();
    }

    fn aof_preface() -> Vec<AuxState> {
        global_state::saved()
    }

    fn on_key_removed(db: i32, key: &[u8]) {
        blocking::stale(db, key);
        V::on_key_removed(db, key);
    }
}

//! The families' values as the server keeps them.

use std::ffi::CStr;

use crate::domain::time::UnixMs;
use crate::domain::token::TokenClock;
use crate::domain::value::{Lifetime, Value};
use crate::module_api::context::Ctx;
use crate::module_api::data_type::{BesideKeys, Native, TypeSlot};
use crate::module_api::{blocking, replication};

use crate::runtime::global_state;
use crate::runtime::token_clock;

/// What the server has to know of a family.
pub trait Stored: Value + 'static {
    /// Nine characters, as TYPE shows it; permanent.
    const TYPE_NAME: &'static CStr;
    /// The internal command that applies the family's effects.
    const APPLY: &'static CStr;

    fn slot() -> &'static TypeSlot;

    /// What the tables beside the keys make of the value under `key`, as an effect of its own; every write
    /// applies it first.
    fn overruled(&self, _key: &[u8]) -> Option<Self::Effect> {
        None
    }

    /// Called when what [`Stored::overruled`] gave is about to be applied.
    fn on_overruled(_key: &[u8]) {}

    /// Counts a value that is under `key` from now on, for statistics.
    fn count(&mut self, _key: &[u8]) {}

    /// Called before the value is changed or freed: it is no longer counted. May run in the server's
    /// background thread.
    fn uncount(&self) {}

    /// Called whenever the value was changed or loaded.
    fn settled(&self) {}

    /// When something must happen under the key even if nobody touches it.
    fn alarm(&self) -> Option<UnixMs> {
        None
    }

    /// See [`Native::placed`]; called as well when [`Stored::alarm`] has changed.
    fn placed(&self, _db: i32, _key: &[u8]) {}

    /// A value of the family is about to leave this key.
    fn left(_db: i32, _key: &[u8]) {}
}

macro_rules! stored {
    ($value:ty, $type_name:literal, $apply:literal $(, { $($own:item)* })?) => {
        impl $crate::runtime::value_type::Stored for $value {
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
pub(crate) use stored;

impl<V: Stored> Native for V {
    const TYPE_NAME: &'static CStr = <V as Stored>::TYPE_NAME;
    const ENCODING: u32 = <V as Value>::ENCODING;
    const APPLY: &'static CStr = <V as Stored>::APPLY;
    const APPLY_BESIDE: &'static CStr = replication::APPLY_BESIDE;

    fn slot() -> &'static TypeSlot {
        <V as Stored>::slot()
    }

    fn save(&self, emit: &mut dyn FnMut(&[u8])) {
        Value::save(self, emit);
    }

    fn alone(&self, key: &[u8]) -> Option<Self> {
        // An invalidation ends leases, as a copy does.
        let effect = self.overruled(key)?;
        let mut alone = Value::duplicate(self);
        alone.apply(effect);
        Some(alone)
    }

    fn load_block(&mut self, encoding: u32, block: &[u8]) -> bool {
        self.load(encoding, block).is_ok()
    }

    fn finish_load(&mut self, ctx: Ctx<'_>, place: Option<(i32, &[u8])>) -> bool {
        let token = self.highest_token();
        // A RESTORE must not be able to exhaust the token clock; a file of our own may be ahead of
        // a server clock that was set back, and a replica takes what its primary took.
        let believed = ctx.is_replay()
            || !ctx.is_primary()
            || TokenClock::plausible(token, self.latest_time(), ctx.now_ms());
        if !believed || self.loaded().is_err() {
            return false;
        }
        token_clock::tokens(|clock| clock.saw(token));
        self.settled();
        self.count(place.map(|(_, key)| key).unwrap_or_default());
        if let Some((db, key)) = place {
            Stored::placed(self, db, key);
        }
        true
    }

    fn memory(&self) -> usize {
        Value::memory(self)
    }

    fn free_effort(&self) -> usize {
        Value::free_effort(self)
    }

    fn placed(&self, db: i32, key: &[u8]) {
        Stored::placed(self, db, key);
    }

    fn duplicate(&self, db: i32, key: &[u8]) -> Option<Self> {
        let mut copy = Value::duplicate(self);
        if copy.lifetime() == Lifetime::Over && self.lifetime() != Lifetime::Over {
            // What is only leased has nothing to copy: an empty key would stay behind.
            return None;
        }
        copy.count(key);
        Stored::placed(&copy, db, key);
        Some(copy)
    }

    fn freed(self) {
        self.uncount();
    }

    fn aof_preface() -> Vec<BesideKeys> {
        global_state::saved()
    }

    fn unlinked(db: i32, key: &[u8]) {
        blocking::stale(db, key);
        V::left(db, key);
    }
}

//! The cache entry, the policies and the invalidations as the server keeps them.

use std::ffi::CStr;

use super::{invalidate, stats};
use crate::domain::cache;
use crate::runtime::global_tables::global_table;
use crate::runtime::value_type::value_type;

value_type!(cache::CacheEntry, c"workgateC", c"cache._apply", {
    fn pending_invalidation(&self, key: &[u8]) -> Option<Self::Effect> {
        invalidate::pending_invalidation(self, key)
    }

    fn on_invalidated(key: &[u8]) {
        stats::count_event(stats::class_of(key), |stats| stats.invalidated += 1);
    }

    fn event(effect: &Self::Effect) -> Option<&'static CStr> {
        Some(match effect {
            cache::Effect::Fill { .. } | cache::Effect::Refresh { .. } => c"cache.leased",
            cache::Effect::Release { .. } => c"cache.released",
            cache::Effect::Set { .. } | cache::Effect::SetAnnotated { .. } => c"cache.stored",
            cache::Effect::Expire { .. } | cache::Effect::Drop { .. } => c"cache.invalidated",
            cache::Effect::Touch { .. } => c"cache.touched",
        })
    }

    fn count(&mut self, key: &[u8]) {
        stats::count(self, key);
    }

    fn uncount(&self) {
        stats::uncount(self);
    }

    fn after_change(&self) {
        invalidate::note_expiry(self);
    }
});

global_table!(cache::CachePolicies, c"cache.policy", c"workgate2", outlives_keys: true, forget: |_| {});
global_table!(cache::Invalidations, c"cache.invalidate", c"workgate3", outlives_keys: false, forget: |table| table.forget_marks());

//! The subject and the policies as the server keeps them.

use std::ffi::CStr;

use crate::domain::ratelimit;
use crate::runtime::global_tables::global_table;
use crate::runtime::value_type::value_type;

value_type!(ratelimit::Subject, c"workgateR", c"ratelimit._apply", {
    fn event(effect: &Self::Effect) -> Option<&'static CStr> {
        Some(match effect {
            ratelimit::Effect::Taken { .. } => c"ratelimit.taken",
            ratelimit::Effect::Locked { .. } => c"ratelimit.locked",
            ratelimit::Effect::Unlocked => c"ratelimit.unlocked",
            ratelimit::Effect::Settled { .. } => c"ratelimit.settled",
            ratelimit::Effect::Corrected { .. } => c"ratelimit.settled",
            ratelimit::Effect::Refunded { .. } => c"ratelimit.refunded",
            ratelimit::Effect::Reset { .. } | ratelimit::Effect::Cleared => c"ratelimit.reset",
            ratelimit::Effect::Acquired { .. } => c"ratelimit.acquired",
            ratelimit::Effect::Released { .. } => c"ratelimit.released",
            ratelimit::Effect::Rebased { .. } => return None,
        })
    }
});
global_table!(ratelimit::LimitPolicies, c"ratelimit.policy", c"workgate1", outlives_keys: true, forget: |_| {});

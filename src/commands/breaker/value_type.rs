//! The breaker as the server keeps it.

use std::ffi::CStr;

use crate::domain::breaker;
use crate::runtime::value_type::value_type;

value_type!(breaker::Breaker, c"workgateB", c"breaker._apply", {
    fn event(effect: &Self::Effect) -> Option<&'static CStr> {
        Some(match effect {
            breaker::Effect::Open { .. } => c"breaker.opened",
            breaker::Effect::Close { .. } => c"breaker.closed",
            breaker::Effect::Probe { .. } => c"breaker.probed",
            breaker::Effect::Reset { .. } => c"breaker.reset",
            breaker::Effect::Force { .. } | breaker::Effect::EndForce => c"breaker.forced",
            breaker::Effect::Configure(_) => c"breaker.configured",
            breaker::Effect::Count { .. }
            | breaker::Effect::ProbeSucceeded { .. }
            | breaker::Effect::Rebase { .. } => {
                return None;
            }
        })
    }
});

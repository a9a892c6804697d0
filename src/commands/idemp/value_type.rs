//! The record and the list of seen ids as the server keeps them.

use std::ffi::CStr;

use crate::domain::idemp;
use crate::runtime::value_type::value_type;

value_type!(idemp::Record, c"workgateI", c"idemp._apply", {
    fn event(effect: &Self::Effect) -> Option<&'static CStr> {
        Some(match effect {
            idemp::Effect::Claim { .. } => c"idemp.claimed",
            idemp::Effect::Complete { .. } => c"idemp.completed",
            idemp::Effect::Extend { .. } => c"idemp.extended",
            idemp::Effect::Release { .. } => c"idemp.released",
        })
    }
});
value_type!(idemp::SeenIds, c"workgateS", c"idemp.seen._apply", {
    fn event(_mark: &Self::Effect) -> Option<&'static CStr> {
        Some(c"idemp.seen")
    }
});

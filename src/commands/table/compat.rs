//! Commands that another module has made known: left out where that one was loaded first.

use super::arg_spec::{KEY, integer, optional};
use crate::commands::ratelimit::Throttle;
use crate::module_api::command::{Access, Keys, Spec};
use crate::runtime::handler::entry;

pub static ROWS: &[Spec] = &[Spec {
    name: "CL.THROTTLE",
    flags: "write fast",
    arity: -5,
    keys: Keys::At(1, Access::Update),
    summary: "Limits a rate, with the arguments and the reply of redis-cell",
    complexity: "O(1)",
    since: "0.1.0",
    args: &[KEY, integer("max_burst"), integer("count"), integer("period"), optional(integer("quantity"))],
    entry: entry::<Throttle>(),
}];

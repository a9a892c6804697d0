//! The internal commands that carry effects.

use super::arg_spec::{KEY, multiple, text};
use crate::module_api::command::{Access, Arg, Keys, Spec};
use crate::runtime::apply_command::Apply;
use crate::runtime::handler::internal_entry;
use crate::runtime::value_type::ValueType;

const EFFECT: &[Arg] = &[KEY, multiple(text("effect"))];

/// The row of the internal command that applies a value type's effects.
pub const fn effects<V: ValueType>(name: &'static str, complexity: &'static str) -> Spec {
    Spec {
        name,
        flags: "write internal",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Internal: carries changes to replicas and through the AOF",
        complexity,
        since: "0.1.0",
        args: EFFECT,
        entry: internal_entry::<Apply<V>>(),
    }
}

//! The command table: the one source of registration, flags, key specs, COMMAND DOCS and the docs.

pub(crate) mod admin;
pub(crate) mod arg_spec;
pub(crate) mod breaker;
pub(crate) mod cache;
pub(crate) mod compat;
pub(crate) mod idemp;
pub(crate) mod jobq;
pub(crate) mod ratelimit;

use arg_spec::{KEY, multiple, text};

use crate::module_api::command::{Access, Arg, Keys, Spec, entry};
use crate::runtime::apply_command::Apply;
use crate::runtime::value_type::Stored;

const EFFECT: &[Arg] = &[KEY, multiple(text("effect"))];

/// The row of a family's internal command.
const fn effects<V: Stored>(name: &'static str, complexity: &'static str) -> Spec {
    Spec {
        name,
        flags: "write",
        arity: -3,
        keys: Keys::At(1, Access::Update),
        summary: "Internal: carries changes to replicas and through the AOF",
        complexity,
        since: "0.1.0",
        args: EFFECT,
        entry: entry::<Apply<V>>(),
    }
}

/// Every command of this build.
#[cfg(test)]
pub fn rows() -> impl Iterator<Item = &'static Spec> {
    own_rows().chain(guests())
}

/// Commands that bear the name of another module's and are left out where that one is loaded.
pub fn guests() -> impl Iterator<Item = &'static Spec> {
    crate::commands::table::compat::ROWS.iter()
}

/// The commands that must be there.
pub fn own_rows() -> impl Iterator<Item = &'static Spec> {
    [
        ratelimit::ROWS,
        idemp::ROWS,
        jobq::ROWS,
        cache::ROWS,
        breaker::ROWS,
        crate::commands::table::admin::ROWS,
    ]
    .into_iter()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module_api::command::ArgType;
    use std::collections::HashSet;

    #[test]
    fn every_command_is_named_once_and_says_what_it_does() {
        let mut names = HashSet::new();
        for row in rows() {
            assert!(names.insert(row.name), "{} stands twice", row.name);
            assert_eq!(row.name, row.name.to_ascii_uppercase());
            assert!(!row.summary.is_empty() && !row.summary.ends_with('.'), "{}", row.name);
            assert!(row.complexity.starts_with("O("), "{}", row.name);
        }
    }

    #[test]
    fn a_command_that_only_reads_is_flagged_so_and_no_other_is() {
        for row in rows() {
            let flags: HashSet<&str> = row.flags.split(' ').collect();
            assert_ne!(flags.contains("readonly"), flags.contains("write"), "{}", row.name);
            if let Keys::At(_, access) | Keys::From(_, access) = row.keys {
                assert_eq!(access == Access::Read, flags.contains("readonly"), "{}", row.name);
            }
        }
    }

    #[test]
    fn the_arity_is_that_of_the_arguments() {
        for row in rows().filter(|row| !row.name.ends_with("._APPLY")) {
            // The name of a subcommand is two arguments.
            let named = 1 + row.name.matches('|').count() as i32;
            // So are an option's word and its value.
            let words = |arg: &Arg| {
                let value = if arg.kind == ArgType::Block { arg.parts.len() as i32 } else { 1 };
                value + i32::from(arg.token.is_some() && arg.kind != ArgType::Token)
            };
            let least = named + row.args.iter().filter(|arg| !arg.optional).map(words).sum::<i32>();
            let open = row.args.iter().any(|arg| arg.optional || arg.multiple);
            assert_eq!(row.arity, if open { -least } else { least }, "{}", row.name);
        }
    }
}

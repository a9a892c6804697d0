//! The command table: the one source of registration, flags, key specs and COMMAND DOCS.

pub(crate) mod admin;
pub(crate) mod arg_spec;
pub(crate) mod breaker;
pub(crate) mod cache;
pub(crate) mod compat;
pub(crate) mod containers;
pub(crate) mod idemp;
pub(crate) mod internal;
pub(crate) mod jobq;
pub(crate) mod jobq_queue;
pub(crate) mod ratelimit;

use crate::module_api::command::Spec;

/// Every command of this build.
#[cfg(any(test, feature = "fuzzing"))]
pub fn rows() -> impl Iterator<Item = &'static Spec> {
    own_rows().chain(compatible_rows())
}

/// Commands that bear the name of another module's and are left out where that one is loaded.
pub fn compatible_rows() -> impl Iterator<Item = &'static Spec> {
    compat::ROWS.iter()
}

/// The commands that must be there.
pub fn own_rows() -> impl Iterator<Item = &'static Spec> {
    [ratelimit::ROWS, idemp::ROWS, jobq::ROWS, jobq_queue::ROWS, cache::ROWS, breaker::ROWS, admin::ROWS]
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::table::containers::CONTAINERS;
    use crate::module_api::command::{Access, Arg, ArgType, Keys};
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
    fn every_subcommand_has_its_container_and_every_container_its_subcommands() {
        let holders: HashSet<&str> =
            rows().filter_map(|row| row.name.split_once('|')).map(|(holder, _)| holder).collect();
        let containers: HashSet<&str> = CONTAINERS.iter().map(|container| container.name).collect();
        assert_eq!(holders, containers);
        assert_eq!(containers.len(), CONTAINERS.len());
        for container in CONTAINERS {
            let reaches = rows().any(|row| row.is_held_by(container) && row.keys == Keys::EveryShard);
            assert_eq!(container.reaches_every_shard, reaches, "{}", container.name);
            assert!(!container.summary.is_empty() && !container.summary.ends_with('.'), "{}", container.name);
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

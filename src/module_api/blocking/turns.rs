//! Who stands behind whom at a key where requests want several things.
//!
//! A limiter holds limits by their names. A request that wants the limits `a` and `b` stands behind
//! every earlier one that wants either, and behind no other. The waiters that want the same names
//! have one list of the key. To serve the key, the heads of its lists are asked in the order of
//! their coming; who gets nothing, and who stands behind such a one, holds back all later ones that
//! want any of its names.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};
use std::rc::Rc;

use super::key_waiters::KeyWaiters;
use super::registry::with;
use super::waiter::{WaitFor, Waiter};
use super::wanted::WantedName;
use crate::module_api::context::Ctx;
use crate::module_api::server_string::ServerStr;

/// Whether clients wait at `key` of the selected database for any of these names.
pub fn stands_behind_others(ctx: Ctx<'_>, key: ServerStr<'_>, wanted: &[WantedName]) -> bool {
    with(|registry| {
        let Some(key_waiters) = registry.key_waiters(ctx.db(), key.bytes()) else { return false };
        key_waiters.turns().any(|(_, list)| {
            let wants =
                |head: Rc<Waiter>| head.wants_at(key.bytes()).iter().any(|name| wanted.contains(name));
            list.head().is_some_and(wants)
        })
    })
}

/// One look at all lists in order of a key.
pub(crate) struct TurnPass {
    /// The numbers of the heads, and their lists.
    heads: BinaryHeap<Reverse<(u64, WaitFor)>>,
    held_back: HashSet<WantedName>,
}

impl TurnPass {
    /// All lists of the key count as looked at.
    pub fn over(key_waiters: &mut KeyWaiters) -> Self {
        let heads = key_waiters.turns().filter_map(|(line, list)| {
            list.stale = false;
            Some(Reverse((list.head_number()?, line)))
        });
        TurnPass { heads: heads.collect(), held_back: HashSet::new() }
    }

    /// The list whose head came first of those that are left.
    pub fn next_line(&mut self) -> Option<WaitFor> {
        self.heads.pop().map(|Reverse((_, line))| line)
    }

    /// The list has another head.
    pub fn has_head(&mut self, line: WaitFor, number: u64) {
        self.heads.push(Reverse((number, line)));
    }

    /// Whether the waiter stands behind one that got nothing.
    pub fn is_held_back(&self, waiter: &Waiter, key: &[u8]) -> bool {
        waiter.wants_at(key).iter().any(|name| self.held_back.contains(name))
    }

    /// The waiter got nothing.
    pub fn waits(&mut self, waiter: &Waiter, key: &[u8]) {
        self.held_back.extend(waiter.wants_at(key));
    }
}

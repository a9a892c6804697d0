//! Finds queues that a RENAME or MOVE has brought to another key, on servers that cannot be asked
//! to tell of it (see [`crate::module_api::keyspace::following_moves_clients`]).
//!
//! A queue that leaves its key is either freed or elsewhere. So where the server holds more queues
//! than the registry knows, all keys are looked at, a few at a time.

use crate::domain::jobq::Queue;
use crate::module_api::blocking::WorkBudget;
use crate::module_api::context::Ctx;
use crate::module_api::data_type::DataType;
use crate::module_api::key::Key;
use crate::module_api::keyspace::Walk;

/// Where the search has come to.
#[derive(Default)]
pub struct MovedQueues {
    walk: Option<Walk>,
    /// A queue may have moved since the walk began, or since the last one.
    is_due: bool,
}

impl MovedQueues {
    /// A queue has left its key.
    pub fn note_removal(&mut self) {
        self.is_due = true;
    }

    pub fn is_searching(&self) -> bool {
        self.walk.is_some()
    }

    /// Begins a search if there is reason for one: the registry knows `known` queues.
    pub fn start(&mut self, known: usize) {
        if self.walk.is_none() && std::mem::take(&mut self.is_due) && Queue::slot().live_values() > known {
            self.walk = Some(Walk::new());
        }
    }

    /// Looks at some keys and tells the registry of the queues there.
    pub fn step(&mut self, ctx: Ctx<'_>) {
        let Some(mut walk) = self.walk.take() else { return };
        let mut budget = WorkBudget::start();
        while budget.try_spend() {
            let more = walk.step(ctx, &mut |ctx, db, name| {
                if let Ok(Some(queue)) = Key::open_no_expire(ctx, name).value::<Queue>() {
                    queue.on_key_added(db, name.bytes());
                }
            });
            if !more {
                return;
            }
        }
        self.walk = Some(walk);
    }
}

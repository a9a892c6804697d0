//! The queue as the server keeps it.

use std::ffi::CStr;

use super::events::keyspace_event;
use super::queue_registry;
use crate::domain::jobq;
use crate::domain::time::UnixMs;
use crate::runtime::counters::JobTotals;
use crate::runtime::value_type::value_type;

value_type!(jobq::Queue, c"workgateQ", c"jobq._apply", {
    fn next_wakeup(&self) -> Option<UnixMs> {
        self.next_run()
    }

    fn job_totals(&self) -> JobTotals {
        let totals = &self.totals;
        JobTotals { pushed: totals.pushed, done: totals.acked, dead: totals.died }
    }

    fn take_events(&mut self, each: &mut dyn FnMut(&'static CStr)) {
        self.take_event_kinds().map(keyspace_event).for_each(each);
    }

    fn on_key_added(&self, db: i32, key: &[u8]) {
        queue_registry::on_key_added(db, key, self.next_run());
    }

    fn on_key_removed(db: i32, key: &[u8]) {
        queue_registry::on_key_removed(db, key);
    }
});

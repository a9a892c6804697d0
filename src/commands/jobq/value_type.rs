//! The queue as the server keeps it.

use super::queue_registry;
use crate::domain::jobq;
use crate::domain::time::UnixMs;
use crate::runtime::value_type::stored;

stored!(jobq::Queue, c"workgateQ", c"jobq._apply", {
    fn alarm(&self) -> Option<UnixMs> {
        self.next_run()
    }

    fn placed(&self, db: i32, key: &[u8]) {
        queue_registry::on_key_added(db, key, self.next_run());
    }

    fn left(db: i32, key: &[u8]) {
        queue_registry::on_key_removed(db, key);
    }
});

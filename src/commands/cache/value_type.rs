//! The cache entry as the server keeps it.

use super::invalidate;
use crate::domain::cache;
use crate::runtime::value_type::stored;

stored!(cache::Entry, c"workgateC", c"cache._apply", {
    fn overruled(&self, key: &[u8]) -> Option<Self::Effect> {
        invalidate::overruled(self, key)
    }

    fn settled(&self) {
        invalidate::settled(self);
    }
});

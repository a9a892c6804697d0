//! What few entries have: a lease, tags.

use super::lease::Lease;
use super::tags::Tags;

/// One word of an entry as long as there is neither, which is so of most: loaded once, read often, untagged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Aside(Option<Box<Both>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Both {
    lease: Option<Lease>,
    /// Of the value.
    tags: Tags,
}

impl Aside {
    pub fn new(lease: Option<Lease>, tags: Tags) -> Self {
        let empty = lease.is_none() && tags.is_empty();
        Aside((!empty).then(|| Box::new(Both { lease, tags })))
    }

    pub fn lease(&self) -> Option<&Lease> {
        self.0.as_ref()?.lease.as_ref()
    }

    pub fn tags(&self) -> &Tags {
        self.0.as_ref().map_or(Tags::NONE, |both| &both.tags)
    }

    pub fn set_lease(&mut self, lease: Option<Lease>) {
        let tags = self.0.take().map_or_else(Tags::default, |both| both.tags);
        *self = Aside::new(lease, tags);
    }

    /// Bytes on the heap.
    pub fn heap(&self) -> usize {
        self.0.as_ref().map_or(0, |both| size_of::<Both>() + both.tags.heap())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

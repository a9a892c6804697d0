//! What an entry keeps beside a value's bytes, in a few words of memory.

use crate::domain::cache::state::compression;
use crate::domain::cache::state::lease::Lease;
use crate::domain::cache::state::tags::Tags;
use crate::domain::codec::ranges::{below, read_span, read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;

/// What the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueForm {
    /// The value itself.
    Plain = 0,
    /// There is no value, and this is known. No bytes.
    Absent = 1,
    /// The value in the block format of LZ4, its length before it.
    Lz4 = 2,
}

impl ValueForm {
    const ALL: [ValueForm; 3] = [ValueForm::Plain, ValueForm::Absent, ValueForm::Lz4];

    fn read(number: u64) -> Result<Self, Corrupt> {
        ValueForm::ALL.into_iter().find(|form| *form as u64 == number).ok_or(Corrupt)
    }
}

/// The end of freshness of a value without a TTL.
pub(crate) const NEVER: UnixMs = UnixMs::MAX;

/// Load times are kept up to this, about nine hours.
pub(crate) const MAX_LOAD_MS: u64 = (1 << LOAD_BITS) - 1;

/// All that is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueMeta {
    /// The token under which it was stored: that of its load, or an own one if it was set without.
    /// It lets a re-sent SET be answered alike.
    pub token: u64,
    pub form: ValueForm,
    /// Until when it is fresh; [`NEVER`] without a TTL.
    pub fresh_until: UnixMs,
    /// How long it may be served stale after that, ms.
    pub grace: u64,
    /// How long loading it took, from the grant to the SET, ms; 0 when not known.
    pub load: u64,
}

impl ValueMeta {
    pub(crate) fn stale_until(&self) -> UnixMs {
        self.fresh_until.saturating_add(self.grace)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.int(self.token);
        w.byte(self.form as u8);
        w.option((self.fresh_until != NEVER).then_some(self.fresh_until), Writer::int);
        w.int(self.grace);
        w.int(self.load);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(ValueMeta {
            token: read_token(r)?,
            form: ValueForm::read(u64::from(r.byte()?))?,
            fresh_until: r.option(read_time)?.unwrap_or(NEVER),
            grace: read_span(r)?,
            load: below(r, MAX_LOAD_MS + 1)?,
        })
    }
}

/// The bytes that came with it, checked: what no writer of ours wrote is never read from an entry.
pub(crate) fn check_bytes(meta: &ValueMeta, bytes: &[u8]) -> Result<Box<[u8]>, Corrupt> {
    let is_valid = match meta.form {
        ValueForm::Plain => true,
        ValueForm::Absent => bytes.is_empty(),
        ValueForm::Lz4 => compression::decompress(bytes).is_some(),
    };
    if is_valid { Ok(Box::from(bytes)) } else { Err(Corrupt) }
}

/// [`ValueMeta`] in three words: a token leaves eleven bits of its word free, a grace 25. Two of
/// the eleven hold the form, nine the class under which the entry is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PackedMeta {
    fresh_until: UnixMs,
    grant_and_class_and_form: u64,
    grace_and_load: u64,
}

const GRANT_AT: u32 = 11;
const CLASS_AT: u32 = 2;
const CLASS: u64 = 511 << CLASS_AT;
const LOAD_BITS: u32 = 25;

impl PackedMeta {
    pub fn pack(meta: ValueMeta) -> Self {
        PackedMeta {
            fresh_until: meta.fresh_until,
            grant_and_class_and_form: meta.token << GRANT_AT | meta.form as u64,
            grace_and_load: meta.grace << LOAD_BITS | meta.load.min(MAX_LOAD_MS),
        }
    }

    /// 0 when it was not classified.
    pub fn class(self) -> u16 {
        ((self.grant_and_class_and_form & CLASS) >> CLASS_AT) as u16
    }

    pub fn classify(&mut self, class: u16) {
        let others = self.grant_and_class_and_form & !CLASS;
        self.grant_and_class_and_form = others | (u64::from(class) << CLASS_AT) & CLASS;
    }

    pub fn meta(self) -> ValueMeta {
        let form = match self.grant_and_class_and_form & 3 {
            1 => ValueForm::Absent,
            2 => ValueForm::Lz4,
            _ => ValueForm::Plain,
        };
        ValueMeta {
            token: self.grant_and_class_and_form >> GRANT_AT,
            form,
            fresh_until: self.fresh_until,
            grace: self.grace_and_load >> LOAD_BITS,
            load: self.grace_and_load & MAX_LOAD_MS,
        }
    }
}

/// What a caller says of a value: its tags, and the META that readers get with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations {
    pub tags: Tags,
    /// `None` without META, which differs from an empty one.
    pub client_meta: Option<Box<[u8]>>,
}

impl Annotations {
    pub(crate) fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.client_meta.is_none()
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.option((!self.tags.is_empty()).then_some(&self.tags), |w, tags| tags.write(w));
        w.option(self.client_meta.as_deref(), Writer::bytes);
    }

    /// Reads what [`Annotations::write`] wrote of annotations that hold something.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let tags = r.option(Tags::read)?.unwrap_or_default();
        let client_meta = r.option(Reader::bytes)?.map(Box::from);
        let annotations = Annotations { tags, client_meta };
        if annotations.is_empty() { Err(Corrupt) } else { Ok(annotations) }
    }

    /// Reads what was written before there was META: tags, at least one.
    pub(crate) fn read_tags(r: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(Annotations { tags: Tags::read(r)?, client_meta: None })
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.tags.heap_bytes() + self.client_meta.as_ref().map_or(0, |meta| meta.len())
    }
}

/// A lease, tags and META, which few entries have: one word of an entry that has none of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RareParts(Option<Box<Parts>>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Parts {
    lease: Option<Lease>,
    /// Of the value.
    annotations: Annotations,
}

impl RareParts {
    pub fn new(lease: Option<Lease>, annotations: Annotations) -> Self {
        let empty = lease.is_none() && annotations.is_empty();
        RareParts((!empty).then(|| Box::new(Parts { lease, annotations })))
    }

    pub fn lease(&self) -> Option<&Lease> {
        self.0.as_ref()?.lease.as_ref()
    }

    pub fn tags(&self) -> &Tags {
        self.0.as_ref().map_or(Tags::NONE, |parts| &parts.annotations.tags)
    }

    pub fn annotations(&self) -> Option<&Annotations> {
        self.0.as_ref().map(|parts| &parts.annotations)
    }

    pub fn client_meta(&self) -> Option<&[u8]> {
        self.0.as_ref()?.annotations.client_meta.as_deref()
    }

    pub fn set_lease(&mut self, lease: Option<Lease>) {
        let annotations = self.0.take().map_or_else(Annotations::default, |parts| parts.annotations);
        *self = RareParts::new(lease, annotations);
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |parts| size_of::<Parts>() + parts.annotations.heap_bytes())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::LONGEST;
    use crate::domain::token;

    #[test]
    fn the_largest_of_every_field_fits() {
        for form in ValueForm::ALL {
            let token = token::BOUND - 1;
            let meta = ValueMeta { token, form, fresh_until: NEVER, grace: LONGEST, load: MAX_LOAD_MS };
            let mut packed = PackedMeta::pack(meta);
            assert_eq!((packed.meta(), packed.class()), (meta, 0));
            packed.classify(511);
            assert_eq!((packed.meta(), packed.class()), (meta, 511));
            packed.classify(1);
            assert_eq!((packed.meta(), packed.class()), (meta, 1));
            let least = ValueMeta { token: 1, form, fresh_until: 0, grace: 0, load: 0 };
            assert_eq!(PackedMeta::pack(least).meta(), least);
        }
    }
}

//! What an entry keeps beside a value's bytes, in a few words of memory.

use crate::domain::cache::state::compression;
use crate::domain::codec::ranges::{below, read_span, read_time, read_token};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::time::UnixMs;

/// What the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The value itself.
    Plain = 0,
    /// There is no value, and this is known. No bytes.
    Absent = 1,
    /// The value in the block format of LZ4, its length before it.
    Lz4 = 2,
}

impl Form {
    const ALL: [Form; 3] = [Form::Plain, Form::Absent, Form::Lz4];

    fn read(number: u64) -> Result<Self, Corrupt> {
        Form::ALL.into_iter().find(|form| *form as u64 == number).ok_or(Corrupt)
    }
}

/// The end of freshness of a value without a TTL.
pub(crate) const NEVER: UnixMs = UnixMs::MAX;

/// Load times are kept up to this, about nine hours.
pub(crate) const LONGEST_LOAD: u64 = (1 << LOAD_BITS) - 1;

/// All that is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The token under which it was stored: that of its load, or an own one if it was set without.
    /// It lets a re-sent SET be answered alike.
    pub grant: u64,
    pub form: Form,
    /// Until when it is fresh; [`NEVER`] without a TTL.
    pub fresh_until: UnixMs,
    /// How long it may be served stale after that, ms.
    pub grace: u64,
    /// How long loading it took, from the grant to the SET, ms; 0 when not known.
    pub load: u64,
}

impl Kept {
    pub(crate) fn stale_until(&self) -> UnixMs {
        self.fresh_until.saturating_add(self.grace)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.int(self.grant);
        w.byte(self.form as u8);
        w.option((self.fresh_until != NEVER).then_some(self.fresh_until), Writer::int);
        w.int(self.grace);
        w.int(self.load);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Corrupt> {
        Ok(Kept {
            grant: read_token(r)?,
            form: Form::read(u64::from(r.byte()?))?,
            fresh_until: r.option(read_time)?.unwrap_or(NEVER),
            grace: read_span(r)?,
            load: below(r, LONGEST_LOAD + 1)?,
        })
    }
}

/// The bytes that came with it, checked: what no writer of ours wrote is never read from an entry.
pub(crate) fn sound(kept: &Kept, bytes: &[u8]) -> Result<Box<[u8]>, Corrupt> {
    let sound = match kept.form {
        Form::Plain => true,
        Form::Absent => bytes.is_empty(),
        Form::Lz4 => compression::unpacked(bytes).is_some(),
    };
    if sound { Ok(Box::from(bytes)) } else { Err(Corrupt) }
}

/// [`Kept`] in three words: a token leaves eleven bits of its word free, a grace 25. Two of the eleven hold the
/// form, nine the class under which the entry is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Packed {
    fresh_until: UnixMs,
    grant_and_class_and_form: u64,
    grace_and_load: u64,
}

const GRANT_AT: u32 = 11;
const CLASS_AT: u32 = 2;
const CLASS: u64 = 511 << CLASS_AT;
const LOAD_BITS: u32 = 25;

impl Packed {
    pub fn of(kept: Kept) -> Self {
        Packed {
            fresh_until: kept.fresh_until,
            grant_and_class_and_form: kept.grant << GRANT_AT | kept.form as u64,
            grace_and_load: kept.grace << LOAD_BITS | kept.load.min(LONGEST_LOAD),
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

    pub fn kept(self) -> Kept {
        let form = match self.grant_and_class_and_form & 3 {
            1 => Form::Absent,
            2 => Form::Lz4,
            _ => Form::Plain,
        };
        Kept {
            grant: self.grant_and_class_and_form >> GRANT_AT,
            form,
            fresh_until: self.fresh_until,
            grace: self.grace_and_load >> LOAD_BITS,
            load: self.grace_and_load & LONGEST_LOAD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::LONGEST;
    use crate::domain::token;

    #[test]
    fn the_largest_of_every_field_fits() {
        for form in Form::ALL {
            let grant = token::BOUND - 1;
            let kept = Kept { grant, form, fresh_until: NEVER, grace: LONGEST, load: LONGEST_LOAD };
            let mut packed = Packed::of(kept);
            assert_eq!((packed.kept(), packed.class()), (kept, 0));
            packed.classify(511);
            assert_eq!((packed.kept(), packed.class()), (kept, 511));
            packed.classify(1);
            assert_eq!((packed.kept(), packed.class()), (kept, 1));
            let least = Kept { grant: 1, form, fresh_until: 0, grace: 0, load: 0 };
            assert_eq!(Packed::of(least).kept(), least);
        }
    }
}

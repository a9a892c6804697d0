//! Holds: charges by an estimate, which SETTLE replaces by the actual cost.

use crate::domain::ratelimit::limit::name::LimitName;
use crate::domain::ratelimit::limit::parse::Limit;
use crate::domain::ratelimit::limit::rule::Rule;
use crate::domain::ratelimit::one_or_many::OneOrMany;
use crate::domain::time::UnixMs;

/// The maximum number of open holds under one key.
pub const MAX_HOLDS: usize = 1_000;

/// The maximum length of a hold id in bytes. The minimum is 1.
pub const MAX_HOLD_ID_LEN: usize = 128;

/// The charge of a hold to one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldCharge {
    pub name: Option<LimitName>,
    pub rule: Rule,
    /// The cost in the call, 0 to 10^12.
    pub asked: u64,
    /// The cost charged by the call. UPTO can lower it.
    pub taken: u64,
    /// The present charge, 0 to 10^12: `taken` until SETTLE changes it.
    pub cost: u64,
    /// Whether the count of the limit still contains the charge. False after the limit restarted or
    /// changed its algorithm.
    pub counted: bool,
    /// How much of the charge a bucket would give back, in units of 1/count ms. See
    /// [`crate::domain::ratelimit::apply::settle`].
    pub refundable: u128,
}

impl HoldCharge {
    pub fn limit(&self) -> Limit<'_> {
        Limit { name: self.name.as_ref().map(LimitName::as_bytes), rule: self.rule }
    }
}

/// The charges of one call, open while SETTLE can change them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub id: Box<[u8]>,
    /// The time of the call.
    pub at: UnixMs,
    pub until: UnixMs,
    /// Whether the call had UPTO.
    pub upto: bool,
    pub charges: OneOrMany<HoldCharge>,
}

impl Hold {
    fn heap_bytes(&self) -> usize {
        let charges = self.charges.as_slice();
        let names: usize =
            charges.iter().filter_map(|charge| charge.name.as_ref()).map(LimitName::heap_bytes).sum();
        let list = if charges.len() == 1 { 0 } else { size_of_val(charges) };
        self.id.len() + names + list
    }
}

/// All holds of a subject, in the order of their calls.
#[derive(Debug, Clone, Default)]
pub struct Holds {
    list: Vec<Hold>,
    /// Bytes on the heap, without the list itself.
    behind_bytes: usize,
}

impl Holds {
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the open hold with this id.
    pub fn open(&self, id: &[u8], now: UnixMs) -> Option<&Hold> {
        self.list.iter().find(|hold| *hold.id == *id && hold.until > now)
    }

    pub fn open_count(&self, now: UnixMs) -> usize {
        self.list.iter().filter(|hold| hold.until > now).count()
    }

    /// Whether any hold charges the limit. Such a limit must be kept.
    pub fn is_charged(&self, limit: &Limit<'_>) -> bool {
        self.list
            .iter()
            .any(|hold| hold.charges.as_slice().iter().any(|charge| charge.limit().shares_counter(limit)))
    }

    /// Returns all charges to a limit in the order of the calls.
    pub fn charges_to(&mut self, limit: Limit<'_>) -> impl Iterator<Item = &mut HoldCharge> {
        self.list
            .iter_mut()
            .flat_map(|hold| hold.charges.as_mut_slice())
            .filter(move |charge| charge.limit().shares_counter(&limit))
    }

    /// Calls `each` with the time and the charge of every hold on a limit.
    pub fn for_each_charge_to(&mut self, limit: Limit<'_>, mut each: impl FnMut(UnixMs, &mut HoldCharge)) {
        for hold in &mut self.list {
            let charges = hold.charges.as_mut_slice().iter_mut();
            charges
                .filter(|charge| charge.limit().shares_counter(&limit))
                .for_each(|charge| each(hold.at, charge));
        }
    }

    /// Adds a hold. An effect that was decided on another state can find the list full or the id in
    /// use. The hold is dropped then.
    pub fn add(&mut self, hold: Hold) {
        if self.list.len() < MAX_HOLDS && self.list.iter().all(|other| other.id != hold.id) {
            self.behind_bytes += hold.heap_bytes();
            self.list.push(hold);
        }
    }

    pub fn find_mut(&mut self, id: &[u8]) -> Option<&mut Hold> {
        self.list.iter_mut().find(|hold| *hold.id == *id)
    }

    /// Removes expired holds. Their charges are final.
    pub fn purge(&mut self, now: UnixMs) {
        self.retain(|hold| hold.until > now);
    }

    pub fn is_ahead(&self, now: UnixMs) -> bool {
        self.list.iter().any(|hold| hold.at > now)
    }

    /// Moves holds whose call lies in the future to `now`, with their length.
    pub fn rebase(&mut self, now: UnixMs) {
        for hold in &mut self.list {
            let shift = hold.at.saturating_sub(now);
            (hold.at, hold.until) = (hold.at - shift, hold.until.saturating_sub(shift));
        }
    }

    /// Removes limits from all holds, after RESET.
    pub fn remove_limits(&mut self, is_it: impl Fn(&Limit<'_>) -> bool) {
        for hold in &mut self.list {
            if hold.charges.as_slice().iter().any(|charge| is_it(&charge.limit())) {
                let charges = std::mem::replace(&mut hold.charges, OneOrMany::Many(Vec::new()));
                hold.charges = charges.into_iter().filter(|charge| !is_it(&charge.limit())).collect();
            }
        }
        self.behind_bytes = self.list.iter().map(Hold::heap_bytes).sum();
    }

    fn retain(&mut self, keep: impl Fn(&Hold) -> bool) {
        let behind_bytes = &mut self.behind_bytes;
        self.list.retain(|hold| {
            let kept = keep(hold);
            *behind_bytes -= if kept { 0 } else { hold.heap_bytes() };
            kept
        });
        if self.list.capacity() > 16 && self.list.capacity() > self.list.len() * 4 {
            self.list.shrink_to(self.list.len() * 2);
        }
    }

    pub fn last_until(&self) -> Option<UnixMs> {
        self.list.iter().map(|hold| hold.until).max()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Hold> {
        self.list.iter()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Hold>() + self.behind_bytes
    }
}

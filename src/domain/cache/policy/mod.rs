//! A policy: the defaults of the commands on keys with a prefix, and how their values are kept.

pub(crate) mod table;

use crate::domain::codec::ranges::{below, read_span};
use crate::domain::codec::{Corrupt, Reader, Writer};
use crate::domain::integer::integer;
use crate::domain::refusal::{Refusal, shown};
use crate::domain::setting::SettingValue;
use crate::domain::time::{duration, duration_or_zero, written};

/// Values from this many bytes on are compressed unless told otherwise.
pub const DEFAULT_COMPRESS_BYTES: u64 = 1_024;

/// The most that COMPRESS and MAXVALUE take: what one argument can hold.
const MAX_BYTES: u64 = 512 * 1024 * 1024;
/// The most that EARLY takes.
const MAX_EARLY: f64 = 100.0;

/// A policy. A field that is `None` leaves the choice to the defaults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CachePolicy {
    /// Of a SET that gives none, ms.
    pub ttl: Option<u64>,
    /// Of a SET that gives none, ms.
    pub grace: Option<u64>,
    /// By how much a TTL is shortened at most, percent, so that what was stored together does not
    /// end together.
    pub jitter: Option<u64>,
    /// Of an ABSENT that gives none, ms.
    pub absent_ttl: Option<u64>,
    /// Of a GETSET that gives none, ms.
    pub lease: Option<u64>,
    /// XFetch's beta in thousandths: how eagerly a fresh value is reloaded before its TTL ends.
    pub early: Option<u64>,
    /// The least size of a value that is compressed, bytes; 0: none is.
    pub compress: Option<u64>,
    /// The longest value, bytes.
    pub max_value: Option<u64>,
}

/// The fields by their names, in the order in which they are shown.
const FIELDS: [&str; 8] = ["TTL", "GRACE", "JITTER", "ABSENTTL", "LEASE", "EARLY", "COMPRESS", "MAXVALUE"];

impl CachePolicy {
    /// Reads one field; `name` is in upper case. Nothing when there is no such field.
    pub fn set_field(&mut self, name: &[u8], text: &[u8]) -> Result<Option<()>, Refusal> {
        let value = match name {
            b"TTL" => duration("TTL", text)?,
            b"GRACE" => duration_or_zero("GRACE", text)?,
            b"JITTER" => integer("JITTER", text, 0, 100)?,
            b"ABSENTTL" => duration("ABSENTTL", text)?,
            b"LEASE" => duration("LEASE", text)?,
            b"EARLY" => parse_beta(text)?,
            b"COMPRESS" => integer("COMPRESS", text, 0, MAX_BYTES)?,
            b"MAXVALUE" => integer("MAXVALUE", text, 1, MAX_BYTES)?,
            _ => return Ok(None),
        };
        let at = FIELDS.iter().position(|field| field.as_bytes() == name);
        if let Some(at) = at {
            *self.fields_mut()[at] = Some(value);
        }
        Ok(Some(()))
    }

    /// Checks the fields against each other.
    pub fn check(&self) -> Result<(), Refusal> {
        match (self.lease, self.ttl) {
            (Some(lease), Some(ttl)) if lease > ttl => Err(Refusal::err(format!(
                "LEASE '{}' is longer than TTL '{}': a load may not take longer than its value is fresh",
                written(lease),
                written(ttl)
            ))),
            _ => Ok(()),
        }
    }

    /// The fields that were given, as POLICY SET takes them.
    pub fn given_fields(&self) -> Vec<(&'static str, SettingValue)> {
        let shown = |name, value: u64| match name {
            "JITTER" | "COMPRESS" | "MAXVALUE" => SettingValue::Number(value),
            "EARLY" => SettingValue::Decimal(value as f64 / 1_000.0),
            _ if value == 0 => SettingValue::Text("0s".to_owned()),
            _ => SettingValue::Text(written(value)),
        };
        let given = FIELDS.into_iter().zip(self.fields());
        given.filter_map(|(name, value)| value.map(|value| (name, shown(name, value)))).collect()
    }

    /// Whether a decision under this policy needs a random number.
    pub fn needs_random(&self) -> bool {
        self.jitter.is_some_and(|percent| percent > 0) || self.early.is_some_and(|beta| beta > 0)
    }

    /// Returns a TTL that is shortened at random by up to JITTER percent, ms.
    pub fn apply_jitter(&self, ttl: u64, random: u64) -> u64 {
        let most = u128::from(ttl) * u128::from(self.jitter.unwrap_or(0)) / 100;
        // At most the TTL, so it fits.
        let less = ((most * u128::from(random)) >> 64) as u64;
        (ttl - less).max(1)
    }

    fn fields(&self) -> [Option<u64>; 8] {
        let mut copy = *self;
        copy.fields_mut().map(|field| *field)
    }

    fn fields_mut(&mut self) -> [&mut Option<u64>; 8] {
        [
            &mut self.ttl,
            &mut self.grace,
            &mut self.jitter,
            &mut self.absent_ttl,
            &mut self.lease,
            &mut self.early,
            &mut self.compress,
            &mut self.max_value,
        ]
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        self.fields().into_iter().for_each(|field| w.option(field, Writer::int));
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Corrupt> {
        let mut policy = CachePolicy::default();
        for (name, field) in FIELDS.into_iter().zip(policy.fields_mut()) {
            *field = r.option(|r| match name {
                "JITTER" => below(r, 101),
                "EARLY" => below(r, MAX_EARLY as u64 * 1_000 + 1),
                "COMPRESS" | "MAXVALUE" => below(r, MAX_BYTES + 1),
                _ => read_span(r),
            })?;
        }
        policy.check().map_err(|_| Corrupt)?;
        Ok(policy)
    }
}

fn parse_beta(text: &[u8]) -> Result<u64, Refusal> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    match number {
        Some(beta) if (0.0..=MAX_EARLY).contains(&beta) => Ok((beta * 1_000.0).round() as u64),
        _ => Err(Refusal::err(format!(
            "EARLY '{}': must be a number between 0 (never) and {MAX_EARLY}, 1 is usual",
            shown(text)
        ))),
    }
}

/// Decides whether a fresh value is reloaded before its TTL ends: the XFetch of Vattani,
/// Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention" (VLDB 2015). The
/// longer the load took, the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlyRefreshDraw {
    /// In thousandths.
    pub beta: u64,
    /// Any number of 64 bits.
    pub random: u64,
}

impl EarlyRefreshDraw {
    /// Returns whether a value that is fresh for `left` ms and took `load` ms to load is reloaded
    /// now.
    pub fn elects(self, load: u64, left: u64) -> bool {
        // Above 0 and at most 1.
        let u = ((self.random >> 11) + 1) as f64 / (1u64 << 53) as f64;
        load as f64 * (self.beta as f64 / 1_000.0) * -u.ln() >= left as f64
    }
}

#[cfg(test)]
#[path = "../tests/policy.rs"]
mod tests;

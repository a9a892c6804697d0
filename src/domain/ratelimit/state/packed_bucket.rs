//! The packed form of a subject whose only limit is an unnamed bucket: 31 bytes.

use crate::domain::ratelimit::algorithm::token_bucket::TokenBucket;
use crate::domain::ratelimit::limit::rule::{LimitKind, Rule};
use crate::domain::ratelimit::state::usage::{LimitUsage, Usage};
use crate::domain::time::UnixMs;

/// An unnamed bucket as unaligned bytes. Its rule never changes, so it does not keep
/// [`TokenBucket::at`].
#[derive(Debug, Clone, Copy)]
pub struct PackedBucket {
    low: [u8; 8],
    high: [u8; 2],
    part: [u8; 5],
    count: [u8; 5],
    period_ms: [u8; 5],
    burst: [u8; 5],
}

/// Encodes a value of at most 10^12 in five bytes.
fn packed(value: u64) -> [u8; 5] {
    let [a, b, c, d, e, ..] = value.to_le_bytes();
    [a, b, c, d, e]
}

fn unpacked([a, b, c, d, e]: [u8; 5]) -> u64 {
    u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])
}

impl PackedBucket {
    pub fn new(bucket: &TokenBucket, rule: &Rule) -> Self {
        let mut packed = PackedBucket {
            low: [0; 8],
            high: [0; 2],
            part: [0; 5],
            count: packed(rule.count),
            period_ms: packed(rule.period_ms),
            burst: packed(rule.capacity()),
        };
        packed.set(bucket);
        packed
    }

    /// Replaces the bucket.
    #[inline]
    pub fn set(&mut self, bucket: &TokenBucket) {
        self.low = bucket.low.to_le_bytes();
        self.high = bucket.high.to_le_bytes();
        self.part = packed(bucket.part);
    }

    /// The TAT in milliseconds and its fraction; `None` beyond 64 bits.
    #[inline]
    pub fn short_tat(&self) -> Option<(UnixMs, u64)> {
        (self.high == [0; 2]).then(|| (u64::from_le_bytes(self.low), unpacked(self.part)))
    }

    /// Replaces the TAT by one of 64 bits.
    #[inline]
    pub fn set_short_tat(&mut self, at: UnixMs, part: u64) {
        (self.low, self.high, self.part) = (at.to_le_bytes(), [0; 2], packed(part));
    }

    /// Whether the bucket has this rule.
    #[inline]
    pub fn is_of(&self, rule: &Rule) -> bool {
        match rule.kind {
            LimitKind::Bucket { burst } => {
                unpacked(self.count) == rule.count
                    && unpacked(self.period_ms) == rule.period_ms
                    && unpacked(self.burst) == burst
            }
            LimitKind::Window | LimitKind::Fixed | LimitKind::Calendar(_) => false,
        }
    }

    #[inline]
    pub fn rule(&self) -> Rule {
        let kind = LimitKind::Bucket { burst: unpacked(self.burst) };
        Rule { count: unpacked(self.count), period_ms: unpacked(self.period_ms), kind }
    }

    #[inline]
    pub fn bucket(&self) -> TokenBucket {
        let (low, high) = (u64::from_le_bytes(self.low), u16::from_le_bytes(self.high));
        TokenBucket { low, high, part: unpacked(self.part), at: 0 }
    }

    /// Whether the clock was set back since the last charge.
    #[inline]
    pub fn is_ahead(&self, now: UnixMs) -> bool {
        self.bucket().is_ahead(&self.rule(), now)
    }

    #[inline]
    pub fn to_usage(self) -> LimitUsage {
        LimitUsage { name: None, rule: self.rule(), usage: Usage::Bucket(self.bucket()) }
    }
}

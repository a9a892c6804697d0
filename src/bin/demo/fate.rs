//! Which jobs fail, decided by their ids alone: the handler and the summary come to it apart from each other.

use sha2::{Digest, Sha256};

/// How often a failed job is retried: `RETRIES` of its push.
pub const RETRIES: u32 = 3;

/// Exit statuses of the handler, as docs/worker.md has them.
const EX_DATAERR: u8 = 65;
const EX_TEMPFAIL: u8 = 75;

/// What happens to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Fails this many times (0 to [`RETRIES`]), then succeeds.
    Succeeds { after: u32 },
    /// Fails until its retries are used up.
    Stubborn,
    /// Is refused for good in its first run.
    Poison,
}

impl Fate {
    /// 6 % fail once, 3 % twice, 0.6 % always, 0.4 % are poison.
    pub fn of(id: &[u8]) -> Self {
        let hash = Sha256::digest(id);
        match u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 1_000 {
            0..60 => Fate::Succeeds { after: 1 },
            60..90 => Fate::Succeeds { after: 2 },
            90..96 => Fate::Stubborn,
            96..100 => Fate::Poison,
            _ => Fate::Succeeds { after: 0 },
        }
    }

    /// The handler's exit status in run `attempt`, from 1.
    pub fn exit(self, attempt: u32) -> u8 {
        match self {
            Fate::Succeeds { after } if attempt > after => 0,
            Fate::Succeeds { .. } => EX_TEMPFAIL,
            Fate::Stubborn => 1,
            Fate::Poison => EX_DATAERR,
        }
    }

    /// How many runs fail and are followed by another.
    pub fn retries(self) -> u64 {
        match self {
            Fate::Succeeds { after } => u64::from(after),
            Fate::Stubborn => u64::from(RETRIES),
            Fate::Poison => 0,
        }
    }

    /// Whether the job ends dead, in one last failed run.
    pub fn dies(self) -> bool {
        matches!(self, Fate::Stubborn | Fate::Poison)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses_and_counts_tell_the_same_story() {
        for fate in [Fate::Succeeds { after: 0 }, Fate::Succeeds { after: 2 }, Fate::Stubborn, Fate::Poison] {
            let (mut retries, mut attempt) = (0, 1);
            let dead = loop {
                match fate.exit(attempt) {
                    0 => break false,
                    EX_DATAERR => break true,
                    _ if attempt > RETRIES => break true,
                    _ => (retries, attempt) = (retries + 1, attempt + 1),
                }
            };
            assert_eq!((retries, dead), (fate.retries(), fate.dies()), "{fate:?}");
        }
    }

    #[test]
    fn among_a_few_thousand_ids_every_fate_occurs_in_about_its_share() {
        let fates: Vec<Fate> = (0..5_000).map(|n| Fate::of(format!("shopify-{n}").as_bytes())).collect();
        let share = |wanted: Fate| fates.iter().filter(|fate| **fate == wanted).count();
        assert!((200..400).contains(&share(Fate::Succeeds { after: 1 })));
        assert!((90..220).contains(&share(Fate::Succeeds { after: 2 })));
        assert!((10..60).contains(&share(Fate::Stubborn)));
        assert!((5..50).contains(&share(Fate::Poison)));
    }
}

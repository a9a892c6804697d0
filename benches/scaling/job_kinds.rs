//! The kinds of jobs that a queue is filled with, and how one is pushed and popped.

use crate::support::resp::{Reply, write};

/// What the jobs of a queue are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ready,
    Delayed,
    /// With 1,000 priorities.
    Priorities,
    /// With 100,000 more that are active, or as many as wait where those are fewer.
    Active,
    /// In 100,000 groups, which take turns.
    Groups,
    /// In as many groups, all of which but one are at their limit.
    GroupsAtLimit,
    /// In as many groups, all of which have used up their rates.
    GroupsAtRate,
    /// Not due, beside a POP that lingers for jobs which are.
    Lingering,
}

pub const KINDS: [Kind; 8] = [
    Kind::Ready,
    Kind::Delayed,
    Kind::Priorities,
    Kind::Active,
    Kind::Groups,
    Kind::GroupsAtLimit,
    Kind::GroupsAtRate,
    Kind::Lingering,
];

const PRIORITIES: usize = 1_000;
const GROUPS: usize = 100_000;

impl Kind {
    /// The heading, and how the kind is called in a sentence.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Ready => "Jobs waiting",
            Kind::Delayed => "Jobs delayed",
            Kind::Priorities => "Jobs waiting, of 1,000 priorities",
            Kind::Active => "Jobs waiting, up to 100,000 more active",
            Kind::Groups => "Jobs waiting, in up to 100,000 groups",
            Kind::GroupsAtLimit => "Jobs waiting, in up to 100,000 groups, all but one at their limit",
            Kind::GroupsAtRate => "Jobs waiting, in up to 100,000 groups, all at their rates",
            Kind::Lingering => "Jobs delayed, beside a POP that lingers for 1,000 ready ones",
        }
    }

    /// In names of files.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Ready => "waiting",
            Kind::Delayed => "delayed",
            Kind::Priorities => "priorities",
            Kind::Active => "active",
            Kind::Groups => "groups",
            Kind::GroupsAtLimit => "groups-at-limit",
            Kind::GroupsAtRate => "groups-at-rate",
            Kind::Lingering => "lingering",
        }
    }

    /// Options of the push with this number.
    pub fn options(self, number: usize) -> Vec<String> {
        let (word, value) = match self {
            Kind::Ready | Kind::Active => return vec![],
            Kind::Delayed | Kind::Lingering => ("DELAY", "1h".to_owned()),
            Kind::Priorities => ("PRIORITY", (number % PRIORITIES).to_string()),
            Kind::Groups | Kind::GroupsAtLimit | Kind::GroupsAtRate => {
                ("GROUP", (number % GROUPS).to_string())
            }
        };
        vec![word.to_owned(), value]
    }

    /// Unlike options.
    pub fn lanes(self) -> usize {
        match self {
            Kind::Ready | Kind::Active | Kind::Delayed | Kind::Lingering => 1,
            Kind::Priorities => PRIORITIES,
            Kind::Groups | Kind::GroupsAtLimit | Kind::GroupsAtRate => GROUPS,
        }
    }

    pub fn is_stored(self) -> bool {
        matches!(self, Kind::Ready | Kind::Delayed)
    }
}

/// A thousand payloads of 200 bytes that do not compress.
pub fn payloads() -> Vec<[u8; 200]> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..1_000).map(|_| std::array::from_fn(|_| byte())).collect()
}

/// Id and token.
pub type Held = (String, String);

/// Of a job in a reply to POP.
pub fn held(job: &Reply) -> Held {
    (job.at(0).text(), job.at(1).int().to_string())
}

pub fn push(wire: &mut Vec<u8>, kind: Kind, number: usize, payload: &[u8]) {
    let options = kind.options(number);
    let mut words: Vec<&[u8]> = vec![b"JOBQ.PUSH", b"q", payload];
    words.extend(options.iter().map(String::as_bytes));
    write(wire, &words);
}

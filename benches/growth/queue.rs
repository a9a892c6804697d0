//! One queue of many jobs: how it is filled, and what is measured of it.

use crate::limits;
use crate::meter::{Longest, Meter};
use crate::resp::{Connection, Reply, write};
use crate::server::Server;
use crate::stats::{self, Call, SlowCall};
use crate::storage::{self, Storage};
use crate::verbs;

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
}

pub const KINDS: [Kind; 6] =
    [Kind::Ready, Kind::Delayed, Kind::Priorities, Kind::Active, Kind::Groups, Kind::GroupsAtLimit];

/// As many are active, where the queue is large enough.
const ACTIVE: usize = 100_000;
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
        }
    }

    /// Options of the push with this number.
    pub fn options(self, number: usize) -> Vec<String> {
        let (word, value) = match self {
            Kind::Ready | Kind::Active => return vec![],
            Kind::Delayed => ("DELAY", "1h".to_owned()),
            Kind::Priorities => ("PRIORITY", (number % PRIORITIES).to_string()),
            Kind::Groups | Kind::GroupsAtLimit => ("GROUP", (number % GROUPS).to_string()),
        };
        vec![word.to_owned(), value]
    }

    /// Unlike options.
    fn lanes(self) -> usize {
        match self {
            Kind::Ready | Kind::Active | Kind::Delayed => 1,
            Kind::Priorities => PRIORITIES,
            Kind::Groups | Kind::GroupsAtLimit => GROUPS,
        }
    }

    fn is_stored(self) -> bool {
        matches!(self, Kind::Ready | Kind::Delayed)
    }
}

pub struct Queue {
    pub kind: Kind,
    pub jobs: usize,
    /// (verb, server CPU in microseconds a call)
    pub verbs: Vec<(&'static str, f64)>,
    pub longest: Longest,
    pub slow_calls: Vec<SlowCall>,
    pub calls: Vec<Call>,
    /// Of the first two kinds.
    pub storage: Option<Storage>,
}

pub fn measure(server: &Server, kind: Kind, jobs: usize) -> Result<Queue, String> {
    let mut control = server.connect()?;
    // Beside telling work from what the machine takes, the first pass has the server use the memory of the second: the
    // first touch of a page may take the host of a virtual machine longer than all calls that need it.
    let first = Meter::of(server);
    pass(&first, &mut control, kind, jobs)?;
    control.call(&[b"FLUSHALL", b"SYNC"])?;
    let list = if kind.is_stored() { Some(storage::list(server, &mut control, jobs)?) } else { None };
    let meter = Meter::of(server);
    stats::begin(&mut control)?;
    let (bytes, verbs) = pass(&meter, &mut control, kind, jobs)?;
    let (slow_calls, calls) = stats::end(&mut control)?;
    let storage = list.map(|list| storage::queue(server, &mut control, bytes, list)).transpose()?;
    Ok(Queue { kind, jobs, verbs, longest: meter.beside(&first), slow_calls, calls, storage })
}

/// Fills the queue and tries each verb; the bytes of a job, and what each verb costs.
fn pass(
    meter: &Meter<'_>,
    control: &mut Connection,
    kind: Kind,
    jobs: usize,
) -> Result<(f64, verbs::Costs), String> {
    let empty = control.info(b"memory", "used_memory")?;
    fill(meter, control, kind, jobs)?;
    let bytes = (control.info(b"memory", "used_memory")? - empty) / jobs as f64;
    let held = if kind == Kind::Active { take(meter, control, jobs)? } else { vec![] };
    let verbs = if kind == Kind::GroupsAtLimit {
        limits::verbs(meter, control, jobs)?
    } else {
        verbs::all(meter, control, kind, jobs, &held)?
    };
    Ok((bytes, verbs))
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

fn fill(meter: &Meter<'_>, control: &mut Connection, kind: Kind, jobs: usize) -> Result<(), String> {
    let payloads = payloads();
    // Few at once where there are many lanes, so that a small queue has as many of them as it has jobs.
    let batch = (jobs / kind.lanes()).clamp(1, 1_000);
    let count = batch.to_string();
    for number in 0..jobs / batch {
        let options = kind.options(number);
        let mut words: Vec<&[u8]> = vec![b"JOBQ.MPUSH", b"q", count.as_bytes()];
        words.extend(payloads.iter().cycle().skip(number).take(batch).map(|payload| &payload[..]));
        words.extend(options.iter().map(String::as_bytes));
        meter.exchange(|| control.call(&words))?;
    }
    Ok(())
}

/// Id and token.
pub type Held = (String, String);

/// Takes up to 100,000 jobs, and puts as many in their place.
fn take(meter: &Meter<'_>, control: &mut Connection, jobs: usize) -> Result<Vec<Held>, String> {
    let wanted = ACTIVE.min(jobs);
    let mut held = Vec::new();
    while held.len() < wanted {
        let some: [&[u8]; 6] = [b"JOBQ.POP", b"q", b"COUNT", b"1000", b"LEASE", b"1h"];
        let (popped, _) = meter.exchange(|| control.call(&some))?;
        held.extend((0..popped.len()).map(|job| self::held(popped.at(job))));
    }
    fill(meter, control, Kind::Active, wanted)?;
    Ok(held)
}

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

//! LIST: the jobs that are in a state as of now, page by page.
//!
//! A page goes through the places where such jobs stand. A job that time moves within its state goes
//! from an earlier place to a later one (what is due joins the line), so no page misses it.

use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::jobq::ready::ready_queue::ReadyCursor;
use crate::domain::jobq::state::job::State;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::view::job_and_stats;
use crate::domain::jobq::view::job_and_stats::JobView;
use crate::domain::jobq::{MAX_NAME_BYTES, MAX_REPLY_BYTES};
use crate::domain::refusal::{Refusal, shown};
use crate::domain::time::UnixMs;
use std::ops::Bound::{Excluded, Unbounded};

/// How many jobs one page looks at, where it looks for some of them.
const SCAN_LIMIT: usize = 10_000;

/// A LIST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<'a> {
    pub state: State,
    /// None is the beginning.
    pub cursor: Option<Cursor>,
    pub count: usize,
    /// Only those of this name.
    pub name: Option<&'a [u8]>,
    /// Only those of this group.
    pub group: Option<&'a [u8]>,
    /// Only those whose last error begins with this.
    pub error: Option<&'a [u8]>,
}

/// Some jobs, and where the next page begins; none when there is no more.
#[derive(Debug, Default)]
pub struct ListPage<'q> {
    pub rows: Vec<JobView<'q>>,
    pub next: Option<Cursor>,
}

/// Where the jobs of a state stand: those that time has moved there, though nobody has touched them,
/// still stand where they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListSource {
    Active,
    Delayed,
    Ready,
    Done,
    /// Those with a KEEP of their own.
    KeptDone,
    Dead,
    KeptDead,
    Blocked,
}

/// Behind which job of which place a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    source: ListSource,
    /// What orders the jobs there; `None` is before the first.
    behind: Option<ListPosition>,
}

/// Two numbers that order the jobs of a lane; in the line also what comes before them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ListPosition {
    at: u64,
    serial: u64,
    rank: Rank,
    /// The group, and whether the job was begun.
    group: Option<(Box<[u8]>, bool)>,
}

impl ListSource {
    const ALL: [(ListSource, char); 8] = [
        (ListSource::Active, 'a'),
        (ListSource::Delayed, 'd'),
        (ListSource::Ready, 'l'),
        (ListSource::Done, 'f'),
        (ListSource::KeptDone, 'g'),
        (ListSource::Dead, 'x'),
        (ListSource::KeptDead, 'y'),
        (ListSource::Blocked, 'b'),
    ];

    /// In the order in which jobs move.
    fn of(state: State) -> &'static [ListSource] {
        match state {
            State::Ready => &[ListSource::Active, ListSource::Delayed, ListSource::Ready],
            State::Delayed => &[ListSource::Delayed],
            State::Active => &[ListSource::Active],
            State::Done => &[ListSource::Done, ListSource::KeptDone],
            State::Blocked => &[ListSource::Blocked],
            State::Dead => &[ListSource::Active, ListSource::Dead, ListSource::KeptDead],
        }
    }

    fn jobs<'q>(
        self,
        queue: &'q Queue,
        behind: Option<ListPosition>,
        group: Option<&[u8]>,
    ) -> Box<dyn Iterator<Item = (ListPosition, Serial)> + 'q> {
        let lane = match self {
            ListSource::Ready => return Box::new(ready_jobs(queue, behind, group)),
            ListSource::Active => Some(queue.by_time(State::Active)),
            ListSource::Delayed => Some(queue.by_time(State::Delayed)),
            ListSource::Blocked => Some(queue.by_time(State::Blocked)),
            ListSource::Done => Some(queue.by_time(State::Done)),
            ListSource::KeptDone => queue.with_own_keep(State::Done),
            ListSource::Dead => Some(queue.by_time(State::Dead)),
            ListSource::KeptDead => queue.with_own_keep(State::Dead),
        };
        let behind = behind.map_or(Unbounded, |order| Excluded((order.at, order.serial)));
        Box::new(
            lane.into_iter()
                .flat_map(move |lane| lane.from(behind))
                .map(|(at, serial)| (ListPosition::of(*at, *serial), *serial)),
        )
    }
}

impl ListPosition {
    fn of(at: UnixMs, serial: Serial) -> Self {
        ListPosition { at, serial, ..ListPosition::default() }
    }
}

fn ready_jobs<'q>(
    queue: &'q Queue,
    behind: Option<ListPosition>,
    group: Option<&[u8]>,
) -> impl Iterator<Item = (ListPosition, Serial)> + use<'q> {
    let mark = behind.map(|ListPosition { at, serial, rank, group }| {
        let started = group.as_ref().is_some_and(|(_, started)| *started);
        ReadyCursor { group: group.map(|(name, _)| name), started, rank, place: (at, serial) }
    });
    let order = |ReadyCursor { group, started, rank, place: (at, serial) }| {
        let group = group.map(|name| (name, started));
        ListPosition { at, serial, rank, group }
    };
    queue.ready.after(mark, group).map(move |(mark, serial)| (order(mark), serial))
}

impl Cursor {
    /// Reads what [`Cursor::text`] wrote for a list of the same state.
    pub fn parse(text: &[u8], state: State) -> Result<Option<Self>, Refusal> {
        if text == b"0" {
            return Ok(None);
        }
        let cursor = std::str::from_utf8(text).ok().and_then(Cursor::read);
        let cursor = cursor.filter(|cursor| ListSource::of(state).contains(&cursor.source));
        cursor.map(Some).ok_or_else(|| {
            let text = shown(text);
            Refusal::err(format!("CURSOR '{text}': give 0, or what the last page of the same state gave"))
        })
    }

    fn read(text: &str) -> Option<Self> {
        let letter = text.chars().next()?;
        let (source, _) = *ListSource::ALL.iter().find(|(_, known)| *known == letter)?;
        let rest = &text[letter.len_utf8()..];
        if rest.is_empty() {
            return Some(Cursor { source, behind: None });
        }
        let mut parts = rest.split('.');
        let mut number = || parts.next()?.parse().ok();
        let (at, serial) = (number()?, number()?);
        let rank = parts.next()?.parse().ok()?;
        let group = match (parts.next(), parts.next()) {
            (None, None) => None,
            (Some(started @ ("b" | "f")), Some(name)) => Some((decode_hex(name)?, started == "b")),
            _ => return None,
        };
        parts
            .next()
            .is_none()
            .then_some(Cursor { source, behind: Some(ListPosition { at, serial, rank, group }) })
    }

    /// As clients carry it from page to page.
    pub fn text(&self) -> String {
        let letter = ListSource::ALL
            .iter()
            .find(|(source, _)| *source == self.source)
            .map_or('a', |(_, letter)| *letter);
        let Some(ListPosition { at, serial, rank, group }) = &self.behind else { return letter.to_string() };
        let mut text = format!("{letter}{at}.{serial}.{rank}");
        if let Some((name, started)) = group {
            text += if *started { ".b." } else { ".f." };
            text.extend(name.iter().map(|byte| format!("{byte:02x}")));
        }
        text
    }
}

/// The bytes that two digits each stand for.
fn decode_hex(digits: &str) -> Option<Box<[u8]>> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) || digits.len() > 2 * MAX_NAME_BYTES {
        return None;
    }
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(pair).collect()
}

/// One page.
pub fn list<'q>(queue: Option<&'q Queue>, list: &List<'_>, now: UnixMs) -> ListPage<'q> {
    let Some(queue) = queue else { return ListPage::default() };
    let now = queue.clamp(now);
    let (mut page, mut bytes, mut looked) = (ListPage::default(), 0, 0);
    let sources = ListSource::of(list.state);
    let begin = list.cursor.as_ref().map_or(sources[0], |cursor| cursor.source);
    let mut behind = match &list.cursor {
        Some(cursor) => cursor.behind.clone(),
        None => first(sources[0], list.state, now),
    };
    let begin = sources.iter().position(|source| *source == begin).unwrap_or(0);
    for source in &sources[begin..] {
        for (order, serial) in source.jobs(queue, behind.clone(), list.group) {
            // The rest of it is of later times still.
            if is_beyond(*source, list.state, order.at, now) {
                break;
            }
            if looked == SCAN_LIMIT || page.rows.len() == list.count || bytes >= MAX_REPLY_BYTES {
                page.next = Some(Cursor { source: *source, behind });
                return page;
            }
            looked += 1;
            behind = Some(order);
            let view = queue.job(serial).and_then(|job| job_and_stats::at(queue, serial, job, now));
            if let Some(view) = view.filter(|view| view.state == list.state && list.matches(view)) {
                bytes += view.job.memory_bytes() - view.job.payload().len();
                page.rows.push(view);
            }
        }
        behind = None;
    }
    page
}

/// Behind what the first page begins: what is due has left the state.
fn first(source: ListSource, state: State, now: UnixMs) -> Option<ListPosition> {
    let timed = matches!(
        (source, state),
        (ListSource::Active, State::Active) | (ListSource::Delayed, State::Delayed)
    );
    timed.then_some(ListPosition::of(now, Serial::MAX))
}

/// Whether this job and all behind it are not due yet, where only those that are due belong to the state.
fn is_beyond(source: ListSource, state: State, at: UnixMs, now: UnixMs) -> bool {
    match (source, state) {
        (ListSource::Active, State::Ready | State::Dead) | (ListSource::Delayed, State::Ready) => at > now,
        _ => false,
    }
}

impl List<'_> {
    fn matches(&self, view: &JobView<'_>) -> bool {
        let name = view.job.name();
        let group = view.job.group().map(|group| &group[..]);
        self.name.is_none_or(|wanted| name == Some(wanted))
            && self.group.is_none_or(|wanted| group == Some(wanted))
            && self.error.is_none_or(|prefix| view.error.unwrap_or_default().starts_with(prefix))
    }
}

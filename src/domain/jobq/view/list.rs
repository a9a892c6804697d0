//! LIST: the jobs that are in a state as of now, page by page.
//!
//! A page goes through the indexes that hold such jobs. A job that time moves within its state goes
//! from an earlier index to a later one (a delayed job joins the ready queue), so no page misses
//! it.

use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::ready::priority_lanes::Rank;
use crate::domain::jobq::ready::ready_queue::ReadyCursor;
use crate::domain::jobq::state::job::JobOptions;
use crate::domain::jobq::state::job_header::State;
use crate::domain::jobq::state::serial::Serial;
use crate::domain::jobq::view::filter::JobFilter;
use crate::domain::jobq::view::job_and_stats;
use crate::domain::jobq::view::job_and_stats::JobView;
use crate::domain::jobq::{MAX_NAME_BYTES, MAX_REPLY_BYTES};
use crate::domain::refusal::{Refusal, shown};
use crate::domain::time::UnixMs;
use std::ops::Bound::{Excluded, Unbounded};

/// How many jobs one page looks at, where it looks for some of them.
const SCAN_LIMIT: usize = 10_000;

/// What a row counts as, beside its texts, in the bytes of a page.
const ROW_BYTES: usize = 56;

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
    /// Only jobs that failed like this.
    pub filter: JobFilter<'a>,
    /// In the reverse order.
    pub newest: bool,
    /// How many bytes of each payload are shown.
    pub payload: Option<usize>,
}

impl List<'_> {
    /// The jobs of a state, without any options.
    pub fn of(state: State) -> Self {
        List {
            state,
            cursor: None,
            count: usize::MAX,
            name: None,
            group: None,
            filter: JobFilter::default(),
            newest: false,
            payload: None,
        }
    }
}

/// Some jobs, and where the next page begins; none when there is no more.
#[derive(Debug, Default)]
pub struct ListPage<'q> {
    pub rows: Vec<JobView<'q>>,
    pub next: Option<Cursor>,
}

/// An index that may hold jobs of a state. A job that time has moved to another state stays in its
/// index until a write moves it.
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

/// The job behind which a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    source: ListSource,
    /// Of a list in the reverse order.
    newest: bool,
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
        newest: bool,
        group: Option<&[u8]>,
    ) -> Box<dyn Iterator<Item = (ListPosition, Serial)> + 'q> {
        let lane = match self {
            ListSource::Ready if newest => return Box::new(newest_ready_jobs(queue, behind, group)),
            ListSource::Ready => return Box::new(ready_jobs(queue, behind, group)),
            ListSource::Active => Some(queue.by_time(State::Active)),
            ListSource::Delayed => Some(queue.by_time(State::Delayed)),
            ListSource::Blocked => Some(queue.by_time(State::Blocked)),
            ListSource::Done => Some(queue.by_time(State::Done)),
            ListSource::KeptDone => queue.with_own_keep(State::Done),
            ListSource::Dead => Some(queue.by_time(State::Dead)),
            ListSource::KeptDead => queue.with_own_keep(State::Dead),
        };
        let position = |(at, serial): &(UnixMs, Serial)| (ListPosition::of(*at, *serial), *serial);
        let behind = behind.map(|position| (position.at, position.serial));
        if newest {
            let end = behind.unwrap_or((UnixMs::MAX, Serial::MAX));
            return Box::new(lane.into_iter().flat_map(move |lane| lane.before(end)).map(position));
        }
        let start = behind.map_or(Unbounded, Excluded);
        Box::new(lane.into_iter().flat_map(move |lane| lane.from(start)).map(position))
    }
}

impl ListPosition {
    fn of(at: UnixMs, serial: Serial) -> Self {
        ListPosition { at, serial, ..ListPosition::default() }
    }
}

impl From<ListPosition> for ReadyCursor {
    fn from(ListPosition { at, serial, rank, group }: ListPosition) -> Self {
        let started = group.as_ref().is_some_and(|(_, started)| *started);
        ReadyCursor { group: group.map(|(name, _)| name), started, rank, place: (at, serial) }
    }
}

impl From<ReadyCursor> for ListPosition {
    fn from(ReadyCursor { group, started, rank, place: (at, serial) }: ReadyCursor) -> Self {
        ListPosition { at, serial, rank, group: group.map(|name| (name, started)) }
    }
}

fn ready_jobs<'q>(
    queue: &'q Queue,
    behind: Option<ListPosition>,
    group: Option<&[u8]>,
) -> impl Iterator<Item = (ListPosition, Serial)> + use<'q> {
    let jobs = queue.ready.after(behind.map(ReadyCursor::from), group);
    jobs.map(|(cursor, serial)| (ListPosition::from(cursor), serial))
}

fn newest_ready_jobs<'q>(
    queue: &'q Queue,
    behind: Option<ListPosition>,
    group: Option<&[u8]>,
) -> impl Iterator<Item = (ListPosition, Serial)> + use<'q> {
    let jobs = queue.ready.before(behind.map(ReadyCursor::from), group);
    jobs.map(|(cursor, serial)| (ListPosition::from(cursor), serial))
}

impl Cursor {
    /// Reads what [`Cursor::text`] wrote for a list of the same state in the same order.
    pub fn parse(text: &[u8], state: State, newest: bool) -> Result<Option<Self>, Refusal> {
        if text == b"0" {
            return Ok(None);
        }
        let cursor = std::str::from_utf8(text).ok().and_then(Cursor::read);
        let is_of_list =
            |cursor: &Cursor| ListSource::of(state).contains(&cursor.source) && cursor.newest == newest;
        cursor.filter(is_of_list).map(Some).ok_or_else(|| {
            let text = shown(text);
            Refusal::err(format!("CURSOR '{text}': give 0, or what the last page of the same state gave"))
        })
    }

    fn read(text: &str) -> Option<Self> {
        let letter = text.chars().next()?;
        let known = letter.to_ascii_lowercase();
        let (source, _) = *ListSource::ALL.iter().find(|(_, letter)| *letter == known)?;
        let newest = letter.is_ascii_uppercase();
        let rest = &text[letter.len_utf8()..];
        if rest.is_empty() {
            return Some(Cursor { source, newest, behind: None });
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
        let behind = Some(ListPosition { at, serial, rank, group });
        parts.next().is_none().then_some(Cursor { source, newest, behind })
    }

    /// As clients carry it from page to page; in upper case for the reverse order.
    pub fn text(&self) -> String {
        let letter = ListSource::ALL
            .iter()
            .find(|(source, _)| *source == self.source)
            .map_or('a', |(_, letter)| if self.newest { letter.to_ascii_uppercase() } else { *letter });
        let Some(ListPosition { at, serial, rank, group }) = &self.behind else { return letter.to_string() };
        let mut text = format!("{letter}{at}.{serial}.{rank}");
        if let Some((name, started)) = group {
            text += if *started { ".b." } else { ".f." };
            text.extend(name.iter().map(|byte| format!("{byte:02x}")));
        }
        text
    }
}

/// Decodes bytes from two hexadecimal digits each.
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
    let (mut page, mut bytes, mut looks) = (ListPage::default(), 0, 0);
    let mut sources = ListSource::of(list.state).to_vec();
    if list.newest {
        sources.reverse();
    }
    let cursor = list.cursor.as_ref();
    let begin = cursor.and_then(|cursor| sources.iter().position(|source| *source == cursor.source));
    let mut behind = cursor.and_then(|cursor| cursor.behind.clone());
    for source in &sources[begin.unwrap_or(0)..] {
        behind = behind.or_else(|| list.start(*source, now));
        for (position, serial) in source.jobs(queue, behind.clone(), list.newest, list.group) {
            if list.is_beyond(*source, position.at, now) {
                break;
            }
            if looks >= SCAN_LIMIT || page.rows.len() == list.count || bytes >= MAX_REPLY_BYTES {
                page.next = Some(Cursor { source: *source, newest: list.newest, behind });
                return page;
            }
            looks += 1;
            behind = Some(position);
            let view = queue.job(serial).and_then(|job| job_and_stats::at(queue, serial, job, now));
            let Some(view) = view.filter(|view| view.state == list.state) else { continue };
            looks += list.filter.cost(view.error) - 1;
            if list.matches(&view) {
                bytes += ROW_BYTES + view.job.options.map_or(0, JobOptions::memory_bytes);
                bytes += view.shown_payload(list.payload).len();
                page.rows.push(view);
            }
        }
        behind = None;
    }
    page
}

impl JobView<'_> {
    /// The first `bytes` of the payload.
    pub fn shown_payload(&self, bytes: Option<usize>) -> &[u8] {
        let payload = self.job.payload();
        &payload[..payload.len().min(bytes.unwrap_or(0))]
    }
}

impl List<'_> {
    /// How the jobs of the state lie among the jobs of a source that time orders.
    fn part_of(&self, source: ListSource) -> Part {
        match (source, self.state) {
            (ListSource::Active, State::Active) | (ListSource::Delayed, State::Delayed) => Part::NotDue,
            (ListSource::Active, State::Ready | State::Dead) | (ListSource::Delayed, State::Ready) => {
                Part::Due
            }
            _ => Part::All,
        }
    }

    /// Behind which position the jobs of a source begin that may be in the state at `now`.
    fn start(&self, source: ListSource, now: UnixMs) -> Option<ListPosition> {
        let skips = if self.newest { Part::Due } else { Part::NotDue };
        (self.part_of(source) == skips).then_some(ListPosition::of(now, Serial::MAX))
    }

    /// Whether neither this job nor any behind it can be in the state at `now`.
    fn is_beyond(&self, source: ListSource, at: UnixMs, now: UnixMs) -> bool {
        match self.part_of(source) {
            Part::Due if !self.newest => at > now,
            Part::NotDue if self.newest => at <= now,
            _ => false,
        }
    }

    fn matches(&self, view: &JobView<'_>) -> bool {
        let group = view.job.group().map(|group| &group[..]);
        self.name.is_none_or(|wanted| view.job.name() == Some(wanted))
            && self.group.is_none_or(|wanted| group == Some(wanted))
            && self.filter.matches(view.error, view.kind)
    }
}

/// Which jobs of a source that time orders belong to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    All,
    /// Those whose time has come.
    Due,
    NotDue,
}

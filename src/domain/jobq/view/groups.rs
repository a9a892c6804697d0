//! GROUP GET and LIST: what groups have of their own, as of now.

use crate::domain::jobq::queue::Queue;
use crate::domain::jobq::state::group_controls::GroupControl;
use crate::domain::jobq::state::pause::Pause;
use crate::domain::time::UnixMs;

/// One group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupView {
    /// Its own; `None` is as the queue says.
    pub concurrency: Option<u32>,
    pub pause: Option<Pause>,
    /// When it may start the next job, if it has used up `group_rate`.
    pub rate_until: Option<UnixMs>,
    /// How many of its jobs are ready, and how many slots it holds, as far as the queue has
    /// advanced.
    pub ready: usize,
    pub held: u32,
}

/// A group and its name.
pub type NamedGroup<'q> = (&'q [u8], GroupView);

/// What a group is like at `now`.
pub fn group(queue: Option<&Queue>, name: &[u8], now: UnixMs) -> GroupView {
    let Some(queue) = queue else { return GroupView::default() };
    let now = queue.clamp(now);
    let known = queue.ready.group(name);
    GroupView {
        ready: known.map_or(0, |group| group.ready()),
        held: known.map_or(0, |group| group.held()),
        ..own(queue, name, queue.group_controls.get(name), now)
    }
}

fn own(queue: &Queue, name: &[u8], control: Option<&GroupControl>, now: UnixMs) -> GroupView {
    GroupView {
        concurrency: control.and_then(|control| control.concurrency),
        pause: control.and_then(|control| control.paused(now)),
        rate_until: queue.group_rate_until(name, now),
        ..GroupView::default()
    }
}

/// The first `count` groups behind `after` that have a CONCURRENCY or PAUSE of their own, of the
/// next 10,000 that differ from the queue in any way; and the last that was looked at, if more
/// follow.
pub fn groups<'q>(
    queue: Option<&'q Queue>,
    after: Option<&[u8]>,
    count: usize,
    now: UnixMs,
) -> (Vec<NamedGroup<'q>>, Option<&'q [u8]>) {
    const SCAN_LIMIT: usize = 10_000;
    let mut rows = Vec::new();
    let Some(queue) = queue else { return (rows, None) };
    let now = queue.clamp(now);
    let mut last = None;
    let mut controls = queue.group_controls.after(after).peekable();
    for _ in 0..SCAN_LIMIT {
        let Some((name, control)) = controls.next() else { break };
        last = Some(&**name);
        let is_shown = control.concurrency.is_some() || control.paused(now).is_some();
        if is_shown {
            rows.push((&**name, own(queue, name, Some(control), now)));
        }
        if rows.len() == count {
            break;
        }
    }
    (rows, last.filter(|_| controls.peek().is_some()))
}

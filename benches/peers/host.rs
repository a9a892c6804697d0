//! What contenders run on: the server, and memcached beside it.

use crate::contender::{Contender, Target};
use crate::memcached::Memcached;
use crate::resp::Connection;
use crate::server::Server;

pub trait Host {
    fn connect(&self) -> Result<Connection, String>;
    /// Forgets all keys.
    fn clear(&self) -> Result<(), String>;
    /// CPU time of the threads that serve commands, in nanoseconds.
    fn cpu(&self) -> Result<u64, String>;
}

impl Host for Server {
    fn connect(&self) -> Result<Connection, String> {
        Server::connect(self)
    }

    fn clear(&self) -> Result<(), String> {
        Server::connect(self)?.call(&[b"FLUSHALL", b"SYNC"]).map(drop)
    }

    fn cpu(&self) -> Result<u64, String> {
        Server::cpu(self)
    }
}

pub struct Hosts {
    pub server: Server,
    /// Where there is one.
    pub memcached: Option<Memcached>,
}

impl Hosts {
    pub fn of(&self, contender: &Contender) -> &dyn Host {
        match (contender.target, &self.memcached) {
            (Target::Memcached, Some(memcached)) => memcached,
            _ => &self.server,
        }
    }
}

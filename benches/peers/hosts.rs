//! The server, and memcached beside it.

use crate::contender::{Contender, Target};
use crate::host::Host;
use crate::memcached::Memcached;
use crate::support::server::Server;

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

//! What a contender runs on.

use crate::support::resp::Connection;
use crate::support::server::Server;

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

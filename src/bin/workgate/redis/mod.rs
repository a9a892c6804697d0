//! The server as the worker reaches it: connections that come back, to one server or to a cluster.

pub mod address;
pub mod cluster;
pub mod connection;
pub mod fetch_connection;
pub mod reconnect_backoff;
mod reply_reader;
pub mod shared_connection;
#[cfg(test)]
pub mod test_server;
pub mod tls;

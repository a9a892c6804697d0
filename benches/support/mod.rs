//! What all benches share: a server, its protocol, the machine, the page that is written.

pub mod machine;
pub mod page;
pub mod resp;
pub mod server;
pub mod targets;

//! What an operator asks for by hand: `workgate push`, `stats`, `dead`, `top` and
//! `health`.

pub mod dead;
pub mod health;
mod json;
pub mod push;
pub mod stats;
pub mod top;

use redis::{Cmd, Value};

use crate::Failure;
use crate::cli::server::ServerArgs;
use crate::redis::connection::{Connection, Fault};
use crate::redis::shared_connection::SharedConnection;
use crate::worker::explained;

/// The server, or its cluster; it is tried once.
async fn open(args: &ServerArgs) -> Result<SharedConnection, Failure> {
    let server = args.open().map_err(Failure::usage)?.with_maps();
    SharedConnection::found(server).await.map_err(failure)
}

fn failure(fault: Fault) -> Failure {
    Failure::of(explained(&fault))
}

/// Something that commands can be sent to.
trait Calls {
    async fn call(&self, command: &Cmd) -> Result<Value, Fault>;
}

impl Calls for SharedConnection {
    async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        SharedConnection::call(self, command).await
    }
}

impl Calls for Connection {
    async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        Connection::call(self, command).await
    }
}

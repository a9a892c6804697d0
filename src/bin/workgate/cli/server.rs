//! Which server: the flags that every subcommand has.

use clap::Args;

use crate::redis::connection::Server;
use crate::redis::tls::TlsFiles;

#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// The server: redis[s]://[user:password@]host[:port][/db], unix:///path,
    /// redis[s]+sentinel://host:port,…/name[/db] or redis[s]+cluster://host:port,…; REDIS_URL
    /// stands in where neither this nor WORKGATE_REDIS is given
    #[arg(
        long,
        value_name = "URL",
        env = "WORKGATE_REDIS",
        hide_env_values = true,
        default_value = "redis://127.0.0.1:6379"
    )]
    pub redis: String,

    #[command(flatten)]
    pub tls: TlsFiles,
}

impl ServerArgs {
    pub fn open(&self) -> Result<Server, String> {
        Server::at(&self.redis, self.tls.clone())
    }
}

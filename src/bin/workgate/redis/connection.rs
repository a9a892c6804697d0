//! Where the server is, a connection that lives once, and why a command has no useful reply.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, ProtocolVersion,
    RedisConnectionInfo, RedisError, ServerErrorKind, TlsCertificates, Value, cmd,
};
use rustls::pki_types::ServerName;
use socket2::{SockRef, Socket, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::redis::address::{Address, Route, sentinel_settings};
use crate::redis::fetch_connection::FetchConnection;
use crate::redis::tls::TlsFiles;
use crate::reply;

/// How long a connection attempt may take.
pub const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How long a command that does not block may take. Beyond it the connection counts as dead.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection may be silent before the operating system probes it, and how often it
/// probes then.
const PROBE_AFTER: Duration = Duration::from_secs(10);
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// How long sent bytes may stay unacknowledged before the connection counts as dead.
const UNACKNOWLEDGED_FOR: Duration = Duration::from_secs(20);

/// Why a command has no useful reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is unknown whether the command ran, or the server cannot run it now: worth trying again.
    Unreachable(String),
    /// The server refused: the error's first word, and its text.
    Refused { code: String, text: String },
}

impl Fault {
    /// Whether the server refused with this word.
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Fault::Refused { code, .. } if code == word)
    }

    pub fn refused(code: &str, text: String) -> Self {
        Fault::Refused { code: code.into(), text }
    }

    /// A reply that does not have the shape its command promises.
    pub fn unexpected(command: &str, reply: &Value) -> Self {
        // A reply may hold payloads.
        let shown: String = format!("{reply:?}").chars().take(200).collect();
        Fault::Refused {
            code: "REPLY".into(),
            text: format!("{command} answered {shown}, which this worker does not understand"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unreachable(text) => f.write_str(text),
            Fault::Refused { code, text } => write!(f, "{code} {text}"),
        }
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            // The server is starting, failing over or resharding, and will be back.
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                // A slot that is on its way to another node.
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask,
            )
            | ErrorKind::ClusterConnectionNotFound
            | ErrorKind::Io
            | ErrorKind::Parse => Fault::Unreachable(error.to_string()),
            // A wait that the server ended because its role changed, a script that runs too long, a
            // primary that waits for its replicas, one that cannot write to its disk.
            _ if matches!(error.code(), Some("UNBLOCKED" | "BUSY" | "NOREPLICAS" | "MISCONF")) => {
                Fault::Unreachable(error.to_string())
            }
            _ => Fault::Refused {
                code: error.code().unwrap_or("ERR").to_owned(),
                text: error.detail().map_or_else(|| error.to_string(), str::to_owned),
            },
        }
    }
}

/// Where the server is; opens nothing by itself.
#[derive(Debug, Clone)]
pub struct Server {
    address: Arc<Address>,
    tls: Arc<TlsFiles>,
}

impl Server {
    /// Refuses an address that cannot be read, and certificates that cannot be read.
    pub fn at(url: &str, tls: TlsFiles) -> Result<Self, String> {
        let address = Address::read(url)?;
        let is_tls = address.places.iter().any(|place| matches!(place.addr(), ConnectionAddr::TcpTls { .. }));
        if tls.are_given() && !is_tls {
            return Err("--tls-ca, --tls-cert and --tls-key are for rediss:// addresses".into());
        }
        if is_tls {
            tls.client_config()?;
        }
        Ok(Server { address: Arc::new(address), tls: Arc::new(tls) })
    }

    /// Another node of its cluster, spoken to alike.
    pub fn at_node(&self, host: &str, port: u16) -> Self {
        let first = self.first();
        let host = host.to_owned();
        let addr = match first.addr() {
            ConnectionAddr::TcpTls { insecure, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: None }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        let address = Address { places: vec![first.clone().set_addr(addr)], route: Route::Direct };
        Server { address: Arc::new(address), tls: self.tls.clone() }
    }

    /// Whose replies tell maps from arrays (RESP3).
    pub fn with_maps(mut self) -> Self {
        let address = Arc::make_mut(&mut self.address);
        for place in &mut address.places {
            let settings = place.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
            *place = place.clone().set_redis_settings(settings);
        }
        self
    }

    /// The places of which any leads to the server.
    pub fn places(&self) -> &[ConnectionInfo] {
        &self.address.places
    }

    pub fn first(&self) -> &ConnectionInfo {
        &self.address.places[0]
    }

    pub fn is_named_a_cluster(&self) -> bool {
        self.address.route == Route::Cluster
    }

    /// What a cluster's connections are opened with.
    pub fn cluster_certificates(&self) -> Result<Option<TlsCertificates>, Fault> {
        match self.first().addr() {
            ConnectionAddr::TcpTls { .. } => {
                self.tls.cluster_certificates().map(Some).map_err(|text| Fault::refused("TLS", text))
            }
            _ => Ok(None),
        }
    }

    /// One connection. With `answer_within` its commands are answered in that time or fail;
    /// without, they wait for as long as the server is there (the operating system probes the
    /// connection).
    pub async fn connect(&self, answer_within: Option<Duration>) -> Result<Connection, Fault> {
        let mut last = Fault::Unreachable("no address".into());
        for place in &self.address.places {
            let connecting = async {
                let addr = self.addr_by(place).await?;
                let connection = self.open(&addr, place.redis_settings(), answer_within).await?;
                if self.is_behind_sentinels() {
                    primary(&addr, &connection.call(&cmd("ROLE")).await?)?;
                }
                Ok(connection)
            };
            match outcome(place, timeout(CONNECT_WITHIN, connecting).await) {
                Err(fault @ Fault::Unreachable(_)) => last = fault,
                decided => return decided,
            }
        }
        Err(last)
    }

    /// One connection for commands that wait as long as they like.
    pub async fn connect_to_fetch(&self) -> Result<FetchConnection, Fault> {
        let mut last = Fault::Unreachable("no address".into());
        for place in &self.address.places {
            let connecting = async {
                let addr = self.addr_by(place).await?;
                let (stream, half) = self.stream_to(&addr).await?;
                let connection = FetchConnection::open(stream, half, place.redis_settings()).await?;
                if self.is_behind_sentinels() {
                    primary(&addr, &connection.call(&cmd("ROLE")).await?)?;
                }
                Ok(connection)
            };
            match outcome(place, timeout(CONNECT_WITHIN, connecting).await) {
                Err(fault @ Fault::Unreachable(_)) => last = fault,
                decided => return decided,
            }
        }
        Err(last)
    }

    fn is_behind_sentinels(&self) -> bool {
        matches!(self.address.route, Route::Sentinel { .. })
    }

    /// Where this place leads to: itself, or the primary that the sentinel there knows.
    async fn addr_by(&self, place: &ConnectionInfo) -> Result<ConnectionAddr, Fault> {
        let Route::Sentinel { primary, login } = &self.address.route else { return Ok(place.addr().clone()) };
        let sentinel = self.open(place.addr(), &sentinel_settings(login), Some(CONNECT_WITHIN)).await?;
        let found = sentinel.call(cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(primary)).await?;
        let pair = reply::array(&found).and_then(|pair| {
            let port = reply::text(pair.get(1)?)?.parse().ok()?;
            Some((reply::text(&pair[0])?.to_owned(), port))
        });
        let Some((host, port)) = pair else {
            return Err(Fault::Unreachable(format!("the sentinel knows no primary '{primary}'")));
        };
        Ok(self.at_node(&host, port).first().addr().clone())
    }

    async fn open(
        &self,
        addr: &ConnectionAddr,
        settings: &RedisConnectionInfo,
        within: Option<Duration>,
    ) -> Result<Connection, Fault> {
        let config = AsyncConnectionConfig::new().set_response_timeout(within);
        let (stream, _) = self.stream_to(addr).await?;
        Ok(connection(MultiplexedConnection::new_with_config(settings, stream, config).await?))
    }

    /// The stream of bytes, and another handle of its socket.
    async fn stream_to(&self, addr: &ConnectionAddr) -> Result<(Box<dyn Stream>, Socket), Fault> {
        match addr {
            ConnectionAddr::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(unreachable)?;
                let half = SockRef::from(&stream).try_clone().map_err(unreachable)?;
                Ok((Box::new(stream), half))
            }
            ConnectionAddr::Tcp(host, port) => {
                let (stream, half) = tcp(host, *port).await?;
                Ok((Box::new(stream), half))
            }
            ConnectionAddr::TcpTls { host, port, .. } => {
                let (stream, half) = tcp(host, *port).await?;
                let tls = self.tls.client_config().map_err(|text| Fault::refused("TLS", text))?;
                let name = ServerName::try_from(host.clone())
                    .map_err(|error| Fault::refused("TLS", format!("{host}: {error}")))?;
                let stream =
                    TlsConnector::from(Arc::new(tls)).connect(name, stream).await.map_err(unreachable)?;
                Ok((Box::new(stream), half))
            }
            _ => Err(Fault::refused("ERR", "this kind of address is not supported".into())),
        }
    }
}

/// Bytes to and from a server.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What became of an attempt to connect by one place; only after an unreachable one is the next
/// one tried.
fn outcome<C>(place: &ConnectionInfo, attempt: Result<Result<C, Fault>, Elapsed>) -> Result<C, Fault> {
    match attempt {
        // The address alone: a URL may hold a password.
        Ok(Err(Fault::Unreachable(text))) => Err(Fault::Unreachable(format!("{}: {text}", place.addr()))),
        Ok(decided) => decided,
        Err(_) => {
            Err(Fault::Unreachable(format!("{}: no connection within {CONNECT_WITHIN:?}", place.addr())))
        }
    }
}

/// A sentinel may name a primary that has just become a replica.
fn primary(addr: &ConnectionAddr, role: &Value) -> Result<(), Fault> {
    match reply::array(role).and_then(|role| reply::text(role.first()?)) {
        Some("master") => Ok(()),
        _ => Err(Fault::Unreachable(format!("{addr} is not a primary any more"))),
    }
}

fn unreachable(error: io::Error) -> Fault {
    Fault::Unreachable(error.to_string())
}

/// Probed by the operating system, so that a server that is gone is noticed without a time-out on
/// replies.
async fn tcp(host: &str, port: u16) -> Result<(TcpStream, Socket), Fault> {
    let stream = TcpStream::connect((host, port)).await.map_err(unreachable)?;
    let probes = TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY).with_retries(3);
    let socket = SockRef::from(&stream);
    let half = stream
        .set_nodelay(true)
        .and_then(|()| socket.set_tcp_keepalive(&probes))
        .and_then(|()| socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_FOR)))
        .and_then(|()| socket.try_clone())
        .map_err(unreachable)?;
    Ok((stream, half))
}

fn connection(
    (connection, driver): (MultiplexedConnection, impl Future<Output = ()> + Send + 'static),
) -> Connection {
    let driver = Arc::new(Driver { task: tokio::spawn(driver) });
    Connection { connection, _driver: driver }
}

/// What moves a connection's bytes; it ends with the last handle of the connection.
#[derive(Debug)]
struct Driver {
    task: JoinHandle<()>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection. Once a call was [`Fault::Unreachable`] it is of no more use.
#[derive(Debug, Clone)]
pub struct Connection {
    connection: MultiplexedConnection,
    /// Ends when the last handle is dropped.
    _driver: Arc<Driver>,
}

impl Connection {
    pub async fn call(&self, command: &Cmd) -> Result<Value, Fault> {
        let mut connection = self.connection.clone();
        Ok(connection.send_packed_command(command).await?.extract_error()?)
    }

    /// Several commands in one write; one reply for each.
    pub async fn call_all(&self, commands: &[Cmd]) -> Result<Vec<Result<Value, Fault>>, Fault> {
        let mut pipeline = redis::Pipeline::with_capacity(commands.len());
        commands.iter().for_each(|command| {
            pipeline.add_command(command.clone());
        });
        let mut connection = self.connection.clone();
        let replies = connection.send_packed_commands(&pipeline, 0, commands.len()).await?;
        Ok(replies.into_iter().map(|reply| reply.extract_error().map_err(Fault::from)).collect())
    }

    /// What the server says of itself.
    pub async fn facts(&self) -> Result<Facts, Fault> {
        Facts::of(self.call(&Facts::question()).await)
    }
}

/// What a worker needs to know of a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    pub is_cluster: bool,
    /// CLIENT UNBLOCK may be sent. Redis 7.0 dies of it when the client has been postponed, by
    /// CLIENT PAUSE or a failover.
    pub can_unblock: bool,
}

impl Facts {
    /// HELLO without an argument changes nothing and is for every user.
    pub fn question() -> Cmd {
        cmd("HELLO")
    }

    /// By the answer to it. A server that refuses it is as one of which nothing is known.
    pub fn of(answer: Result<Value, Fault>) -> Result<Self, Fault> {
        match answer {
            Err(Fault::Refused { .. }) => Ok(Facts::default()),
            answer => Ok(Facts::read(&answer?)),
        }
    }

    fn read(hello: &Value) -> Self {
        let said = |name| reply::field(hello, name).and_then(reply::text);
        let version = said("version").unwrap_or_default();
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
        let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        Facts { is_cluster: said("mode") == Some("cluster"), can_unblock: version >= (7, 2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::shared_connection::SharedConnection;
    use crate::redis::test_server::{Say, TestServer};

    #[tokio::test]
    async fn what_the_server_refuses_is_told_from_what_may_be_tried_again() {
        let fake = TestServer::start(|_, command| match &command[0][..] {
            b"FENCE" => Say::line("-FENCED the job was taken over"),
            b"LOAD" => Say::line("-LOADING Redis is loading the dataset in memory"),
            b"ROLE" => Say::line("-UNBLOCKED force unblock from blocking operation, instance state changed"),
            b"SLOT" => Say::line("-MOVED 7 127.0.0.1:7001"),
            b"REPLICA" => Say::line("-READONLY You can't write against a read only replica."),
            _ => Say::line("+OK"),
        })
        .await;
        let link = SharedConnection::to(fake.server());
        let fault = link.call(&redis::cmd("FENCE")).await.unwrap_err();
        assert!(fault.is("FENCED"), "{fault}");
        assert_eq!(fault.to_string(), "FENCED the job was taken over");
        for word in ["LOAD", "ROLE", "REPLICA", "SLOT"] {
            assert!(matches!(link.call(&redis::cmd(word)).await, Err(Fault::Unreachable(_))), "{word}");
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_worth_another_try() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://{}", free.local_addr().unwrap());
        drop(free);
        let link = SharedConnection::to(Server::at(&url, TlsFiles::default()).unwrap());
        assert!(matches!(link.call(&redis::cmd("PING")).await, Err(Fault::Unreachable(_))));
    }

    #[test]
    fn certificates_are_refused_where_there_is_no_tls_and_where_they_cannot_be_read() {
        let tls = TlsFiles { ca: Some("/nowhere".into()), ..TlsFiles::default() };
        assert!(Server::at("redis://h", tls.clone()).unwrap_err().contains("rediss://"));
        assert!(Server::at("rediss://h", tls).unwrap_err().contains("/nowhere"));
    }

    #[test]
    fn a_redis_7_0_is_never_sent_client_unblock() {
        let hello = |version: &str| {
            let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
            Value::Array(vec![text("version"), text(version), text("mode"), text("cluster")])
        };
        for (version, can_unblock) in [("7.0.15", false), ("6.2.1", false), ("7.2.0", true), ("9.0.1", true)]
        {
            assert_eq!(Facts::read(&hello(version)), Facts { is_cluster: true, can_unblock }, "{version}");
        }
        assert_eq!(Facts::read(&Value::Okay), Facts::default());
    }
}

//! Where the server is, read from a URL.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};

/// The forms that are understood, for error texts.
pub const FORMS: &str = "redis[s]://[user:password@]host[:port][/db], unix:///path, \
    redis[s]+sentinel://[user:password@]host:port,…/name[/db] or redis[s]+cluster://[user:password@]host:port,…";

/// The port of a sentinel that names none.
const SENTINEL_PORT: u16 = 26_379;

/// How the addresses lead to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// One server, or any node of a cluster: the server says which.
    Direct,
    /// Sentinels, which know the primary of this name.
    Sentinel { primary: String, login: Login },
    /// Nodes of a cluster.
    Cluster,
}

/// The user of the sentinels, which need not be that of the server.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Login {
    pub user: Option<String>,
    pub password: Option<String>,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({:?})", self.user)
    }
}

/// What a URL says. Every place has the same user, password and database.
#[derive(Debug, Clone)]
pub struct Address {
    pub places: Vec<ConnectionInfo>,
    pub route: Route,
}

impl Address {
    pub fn read(url: &str) -> Result<Self, String> {
        let fault = |reason: &str| format!("--redis: {reason}; expected {FORMS}");
        let (scheme, rest) = url.split_once("://").ok_or_else(|| fault("no URL"))?;
        let (transport, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        match kind {
            "sentinel" | "cluster" if !matches!(transport, "redis" | "rediss" | "valkey" | "valkeys") => {
                Err(fault("unknown scheme"))
            }
            "sentinel" => sentinel(transport, rest).map_err(|reason| fault(&reason)),
            "cluster" => {
                let parts = Parts::of(rest);
                if !parts.path.is_empty() {
                    return Err(fault("a cluster has no databases"));
                }
                let places = parts.places(transport, "", None).map_err(|reason| fault(&reason))?;
                Ok(Address { places, route: Route::Cluster })
            }
            _ => Ok(Address {
                places: vec![place(url).map_err(|reason| fault(&reason))?],
                route: Route::Direct,
            }),
        }
    }
}

fn sentinel(transport: &str, rest: &str) -> Result<Address, String> {
    let mut parts = Parts::of(rest);
    let (primary, db) = parts.path.split_once('/').unwrap_or((parts.path, ""));
    if primary.is_empty() {
        return Err("the primary's name is missing".into());
    }
    let primary = primary.to_owned();
    let mut login = Login::default();
    let mut others = Vec::new();
    for pair in parts.query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sentinel_user", user)) => login.user = Some(user.to_owned()),
            Some(("sentinel_password", password)) => login.password = Some(password.to_owned()),
            _ => others.push(pair),
        }
    }
    let others = others.join("&");
    parts.query = &others;
    let places = parts.places(transport, db, Some(SENTINEL_PORT))?;
    Ok(Address { places, route: Route::Sentinel { primary, login } })
}

/// `[user:password@]host[:port],host[:port]/path?query`.
struct Parts<'a> {
    login: Option<&'a str>,
    hosts: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Self {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (Some(login), hosts),
            None => (None, authority),
        };
        Parts { login, hosts, path, query }
    }

    fn places(&self, transport: &str, db: &str, port: Option<u16>) -> Result<Vec<ConnectionInfo>, String> {
        let login = self.login.map(|login| format!("{login}@")).unwrap_or_default();
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        let places = self.hosts.split(',').map(|host| {
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            let port = port.filter(|_| !has_port).map(|port| format!(":{port}")).unwrap_or_default();
            place(&format!("{transport}://{login}{host}{port}/{db}{query}"))
        });
        places.collect()
    }
}

fn place(url: &str) -> Result<ConnectionInfo, String> {
    let info = url.into_connection_info().map_err(|error| {
        // The text of the error never holds the URL, which may hold a password.
        error.detail().map_or_else(|| error.to_string(), str::to_owned)
    })?;
    if matches!(info.addr(), ConnectionAddr::TcpTls { insecure: true, .. }) {
        return Err("'#insecure' is not supported: name the server's certificate by --tls-ca".into());
    }
    Ok(info)
}

/// The settings of a connection to a sentinel.
pub fn sentinel_settings(login: &Login) -> RedisConnectionInfo {
    let mut settings = RedisConnectionInfo::default();
    if let Some(user) = &login.user {
        settings = settings.set_username(user);
    }
    if let Some(password) = &login.password {
        settings = settings.set_password(password);
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(address: &Address) -> Vec<String> {
        address.places.iter().map(|place| place.addr().to_string()).collect()
    }

    #[test]
    fn one_server_is_reached_directly() {
        for (url, host) in [
            ("redis://127.0.0.1", "127.0.0.1:6379"),
            ("rediss://u:p@host:7000/3", "host:7000"),
            ("valkey://host:1", "host:1"),
            ("unix:///run/redis.sock", "/run/redis.sock"),
        ] {
            let address = Address::read(url).unwrap();
            assert_eq!((hosts(&address), &address.route), (vec![host.to_owned()], &Route::Direct), "{url}");
        }
    }

    #[test]
    fn sentinels_share_the_login_and_the_database_of_the_primary() {
        let address =
            Address::read("rediss+sentinel://u:p%40@a:1,b/main/2?sentinel_user=s&sentinel_password=t")
                .unwrap();
        assert_eq!(hosts(&address), ["a:1", "b:26379"]);
        let login = Login { user: Some("s".into()), password: Some("t".into()) };
        assert_eq!(address.route, Route::Sentinel { primary: "main".into(), login });
        for place in &address.places {
            let settings = place.redis_settings();
            assert_eq!((settings.username(), settings.password(), settings.db()), (Some("u"), Some("p@"), 2));
            assert!(matches!(place.addr(), ConnectionAddr::TcpTls { .. }));
        }
    }

    #[test]
    fn a_cluster_is_named_by_any_of_its_nodes() {
        let address = Address::read("redis+cluster://a:1,b:2").unwrap();
        assert_eq!((hosts(&address), address.route), (vec!["a:1".into(), "b:2".into()], Route::Cluster));
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_forms_and_without_the_password() {
        for url in [
            "localhost:6379",
            "http://u:secret@h",
            "http+cluster://u:secret@h",
            "redis://u:secret@h:port",
            "redis+sentinel://u:secret@a:1",
            "redis+cluster://u:secret@a:1/2",
            "rediss://u:secret@h#insecure",
        ] {
            let error = Address::read(url).unwrap_err();
            assert!(error.contains("redis[s]://") && !error.contains("secret"), "{url}: {error}");
        }
    }
}

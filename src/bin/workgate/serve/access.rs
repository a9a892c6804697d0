//! Who may ask: anybody of this machine, those with a password, or those whom a proxy in front
//! names.

use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::header::{AUTHORIZATION, HOST, HeaderName, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::cli::listen::AccessArgs;

/// How users are told from others.
#[derive(Debug)]
pub enum Access {
    /// All who reach the address, which is one of this machine.
    Open,
    /// `user:password`.
    Basic(Vec<u8>),
    /// A header with the user's name, from these addresses; from this machine where there are none.
    Proxy { header: HeaderName, from: Vec<IpAddr> },
}

/// Who asks, as far as that is known; stands among the extensions of a request that was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User(pub String);

impl Access {
    pub fn read(args: &AccessArgs) -> Result<Self, String> {
        let pair = match (&args.basic_auth, &args.basic_auth_file) {
            (Some(pair), _) => Some((pair.clone(), "--basic-auth".to_owned())),
            (None, Some(file)) => {
                let name = format!("--basic-auth-file {}", file.display());
                let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
                Some((text.lines().next().unwrap_or_default().to_owned(), name))
            }
            (None, None) => None,
        };
        if let Some((pair, name)) = pair {
            return match pair.split_once(':') {
                Some((user, password)) if !user.is_empty() && !password.is_empty() => {
                    Ok(Access::Basic(pair.into_bytes()))
                }
                _ => Err(format!("{name}: expected USER:PASSWORD, neither of them empty")),
            };
        }
        let Some(name) = &args.proxy_user_header else { return Ok(Access::Open) };
        let header = HeaderName::try_from(name.as_str())
            .map_err(|_| format!("--proxy-user-header '{name}': this is no name of a header"))?;
        Ok(Access::Proxy { header, from: args.proxy_from.clone() })
    }

    pub fn is_open(&self) -> bool {
        matches!(self, Access::Open)
    }

    /// Who asks, or the answer that refuses.
    pub fn user(&self, request: &Request<Body>) -> Result<User, Box<Response>> {
        match self {
            // A site whose name was made to point at this machine is refused by its name.
            Access::Open if !names_this_machine(request.uri(), request.headers()) => Err(refusal(
                StatusCode::MISDIRECTED_REQUEST,
                "the address must be localhost or an IP address, or --basic-auth be given\n",
            )),
            Access::Open => Ok(User("local".into())),
            Access::Basic(pair) => basic(pair, request.headers()).ok_or_else(|| {
                let mut response = refusal(StatusCode::UNAUTHORIZED, "name and password, please\n");
                if let Ok(value) = "Basic realm=\"workgate\", charset=\"UTF-8\"".parse() {
                    response.headers_mut().insert(WWW_AUTHENTICATE, value);
                }
                response
            }),
            Access::Proxy { header, from } => {
                let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
                let is_proxy = peer.is_some_and(|ConnectInfo(peer)| {
                    let ip = peer.ip().to_canonical();
                    if from.is_empty() { ip.is_loopback() } else { from.contains(&ip) }
                });
                let user = request.headers().get(header).filter(|_| is_proxy);
                match user.and_then(|user| user.to_str().ok()).filter(|user| !user.trim().is_empty()) {
                    Some(user) => Ok(User(user.trim().chars().take(100).collect())),
                    None => Err(refusal(StatusCode::FORBIDDEN, "the proxy in front names no user\n")),
                }
            }
        }
    }
}

fn refusal(status: StatusCode, text: &'static str) -> Box<Response> {
    Box::new((status, text).into_response())
}

fn basic(pair: &[u8], headers: &HeaderMap) -> Option<User> {
    let (scheme, given) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let given = STANDARD.decode(given.trim()).ok()?;
    let fits = scheme.eq_ignore_ascii_case("basic") && is_same(&given, pair);
    let user = pair.split(|byte| *byte == b':').next()?;
    fits.then(|| User(String::from_utf8_lossy(user).into_owned()))
}

/// Takes as long for any bytes of one length.
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

fn names_this_machine(uri: &Uri, headers: &HeaderMap) -> bool {
    let host =
        headers.get(HOST).and_then(|host| host.to_str().ok()).or(uri.authority().map(|it| it.as_str()));
    // HTTP/1.0 need not say.
    let Some(host) = host else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)], peer: &str) -> Request<Body> {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let peer: SocketAddr = peer.parse().unwrap();
        request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap()
    }

    fn status(access: &Access, headers: &[(&str, &str)], peer: &str) -> Result<String, u16> {
        let user = access.user(&request(headers, peer));
        user.map(|user| user.0).map_err(|refusal| refusal.status().as_u16())
    }

    #[test]
    fn without_a_password_only_names_of_this_machine_are_answered() {
        for host in ["localhost:9464", "127.0.0.1", "[::1]:9464", "10.0.0.7:80"] {
            assert!(status(&Access::Open, &[("host", host)], "127.0.0.1:5").is_ok(), "{host}");
        }
        for host in ["evil.example", "evil.example:9464", "localhost.evil.example"] {
            assert_eq!(status(&Access::Open, &[("host", host)], "127.0.0.1:5"), Err(421), "{host}");
        }
    }

    #[test]
    fn a_password_is_compared_whole() {
        let args = AccessArgs { basic_auth: Some("ada:a:b".into()), ..AccessArgs::default() };
        let access = Access::read(&args).unwrap();
        let given = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        let asked = |value: &str| status(&access, &[("authorization", value)], "1.2.3.4:5");
        assert_eq!(asked(&given("ada:a:b")), Ok("ada".into()));
        for wrong in
            [given("ada:a"), given("ada:a:bc"), given("bob:a:b"), "Basic ???".into(), "Bearer x".into()]
        {
            assert_eq!(asked(&wrong), Err(401), "{wrong}");
        }
        for wrong in ["ada", ":x", "ada:", ""] {
            let args = AccessArgs { basic_auth: Some(wrong.into()), ..AccessArgs::default() };
            assert!(Access::read(&args).unwrap_err().contains("USER:PASSWORD"));
        }
    }

    #[test]
    fn a_proxys_header_counts_from_the_proxy_alone() {
        let header = Some("X-Forwarded-User".to_owned());
        let mut args = AccessArgs { proxy_user_header: header, ..AccessArgs::default() };
        let ada = [("x-forwarded-user", "ada")];
        let here = Access::read(&args).unwrap();
        assert_eq!(status(&here, &ada, "127.0.0.1:5"), Ok("ada".into()));
        assert_eq!(status(&here, &ada, "10.0.0.9:5"), Err(403));
        assert_eq!(status(&here, &[("x-forwarded-user", " ")], "127.0.0.1:5"), Err(403));
        args.proxy_from = vec!["10.0.0.9".parse().unwrap()];
        let there = Access::read(&args).unwrap();
        assert_eq!(status(&there, &ada, "10.0.0.9:5"), Ok("ada".into()));
        assert_eq!(status(&there, &ada, "[::ffff:10.0.0.9]:5"), Ok("ada".into()));
        assert_eq!(status(&there, &ada, "127.0.0.1:5"), Err(403));
    }
}

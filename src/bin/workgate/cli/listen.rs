//! Flags of what is served over HTTP: where, and to whom.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

/// Who may see what is served.
#[derive(Debug, Clone, Default, Args)]
pub struct AccessArgs {
    /// Who asks for metrics or pages must give this name and password (HTTP basic authentication)
    #[arg(long, value_name = "USER:PASSWORD", hide_env_values = true)]
    pub basic_auth: Option<String>,

    /// A file whose first line is USER:PASSWORD
    #[arg(long, value_name = "FILE", conflicts_with = "basic_auth")]
    pub basic_auth_file: Option<PathBuf>,

    /// The header by which a proxy in front tells who the user is; requests without it are refused
    #[arg(long, value_name = "HEADER", conflicts_with_all = ["basic_auth", "basic_auth_file"])]
    pub proxy_user_header: Option<String>,

    /// The address of that proxy; several may be given. The header counts from there alone
    /// [default: this machine]
    #[arg(long, value_name = "IP", requires = "proxy_user_header")]
    pub proxy_from: Vec<IpAddr>,
}

/// Reads `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`, or a port alone, which is one of this
/// machine.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let port = text.strip_prefix("localhost:").unwrap_or(text);
    if let Ok(port) = port.parse() {
        return Ok(SocketAddr::new(loopback, port));
    }
    text.parse().map_err(|_| {
        format!("'{text}': expected an IP address with a port, as in 127.0.0.1:9464, or a port alone")
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_port_alone_is_one_of_this_machine() {
        for (text, address) in [
            ("9464", "127.0.0.1:9464"),
            ("localhost:9464", "127.0.0.1:9464"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::1]:0", "[::1]:0"),
        ] {
            assert_eq!(super::address(text).unwrap().to_string(), address);
        }
        for text in ["", ":9464", "host:9464", "127.0.0.1", "65536", "localhost"] {
            assert!(super::address(text).unwrap_err().contains("with a port"), "{text}");
        }
    }
}

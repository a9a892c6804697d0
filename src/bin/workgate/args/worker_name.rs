//! What a worker is called: JOBQ.GET and JOBQ.LIST show it with the jobs that it holds.

/// As long as JOBQ.POP takes it.
const LONGEST: usize = 128;

/// Reads `--name`.
pub fn read(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > LONGEST {
        return Err(format!("a worker's name has 1 to {LONGEST} bytes, this one has {}", text.len()));
    }
    if ["also", "rate"].contains(&&*text.to_ascii_lowercase()) {
        return Err(format!("'{text}' cannot be a worker's name: JOBQ.POP has keys behind that word"));
    }
    Ok(text.to_owned())
}

/// `host:pid`, with a host name that is too long cut short.
pub fn own() -> String {
    let uname = rustix::system::uname();
    of(&uname.nodename().to_string_lossy(), std::process::id())
}

fn of(host: &str, pid: u32) -> String {
    let pid = format!(":{pid}");
    let host = if host.is_empty() { "localhost" } else { host };
    let fits = |length: &usize| host.is_char_boundary(*length) && length + pid.len() <= LONGEST;
    let length = (0..=host.len()).rev().find(fits).unwrap_or(0);
    format!("{}{pid}", &host[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_called_by_its_host_and_process() {
        assert_eq!(of("web-1", 42), "web-1:42");
        assert_eq!(of("", 42), "localhost:42");
        assert!(own().ends_with(&format!(":{}", std::process::id())));
    }

    #[test]
    fn whatever_the_host_the_name_fits() {
        for host in ["h".repeat(300), "\u{e4}".repeat(300)] {
            let name = of(&host, u32::MAX);
            assert!(read(&name).is_ok() && name.len() >= 127, "{name}");
        }
    }

    #[test]
    fn a_name_that_a_pop_would_refuse_is_refused_at_once() {
        assert_eq!(read(&"n".repeat(128)), Ok("n".repeat(128)));
        assert!(read("").unwrap_err().contains("1 to 128 bytes"));
        assert!(read(&"n".repeat(129)).unwrap_err().contains("has 129"));
        for word in ["Also", "RATE"] {
            assert!(read(word).unwrap_err().contains("behind that word"));
        }
    }
}

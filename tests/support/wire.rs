//! A cable between two network namespaces that a test unplugs: while it is out, the kernels carry
//! nothing and acknowledge nothing, and neither side hears of it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A port in another network namespace that leads to a server in this one. What goes through
/// crosses the cable there and back.
pub struct Wire {
    name: String,
    /// Addresses of this end and of the other one.
    near: String,
    far: String,
    port: u16,
}

/// Whether the command succeeds.
fn ip(arguments: &str) -> bool {
    let ran = Command::new("ip").args(arguments.split(' ')).output();
    ran.is_ok_and(|ran| ran.status.success())
}

impl Wire {
    /// Lays a cable; `None`, with a line that says so, where that is not allowed.
    pub fn lay() -> Option<Wire> {
        static LAID: AtomicU32 = AtomicU32::new(0);
        // Some tests run in one process.
        let id = std::process::id() * 8 + LAID.fetch_add(1, Ordering::Relaxed);
        let (name, subnet) = (format!("wg{id}"), format!("10.{}.{}", 200 + id % 50, id / 50 % 250));
        let (near, far) = (format!("{subnet}.1"), format!("{subnet}.2"));
        let wire = Wire { name, near, far, port: 0 };
        let (name, near, far) = (&wire.name, &wire.near, &wire.far);
        let is_laid = [
            format!("netns add {name}"),
            format!("link add {name}a type veth peer name {name}b netns {name}"),
            format!("address add {near}/30 dev {name}a"),
            format!("link set {name}a up"),
            format!("-n {name} address add {far}/30 dev {name}b"),
            format!("-n {name} link set {name}b up"),
        ];
        if is_laid.iter().all(|step| ip(step)) {
            return Some(wire);
        }
        println!("skipped: this user may make no network namespaces, or there is no `ip`");
        None
    }

    /// An option of the server that is to be reached.
    pub fn bind(&self) -> String {
        format!("bind 127.0.0.1 {}", self.near)
    }

    /// Leads to this port of this side; returns host and port of the other side.
    pub fn lead_to(&mut self, target: u16) -> String {
        let (near, far) = (self.near.clone(), self.far.clone());
        let space = File::open(format!("/run/netns/{}", self.name)).expect("the namespace");
        let (tell, told) = mpsc::channel();
        // It ends with the process of the test.
        thread::spawn(move || {
            let moved = move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network));
            moved.expect("a thread may enter the namespace");
            let listener = TcpListener::bind((far.as_str(), 0)).expect("a port of the other side");
            let port = listener.local_addr().expect("a bound listener has an address").port();
            tell.send(port).expect("the test waits");
            for here in listener.incoming().flatten() {
                // Threads are of their parent's namespace.
                let Ok(there) = TcpStream::connect((near.as_str(), target)) else { continue };
                for (from, to) in [(&here, &there), (&there, &here)] {
                    let [from, to] = [from, to].map(|side| side.try_clone().expect("a second handle"));
                    thread::spawn(move || carry(from, to));
                }
            }
        });
        self.port = told.recv().expect("the thread listens");
        format!("{} {}", self.far, self.port)
    }

    pub fn unplug(&self) {
        assert!(ip(&format!("link set {}a down", self.name)), "the cable is out");
    }

    pub fn plug_in(&self) {
        assert!(ip(&format!("link set {}a up", self.name)), "the cable is in");
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        ip(&format!("link delete {}a", self.name));
        ip(&format!("netns delete {}", self.name));
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut chunk = [0; 64 * 1024];
    while let Ok(size @ 1..) = from.read(&mut chunk) {
        if to.write_all(&chunk[..size]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

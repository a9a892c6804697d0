//! A stock client reads the replies without knowing of the module.

use redis::{Connection, Value, cmd};

use crate::support::{Server, server};

fn connect(s: &Server, protocol: &str) -> Connection {
    let url = format!("{}?protocol={protocol}", s.url());
    redis::Client::open(url).expect("a valid URL").get_connection().expect("a connection")
}

#[test]
fn a_job_goes_through_a_stock_client_on_either_protocol() {
    let s = server!();
    for protocol in ["resp2", "resp3"] {
        let mut c = connect(&s, protocol);
        let queue = format!("q:{protocol}");
        let pushed: (String, String) =
            cmd("JOBQ.PUSH").arg(&queue).arg(b"\0\xff").arg("ID").arg("a").query(&mut c).expect("a push");
        assert_eq!(pushed, ("a".to_owned(), "NEW".to_owned()));
        // The rest of a row is for those who use groups, names and META.
        let jobs: Vec<Vec<Value>> =
            cmd("JOBQ.POP").arg(&queue).arg("BLOCK").arg("1s").query(&mut c).expect("a pop");
        let [id, Value::Int(token), payload, attempt, ..] = &jobs[0][..] else { panic!("{jobs:?}") };
        let bulk = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
        assert_eq!((id, payload, attempt), (&bulk(b"a"), &bulk(b"\0\xff"), &Value::Int(1)));
        let ok: String = cmd("JOBQ.ACK").arg(&queue).arg("a").arg(*token).query(&mut c).expect("an ack");
        assert_eq!(ok, "OK");
        let none: Vec<Value> = cmd("JOBQ.POP").arg(&queue).query(&mut c).expect("an empty pop");
        assert!(none.is_empty());
    }
}

#[test]
fn a_map_is_a_map_for_a_stock_client() {
    let s = server!();
    for protocol in ["resp2", "resp3"] {
        let mut c = connect(&s, protocol);
        let queue = format!("q:{protocol}");
        let _: Value = cmd("JOBQ.PUSH").arg(&queue).arg("p").query(&mut c).expect("a push");
        let stats: std::collections::HashMap<String, Value> =
            cmd("JOBQ.STATS").arg(&queue).query(&mut c).expect("the counts");
        assert_eq!(stats["ready"], Value::Int(1));
    }
}

#[test]
fn the_word_of_an_error_is_its_code() {
    let s = server!();
    let mut c = connect(&s, "resp2");
    let error = cmd("IDEMP.COMPLETE").arg("k").arg(5).arg("r").query::<Value>(&mut c).expect_err("fenced");
    assert_eq!(error.code(), Some("FENCED"));
}

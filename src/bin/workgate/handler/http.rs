//! `--http`: a request for each job.

use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode, Uri};

use crate::handler::control::{Control, Event};
use crate::handler::exit_status::reason;
use crate::handler::unit::Unit;
use crate::handler::verdict::{Failure, Verdict};
use crate::handler::{ERROR_AT_MOST, HttpTarget, RESULT_AT_MOST};
use crate::job::Job;
use crate::job::in_flight::{Hold, Order};
use crate::web_client::{self, WebClient, with_causes};

/// What a 429 or 503 without `Retry-After` means.
const BUSY_FOR: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Http {
    uri: Uri,
    /// Answers that end a job for good.
    dead: Vec<u16>,
    client: WebClient,
}

/// What came back.
struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Vec<u8>,
    is_cut: bool,
}

impl Http {
    pub fn to(target: HttpTarget) -> Result<Self, String> {
        let uri = web_client::read_url("--http", &target.url)?;
        let client = web_client::open("--http-ca", target.ca)?;
        Ok(Http { uri, dead: target.dead, client })
    }

    /// Runs the job of a unit that has one.
    pub async fn run(&self, mut unit: Unit, mut control: Control) {
        let payload = unit.take_payload(0);
        let request = match request(&self.uri, &unit.jobs()[0], unit.hold(0), payload) {
            Ok(request) => request,
            Err(error) => {
                return unit.end(0, Verdict::dead(format!("no request can be made of it: {error}")));
            }
        };
        let verdict = tokio::select! {
            biased;
            answer = self.send(request) => match answer {
                Ok(answer) => self.judge(answer),
                Err(error) => Verdict::retry(error),
            },
            event = control.next() => match event {
                Event::Order(_, Order::Lost) | Event::Killing => Verdict::Abandoned,
                Event::Order(_, Order::Cancel) => Verdict::retry("cancelled"),
                Event::TimedOut(after) => Verdict::retry(format!("timeout after {after:?}")),
                Event::Stopping => Verdict::release(),
            },
        };
        unit.end(0, verdict);
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, String> {
        let response = self.client.request(request).await.map_err(|error| with_causes(&error))?;
        read(response).await.map_err(|error| with_causes(&error))
    }

    fn judge(&self, answer: Answer) -> Verdict {
        let status = answer.status;
        if status.is_success() {
            if answer.is_cut {
                tracing::warn!(
                    "an answer had more than {RESULT_AT_MOST} bytes: the rest is left out of the result"
                );
            }
            return Verdict::Done(answer.body);
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            return Verdict::Release { delay: answer.retry_after.unwrap_or(BUSY_FOR), progress: None };
        }
        let said = &answer.body[..answer.body.len().min(ERROR_AT_MOST)];
        let failure = Failure::of(reason(&format!("http {}", status.as_u16()), said));
        if self.dead.contains(&status.as_u16()) {
            Verdict::Dead(failure)
        } else {
            Verdict::Retry { failure, delay: answer.retry_after }
        }
    }
}

fn request(uri: &Uri, job: &Job, hold: &Hold, payload: Vec<u8>) -> Result<Request<Full<Bytes>>, String> {
    let mut request = Request::new(Full::new(Bytes::from(payload)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    let numbers = [job.attempt, job.token, job.deadline_ms].map(|number| number.to_string().into_bytes());
    let [attempt, token, deadline_ms] = numbers;
    let trace = hold.traceparent(job.meta.as_deref()).map(String::into_bytes);
    for (name, value) in [
        ("workgate-id", Some(&job.id)),
        ("workgate-queue", Some(&job.queue)),
        ("workgate-attempt", Some(&attempt)),
        ("workgate-token", Some(&token)),
        ("workgate-deadline-ms", Some(&deadline_ms)),
        ("workgate-name", job.name.as_ref()),
        ("workgate-group", job.group.as_ref()),
        ("workgate-meta", job.meta.as_ref()),
        ("workgate-progress", job.progress.as_ref()),
        ("traceparent", trace.as_ref()),
    ] {
        if let Some(value) = value {
            let value =
                HeaderValue::from_bytes(&percent_encoded(value)).map_err(|error| error.to_string())?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    Ok(request)
}

/// Bytes as a header's value: printable ASCII but `%` as it is, all else as `%XX`.
fn percent_encoded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b' '..=b'~' if *byte != b'%' => out.push(*byte),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    out
}

async fn read(mut response: Response<Incoming>) -> Result<Answer, hyper::Error> {
    let status = response.status();
    let retry_after =
        response.headers().get(RETRY_AFTER).and_then(|value| read_retry_after(value.as_bytes()));
    let mut answer = Answer { status, retry_after, body: Vec::new(), is_cut: false };
    // All of it is read, so that the connection can be used again.
    while let Some(frame) = response.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            let room = RESULT_AT_MOST - answer.body.len();
            answer.is_cut |= bytes.len() > room;
            answer.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }
    Ok(answer)
}

/// Seconds, or a date.
fn read_retry_after(value: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::commands::tests::hold;
    use crate::job::tests::job;

    fn http(dead: &[u16]) -> Http {
        Http::to(HttpTarget { url: "http://127.0.0.1:1/".into(), dead: dead.to_vec(), ca: None }).unwrap()
    }

    fn answer(status: u16, retry_after: Option<u64>) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.map(Duration::from_secs),
            body: b"said".to_vec(),
            is_cut: false,
        }
    }

    #[tokio::test]
    async fn each_status_has_its_verdict() {
        let http = http(&[422]);
        assert_eq!(http.judge(answer(201, None)), Verdict::Done(b"said".to_vec()));
        for status in [429, 503] {
            let delay = Duration::from_secs(6);
            assert_eq!(http.judge(answer(status, Some(6))), Verdict::Release { delay, progress: None });
            let delay = BUSY_FOR;
            assert_eq!(http.judge(answer(status, None)), Verdict::Release { delay, progress: None });
        }
        assert_eq!(http.judge(answer(422, None)), Verdict::dead("http 422: said"));
        assert_eq!(http.judge(answer(500, None)), Verdict::retry("http 500: said"));
        let Verdict::Retry { delay, .. } = http.judge(answer(500, Some(9))) else { panic!("no retry") };
        assert_eq!(delay, Some(Duration::from_secs(9)));
    }

    #[test]
    fn any_bytes_of_an_id_stand_in_a_header() {
        let mut job = job(b"");
        job.id = b"a b\0%\xff\r\n".to_vec();
        let request = request(&Uri::from_static("http://h/"), &job, &hold(), b"p".to_vec()).unwrap();
        assert_eq!(request.headers()["workgate-id"], "a b%00%25%FF%0D%0A");
        assert_eq!(request.headers()["workgate-attempt"], "1");
        assert!(!request.headers().contains_key("workgate-name"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(read_retry_after(b"6"), Some(Duration::from_secs(6)));
        assert_eq!(read_retry_after(b"Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        assert!(read_retry_after(later.as_bytes()).unwrap() > Duration::from_secs(90));
        assert_eq!(read_retry_after(b"soon"), None);
    }

    #[test]
    fn a_url_that_is_no_http_is_refused() {
        for url in ["ftp://h/", "/path", "http://", "no url"] {
            let target = HttpTarget { url: url.into(), dead: vec![], ca: None };
            assert!(Http::to(target).is_err(), "{url}");
        }
    }
}

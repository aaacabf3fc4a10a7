//! The console over a real socket, with a cluster that repeats what it was asked.
#![cfg(test)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use net_admin::console::{Answer, AskFn, Begin, Console, Messages, Question, Refusal};
use net_admin::{AdminServer, Pulses, Readiness, ReadyState, ShardCounters, Snapshot, Sources};
use serde_json::{Value, json};

/// A running admin thread of a broker that is ready.
struct Broker {
    readiness: Readiness,
    admin: AdminServer,
}

fn broker(ask: AskFn) -> Broker {
    let readiness = Readiness::default();
    readiness.set(ReadyState::Ready);
    let sources = Sources {
        pulses: Pulses::new(1),
        readiness: readiness.clone(),
        snapshot: Arc::new(|| {
            let shards = vec![ShardCounters::default(); 2];
            Box::pin(async move {
                Some(Snapshot {
                    version: "9.9".to_owned(),
                    shards,
                    ..Snapshot::default()
                })
            })
        }),
    };
    let console = Console {
        ask,
        hosts: vec!["broker.internal".to_owned()],
    };
    let addr = SocketAddr::from(([127, 0, 0, 1], 0));
    let admin = net_admin::start(addr, sources, Some(console)).unwrap();
    Broker { readiness, admin }
}

fn answering(answer: impl Fn(Question) -> Answer + Send + Sync + 'static) -> AskFn {
    Arc::new(move |question| {
        let answer = answer(question);
        Box::pin(async move { answer })
    })
}

/// A cluster that repeats what it was asked.
fn echo() -> AskFn {
    answering(|question| Ok(json!({ "asked": format!("{question:?}") })))
}

fn send(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get_as(addr: SocketAddr, path: &str, headers: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    send(addr, &request)
}

fn get(addr: SocketAddr, path: &str) -> String {
    get_as(addr, path, "Host: localhost:1\r\n")
}

fn status(answer: &str) -> u16 {
    let code = answer.split(' ').nth(1);
    code.unwrap_or_else(|| panic!("no answer: {answer}"))
        .parse()
        .unwrap()
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}

#[test]
fn pages_come_with_a_policy_that_lets_nothing_else_in() {
    let broker = broker(echo());
    let addr = broker.admin.local_addr();
    for (path, kind) in [
        ("/", "text/html"),
        ("/console/main.js", "text/javascript"),
        ("/console/style.css", "text/css"),
        ("/console/icon.svg", "image/svg+xml"),
        ("/api/v1/node", "application/json"),
    ] {
        let answer = get(addr, path).to_ascii_lowercase();
        assert_eq!(status(&answer), 200, "{path}: {answer}");
        assert!(answer.contains(&format!("content-type: {kind}")), "{path}");
        for header in [
            "content-security-policy: default-src 'self';",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(answer.contains(header), "{path} has no {header}");
        }
    }
}

#[test]
fn the_node_is_told_in_counters() {
    let broker = broker(echo());
    let value = body(&get(broker.admin.local_addr(), "/api/v1/node"));
    assert_eq!(value["version"], "9.9");
    assert_eq!(value["state"], "ready");
    assert_eq!(value["shards"].as_array().unwrap().len(), 2);
}

#[test]
fn addresses_become_questions() {
    let broker = broker(echo());
    let addr = broker.admin.local_addr();
    let asked = |path: &str| {
        let answer = get(addr, path);
        assert_eq!(status(&answer), 200, "{answer}");
        body(&answer)["asked"].as_str().unwrap().to_owned()
    };
    assert_eq!(asked("/api/v1/cluster"), "Cluster");
    assert_eq!(asked("/api/v1/configs"), "BrokerConfigs");
    let topics = Question::Topics {
        filter: "a b".to_owned(),
        after: "x".to_owned(),
        limit: 7,
    };
    let path = "/api/v1/topics?filter=a%20b&after=x&limit=7";
    assert_eq!(asked(path), format!("{topics:?}"));
    let topic = Question::Topic {
        name: "a.b".to_owned(),
        from: 100,
        limit: 100,
    };
    assert_eq!(asked("/api/v1/topics/a.b?from=100"), format!("{topic:?}"));
    let groups = Question::Groups {
        filter: "a".to_owned(),
        after: "b/c".to_owned(),
        limit: 5,
    };
    let path = "/api/v1/groups?filter=a&after=b%2Fc&limit=5";
    assert_eq!(asked(path), format!("{groups:?}"));
    let group = Question::Group {
        id: "any/thing \u{e9}".to_owned(),
    };
    let path = "/api/v1/groups/any%2Fthing%20%C3%A9";
    assert_eq!(asked(path), format!("{group:?}"));
    let messages = Question::Messages(Messages {
        topic: "t".to_owned(),
        partition: 3,
        from: Begin::BeforeEnd(50),
        limit: 20,
        key: "k".to_owned(),
        value: "a&b".to_owned(),
        shown_bytes: 9,
    });
    let path = "/api/v1/topics/t/messages?partition=3&from=-50&limit=20&key=k&value=a%26b&bytes=9";
    assert_eq!(asked(path), format!("{messages:?}"));
}

#[test]
fn what_is_out_of_bounds_is_refused_before_anybody_is_asked() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let broker = broker(answering(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Value::Null)
    }));
    let addr = broker.admin.local_addr();
    let long = "x".repeat(300);
    for path in [
        "/api/v1/topics?limit=501",
        "/api/v1/topics?limit=0",
        "/api/v1/topics?limit=many",
        "/api/v1/topics?colour=red",
        "/api/v1/topics/a%2Fb",
        &format!("/api/v1/topics/{long}"),
        &format!("/api/v1/topics/t/messages?key={long}"),
        "/api/v1/topics/t/messages?partition=-1",
        "/api/v1/topics/t/messages?from=middle",
        "/api/v1/topics/t/messages?bytes=1048577",
        "/api/v1/topics/t/messages?key=%ff",
        "/api/v1/groups?limit=501",
        &format!("/api/v1/groups/{}", "g".repeat(1025)),
        &format!("/api/v1/topics?filter={}", "y".repeat(5000)),
    ] {
        let answer = get(addr, path);
        assert_eq!(status(&answer), 400, "{path}: {answer}");
        assert!(body(&answer)["error"].is_string());
    }
    let answer = send(
        addr,
        "POST /api/v1/topics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(status(&answer), 405, "everything is read-only");
    assert_eq!(status(&get(addr, "/console/nothing.js")), 404);
    assert_eq!(status(&get(addr, "/console/..%2F..%2Fetc%2Fpasswd")), 404);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[test]
fn other_names_and_other_sites_are_refused() {
    let broker = broker(echo());
    let addr = broker.admin.local_addr();
    let told = |path: &str, headers: &str| status(&get_as(addr, path, headers));
    let own = format!("Host: {addr}\r\n");
    for path in ["/", "/console/main.js", "/api/v1/node", "/api/v1/topics"] {
        assert_eq!(told(path, &own), 200, "{path}");
        assert_eq!(told(path, "Host: broker.internal:9644\r\n"), 200, "{path}");
        assert_eq!(told(path, "Host: evil.example\r\n"), 403, "{path}");
        let foreign = format!("{own}Origin: http://evil.example\r\n");
        assert_eq!(told(path, &foreign), 403, "{path}");
    }
    let fetched = format!("{own}Sec-Fetch-Site: cross-site\r\n");
    assert_eq!(told("/api/v1/topics", &fetched), 403);
    assert_eq!(told("/", &fetched), 200, "a link leads here");
    // What monitoring asks for by any name stays as it was.
    assert_eq!(told("/readyz", "Host: evil.example\r\n"), 200);
}

#[test]
fn refusals_have_their_status_and_words() {
    let broker = broker(answering(|question| {
        Err(match question {
            Question::Cluster => Refusal::Unavailable("not now".to_owned()),
            Question::BrokerConfigs => Refusal::Invalid("not so".to_owned()),
            _ => Refusal::NotFound("not there".to_owned()),
        })
    }));
    let addr = broker.admin.local_addr();
    for (path, code, words) in [
        ("/api/v1/cluster", 503, "not now"),
        ("/api/v1/configs", 400, "not so"),
        ("/api/v1/topics/t", 404, "not there"),
    ] {
        let answer = get(addr, path);
        assert_eq!(status(&answer), code);
        assert_eq!(body(&answer)["error"], words);
    }
    broker.readiness.set(ReadyState::Stopping);
    let answer = get(addr, "/api/v1/topics/t");
    assert_eq!(status(&answer), 503);
    assert_eq!(body(&answer)["error"], "the broker is stopping");
}

#[test]
fn questions_at_once_are_bounded_and_the_others_go_on() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let ask: AskFn = Arc::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::pending())
    });
    let broker = broker(ask);
    let addr = broker.admin.local_addr();
    let held: Vec<TcpStream> = (0..4)
        .map(|_| {
            let mut stream = TcpStream::connect(addr).unwrap();
            stream
                .write_all(b"GET /api/v1/cluster HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .unwrap();
            stream
        })
        .collect();
    while asked.load(Ordering::Relaxed) < 4 {
        std::thread::yield_now();
    }
    let answer = get(addr, "/api/v1/cluster");
    assert_eq!(status(&answer), 503);
    assert_eq!(body(&answer)["error"], "too many questions at once");
    assert_eq!(asked.load(Ordering::Relaxed), 4);
    assert_eq!(status(&get(addr, "/api/v1/node")), 200);
    assert_eq!(status(&get(addr, "/readyz")), 200);
    drop(held);
    // Whoever hangs up gives the place back.
    loop {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream
            .write_all(b"GET /api/v1/cluster HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let mut answer = [0; 12];
        if stream.read_exact(&mut answer).is_err() {
            break;
        }
    }
    assert!(asked.load(Ordering::Relaxed) > 4);
}

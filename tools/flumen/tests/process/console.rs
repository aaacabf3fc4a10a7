//! The console of a whole broker: what was written is shown, over its own socket.

use serde_json::Value;

use crate::harness::{Node, SMALL_GROUPS, printed};

/// The JSON of an address below `/api/v1/`.
fn asked(node: &Node, path: &str) -> (u16, Value) {
    let path = format!("/api/v1/{path}");
    let page = node.page_of(&path, "localhost").unwrap();
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {page}"));
    (status, value)
}

fn answer(node: &Node, path: &str) -> Value {
    let (status, value) = asked(node, path);
    assert_eq!(status, 200, "{path}: {value}");
    value
}

fn offsets(value: &Value) -> Vec<i64> {
    let messages = value["messages"].as_array().unwrap();
    let offset = |message: &Value| message["offset"].as_i64().unwrap();
    messages.iter().map(offset).collect()
}

#[test]
fn the_console_shows_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &["--shards", "2"]);
    let broker = node.kafka.clone();
    for (name, partitions) in [("orders", "3"), ("audit", "1")] {
        let args = ["topic", "create", name, "-p", partitions, "-b", &broker];
        printed(&args, b"");
    }
    let lines: Vec<String> = (0..100)
        .map(|n| format!("key-{n}\t{{\"number\":{n}}}\n"))
        .collect();
    let produce = |args: &[&str], input: &[u8]| {
        let all = [&["produce", "orders", "-b", &broker], args].concat();
        printed(&all, input);
    };
    let keyed = ["-p", "1", "-f", "%k\\t%v\\n", "-H", "a:b", "-z", "zstd"];
    produce(&keyed, lines.concat().as_bytes());
    produce(&["-p", "2", "-f", "%v{hex}\\n"], b"ff00\n");

    let cluster = answer(&node, "cluster");
    assert_eq!(cluster["brokers"].as_array().unwrap().len(), 1);
    assert!(
        cluster["apis"]
            .as_array()
            .unwrap()
            .contains(&"Fetch".into())
    );

    let topics = answer(&node, "topics");
    let names: Vec<&str> = topics["topics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|topic| topic["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["audit", "orders"]);
    assert!(topics["topics"][1]["bytes"].as_u64().unwrap() > 100);
    let page = answer(&node, "topics?limit=1");
    assert_eq!(
        (&page["next"], &page["total"]),
        (&"audit".into(), &2.into())
    );
    let page = answer(&node, "topics?limit=1&after=audit");
    assert_eq!(
        (&page["topics"][0]["name"], &page["next"]),
        (&"orders".into(), &Value::Null)
    );
    assert_eq!(answer(&node, "topics?filter=DER")["total"], 1);

    let topic = answer(&node, "topics/orders?from=1&limit=1");
    assert_eq!(
        (&topic["partition_count"], &topic["next"]),
        (&3.into(), &2.into())
    );
    assert_eq!(topic["partitions"][0]["high_watermark"], 100);
    assert_eq!(asked(&node, "topics/nothing").0, 404);

    let configs = answer(&node, "topics/orders/configs");
    let retention = |one: &&Value| one["name"] == "retention.ms";
    let configs = configs["configs"].as_array().unwrap();
    assert_eq!(configs.iter().find(retention).unwrap()["origin"], "default");
    let own = answer(&node, "configs");
    let listeners = |one: &&Value| one["name"] == "listeners";
    let own = own["configs"].as_array().unwrap();
    assert!(own.iter().find(listeners).unwrap()["value"].is_string());
    assert_eq!(node.stop("TERM").0, 0);
}

#[test]
fn messages_are_found_by_offset_time_and_text() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &["--shards", "1"]);
    let broker = node.kafka.clone();
    let input: Vec<String> = (0..300)
        .map(|n| format!("{}:key-{n}:value {n}\n", 1_000_000 + n))
        .collect();
    let produce = [
        "produce",
        "t",
        "-f",
        "%d:%k:%v\\n",
        "-z",
        "lz4",
        "-b",
        &broker,
    ];
    printed(&produce, input.concat().as_bytes());
    let read = |query: &str| answer(&node, &format!("topics/t/messages?{query}"));

    let newest = read("from=-3");
    assert_eq!(offsets(&newest), [297, 298, 299]);
    assert_eq!(
        (&newest["next"], &newest["start"]),
        (&300.into(), &0.into())
    );
    assert_eq!(newest["messages"][0]["key"]["text"], "key-297");
    assert_eq!(newest["messages"][0]["timestamp"], 1_000_297);
    assert_eq!(newest["messages"][0]["compression"], "lz4");
    let some = read("from=10&limit=2");
    assert_eq!((offsets(&some), &some["next"]), (vec![10, 11], &12.into()));
    assert_eq!(offsets(&read("from=@1000042&limit=1")), [42]);
    assert_eq!(offsets(&read("from=end")), [0; 0]);
    assert_eq!(offsets(&read("from=999")), [0; 0]);
    let found = read("from=start&value=value%2029&limit=5");
    assert_eq!(offsets(&found), [29, 290, 291, 292, 293]);
    assert_eq!(offsets(&read("from=start&key=key-7&value=77")), [77]);
    let cut = read("from=5&limit=1&bytes=3");
    assert_eq!(cut["messages"][0]["value"]["text"], "val");
    assert_eq!(cut["messages"][0]["value"]["size"], 7);

    assert_eq!(asked(&node, "topics/t/messages?partition=9").0, 404);
    assert_eq!(asked(&node, "topics/nothing/messages").0, 404);
    assert_eq!(node.stop("TERM").0, 0);
}

#[test]
fn groups_are_shown_with_what_they_have_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &SMALL_GROUPS);
    let broker = node.kafka.clone();
    assert_eq!(answer(&node, "groups")["total"], 0);
    assert_eq!(asked(&node, "groups/nobody").0, 404);
    // Looking does not make anything.
    assert_eq!(answer(&node, "topics")["total"], 0);
    printed(&["topic", "create", "t", "-p", "2", "-b", &broker], b"");
    let lines: Vec<String> = (0..10).map(|n| format!("{}:1000:{n}\n", n % 2)).collect();
    let produce = ["produce", "t", "-f", "%p:%d:%v\\n", "-q", "-b", &broker];
    printed(&produce, lines.concat().as_bytes());
    for (group, records) in [("a/b", "3"), ("all", "10")] {
        let consume = ["consume", "t", "-g", group, "-n", records, "-b", &broker];
        printed(&consume, b"");
    }

    let listed = answer(&node, "groups");
    let row = |at: usize| {
        let row = &listed["groups"][at];
        (row["id"].clone(), row["lag"].clone())
    };
    assert_eq!(listed["total"], 2);
    assert_eq!(row(0), ("a/b".into(), 7.into()));
    assert_eq!(row(1), ("all".into(), 0.into()));
    assert_eq!(listed["groups"][0]["state"], "Empty");
    assert_eq!(answer(&node, "groups?filter=LL")["total"], 1);
    assert_eq!(answer(&node, "groups?limit=1")["next"], "a/b");

    let group = answer(&node, "groups/a%2Fb");
    assert_eq!(
        (&group["lag"], &group["member_count"]),
        (&7.into(), &0.into())
    );
    let partitions = group["partitions"].as_array().unwrap();
    assert_eq!(partitions.len(), 2);
    for partition in partitions {
        assert_eq!(partition["end"], 5);
        // Records of 1970.
        assert!(partition["lag_ms"].as_i64().unwrap() > 1_700_000_000_000);
    }
    assert_eq!(asked(&node, "groups/nobody").0, 404);
    assert_eq!(node.stop("TERM").0, 0);
}

/// What may be read without a password is not for everybody who reaches the port.
#[test]
fn on_a_public_address_there_is_a_console_by_name_only() {
    let dir = tempfile::tempdir().unwrap();
    let node = Node::start(dir.path(), &["--console-host", "broker.internal"]);
    for (host, status) in [
        ("localhost", " 200 "),
        ("broker.internal", " 200 "),
        ("evil.example", " 403 "),
    ] {
        let page = node.page_of("/", host).unwrap();
        assert!(
            page.lines().next().unwrap().contains(status),
            "{host}: {page}"
        );
    }
    assert_eq!(node.stop("TERM").0, 0);
    for (hosts, status) in [(&[][..], " 404 "), (&["--console-host", "b"], " 403 ")] {
        let node = Node::start_public(dir.path(), hosts);
        let page = node.page_of("/", "localhost").unwrap();
        assert!(page.lines().next().unwrap().contains(status), "{page}");
        let (code, log) = node.stop("TERM");
        assert_eq!(
            (code, log.contains("no console")),
            (0, hosts.is_empty()),
            "{log}"
        );
    }
}

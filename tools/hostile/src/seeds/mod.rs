//! The first inputs of every target, by the encoders that the broker itself uses.

use std::path::Path;

use cluster_meta::command::create_cluster;
use cluster_meta::log::{Tail, encode_frame};
use cluster_meta::{NodeId, Partition, PartitionRun, Record, TopicId};
use engine_rt::BLOCK_BYTES;
use net_wire::batch::{BatchBuilder, RecordHeader};
use net_wire::codec::{Codec, Codecs};
use net_wire::{ApiKey, RequestHeader, Writer};

use crate::input::part_of;
use crate::target::disk::on_a_machine;
use crate::target::life::{Remains, live};

mod requests;

pub use requests::body as request_body;

/// Seeds of a target, each with a name.
pub fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    match target {
        "frames" => frames(),
        "requests" => requests::all(),
        "responses" => responses(),
        "batches" => batches(),
        "codecs" => codecs(),
        "journal" => named("life", lives().map(|life| journal(&life))),
        "shard" => named("life", lives().map(|life| shard(&life))),
        "damage" => named(
            "patch",
            [vec![0, 0, 0, 0, 0, 0, 1], vec![1, 1, 1, 16, 0, 0]],
        ),
        "segment" => named("life", lives().map(|life| segment(&life))),
        "metadata" => metadata(),
        "superblock" => superblock(),
        "configuration" => configuration(),
        _ => Vec::new(),
    }
}

fn named(name: &str, all: impl IntoIterator<Item = Vec<u8>>) -> Vec<(String, Vec<u8>)> {
    let numbered = all.into_iter().enumerate();
    numbered
        .map(|(number, bytes)| (format!("{name}-{number}"), bytes))
        .collect()
}

/// A message of default values in every version, behind the two bytes that pick it.
fn picking(api: ApiKey, version: i16, body: &[u8]) -> Vec<u8> {
    let number = ApiKey::KNOWN
        .iter()
        .position(|one| *one == api)
        .expect("it is known");
    let mut bytes = vec![number as u8, (version - api.versions().start()) as u8];
    bytes.extend_from_slice(body);
    bytes
}

fn frames() -> Vec<(String, Vec<u8>)> {
    let mut stream = Vec::new();
    for body in [&[1_u8; 20][..], &[2; 300], &[3; 10]] {
        stream.extend((body.len() as u32).to_be_bytes());
        stream.extend_from_slice(body);
    }
    let with = |portions: &[u8], stretch: u16, stream: &[u8]| {
        [&[0][..], &part_of(portions), &stretch.to_le_bytes(), stream].concat()
    };
    let large = [&40_000_u32.to_be_bytes()[..], &[9; 20], &stream].concat();
    named(
        "stream",
        [
            with(&[254], 0, &stream),
            with(&[0, 7, 254], 0, &stream),
            with(&[99], 40_000 - 20, &large),
            with(&[254], 0, b"GET / HTTP/1.1\r\n\r\n"),
        ],
    )
}

fn responses() -> Vec<(String, Vec<u8>)> {
    let all = ApiKey::KNOWN.iter().map(|&api| {
        let version = api.api().version_max;
        let body = net_wire::default_response(api, version).expect("a small message");
        (format!("{api:?}-{version}"), picking(api, version, &body))
    });
    all.collect()
}

fn batches() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for codec in Codec::ALL {
        let mut batch = BatchBuilder::new().codec(codec).producer(5, 0, 3);
        let header = RecordHeader {
            key: b"h",
            value: Some(b"v"),
        };
        batch.append(1_700_000_000_000, Some(b"key"), Some(b"value"), &[header]);
        batch.append(1_700_000_000_001, None, Some(&[b'a'; 200]), &[]);
        batch.append(1_700_000_000_002, Some(b""), None, &[]);
        let bytes = batch.build(&mut Codecs::new()).expect("a batch");
        seeds.push((codec.name().to_owned(), [&[0][..], &bytes].concat()));
    }
    seeds
}

fn codecs() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for codec in Codec::ALL {
        for (name, text) in [("text", b"abcabcabc".to_vec()), ("bomb", vec![0; 100_000])] {
            if codec == Codec::None && name == "bomb" {
                continue;
            }
            let mut small = vec![codec.id(), 16];
            Codecs::new()
                .compress(codec, None, &text, &mut small)
                .expect("it is written");
            seeds.push((format!("{}-{name}", codec.name()), small));
        }
    }
    seeds
}

fn lives() -> [Remains; 2] {
    [
        on_a_machine(|| live(4, false)),
        on_a_machine(|| live(10, true)),
    ]
}

/// Blocks as parts; zeros at the end of a block are not written.
fn parts(file: &[u8]) -> Vec<u8> {
    let used = file
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let mut parts = Vec::new();
    for block in file[..used].chunks(BLOCK_BYTES) {
        let used = block
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        parts.extend(part_of(&block[..used.max(1)]));
    }
    parts
}

fn file<'a>(life: &'a Remains, ends: &str) -> &'a [u8] {
    let ends_so = |path: &Path| path.to_string_lossy().ends_with(ends);
    let found = life.files.iter().find(|(path, _)| ends_so(path));
    found.map_or(&[], |(_, bytes)| bytes)
}

fn journal(life: &Remains) -> Vec<u8> {
    let frames = parts(file(life, ".journal"));
    [&[0][..], &part_of(&frames), &part_of(&[]), &[]].concat()
}

fn shard(life: &Remains) -> Vec<u8> {
    let copies = ["checkpoint.a", "checkpoint.b"].map(|name| part_of(&parts(file(life, name))));
    [&[0][..], &copies[0], &copies[1], &journal(life)[1..]].concat()
}

/// Header, index block and footer of a sealed segment if there is one, and two batches.
fn segment(life: &Remains) -> Vec<u8> {
    let bytes = file(life, "00000000000000000000.segment");
    let blocks = bytes.len() / BLOCK_BYTES;
    let block = |number: usize| bytes.get(number * BLOCK_BYTES..(number + 1) * BLOCK_BYTES);
    let trimmed = |block: &[u8]| {
        let used = block
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        part_of(&block[..used])
    };
    let header = block(0).map_or_else(|| part_of(&[]), &trimmed);
    let index = block(blocks.saturating_sub(2)).map_or_else(|| part_of(&[]), &trimmed);
    let footer = block(blocks.saturating_sub(1)).unwrap_or_default();
    let fields = footer.len().saturating_sub(16);
    let footer = trimmed(&footer[..fields]);
    let batches = net_wire::batch::Batches::new(&life.records[0])
        .flatten()
        .take(2);
    let batches = batches.flat_map(|batch| part_of(batch.bytes()));
    let front = [&[0][..], &header, &index, &footer].concat();
    front.into_iter().chain(batches).collect()
}

fn metadata() -> Vec<(String, Vec<u8>)> {
    let partition = Partition {
        replicas: vec![NodeId(1)],
        leader_epoch_base: 0,
        unclean_starts_base: 0,
        partition_epoch: 0,
    };
    let topic_id = TopicId::from_bytes([7; 16]);
    let changes = [
        Record::TopicCreated {
            topic_id,
            name: "orders".to_owned(),
            number: cluster_meta::TopicNumber(1),
            config_version: 0,
            configs: [("retention.ms".to_owned(), "60000".to_owned())].into(),
            partitions: vec![PartitionRun {
                count: 3,
                partition,
            }],
        },
        Record::UncleanStart { total: 1 },
        Record::ProducerIdBlock { next: 1000 },
        Record::TopicDeleted { topic_id },
        Record::TopicPurged { topic_id },
    ];
    let first = create_cluster("MkU3OEVBNTcwNTJENDM2Qk", NodeId(1));
    let (mut log, mut tail) = encode_frame(Tail::START, &[first]);
    for change in &changes {
        let (frame, next) = encode_frame(tail, std::slice::from_ref(change));
        log.extend(frame);
        tail = next;
    }
    let blocks = parts(&log);
    let short = parts(&log[..3 * BLOCK_BYTES]);
    named(
        "log",
        [
            [&[0][..], &part_of(&blocks)].concat(),
            [&[2][..], &part_of(&blocks), &short].concat(),
            [&[3][..], &part_of(&short), &blocks].concat(),
        ],
    )
}

fn superblock() -> Vec<(String, Vec<u8>)> {
    let fields = |sequence: u64| {
        let mut fields = b"FLUMENDD".to_vec();
        fields.extend(1_u32.to_le_bytes());
        fields.extend(7_i32.to_le_bytes());
        fields.extend(sequence.to_le_bytes());
        fields.extend([1; 48]);
        fields.extend([4; 16]);
        fields
    };
    named(
        "copies",
        [
            [&[16][..], &part_of(&fields(3))].concat(),
            [&[2 | 8 | 16][..], &part_of(&fields(3)), &fields(4)].concat(),
        ],
    )
}

fn configuration() -> Vec<(String, Vec<u8>)> {
    let file = "memory = \"1GiB\"\n[settings]\n\"num.partitions\" = 2\nlog.retention.ms = 5000\n\
                log.cleanup.policy = \"compact, delete\"\nflumen.stall.ms = 20\n\
                fetch.read.path = \"auto\"\ncompression.type = \"zstd\"\n";
    let pairs = (0..40_u8).map(|key| [&[key][..], &part_of(b" 60000 ")].concat());
    let words = (0..40_u8).map(|key| [&[key][..], &part_of(b"compact,delete")].concat());
    let zero = || std::iter::once(vec![0]);
    named(
        "file",
        [
            file.as_bytes().to_vec(),
            zero().chain(pairs).flatten().collect(),
            zero().chain(words).flatten().collect(),
        ],
    )
}

/// A frame as it comes from a socket.
fn whole(api: ApiKey, version: i16, body: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(false);
    let header = RequestHeader {
        api,
        version,
        correlation_id: 7,
        client_id: Some("seed"),
    };
    header.encode(&mut writer);
    let header = writer.finish().expect("a header").bytes;
    [&header[..], body].concat()
}

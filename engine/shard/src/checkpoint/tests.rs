use engine_rt::fs::{self, Durability};
use engine_rt::{BLOCK_BYTES, Buf, sim};
use net_wire::Uuid;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const OWNER: CheckpointOwner = CheckpointOwner {
    disk_id: 7,
    shard: 3,
};

type States = BTreeMap<TopicPartition, Vec<u8>>;

/// A partition's number, and its new state or none.
type Wanted = (u32, Option<Vec<u8>>);

fn id(partition: u32) -> TopicPartition {
    TopicPartition {
        topic_id: Uuid::from_bytes([6; 16]),
        partition,
    }
}

fn position() -> impl Strategy<Value = Position> {
    let numbers = (
        0..=1_u64 << 62,
        0..1_u64 << 50,
        1..=1_u64 << 62,
        any::<u32>(),
    );
    numbers.prop_map(|(generation, block, sequence, prev_crc)| Position {
        generation,
        pos: block * BLOCK_BYTES as u64,
        sequence,
        prev_crc,
    })
}

fn record() -> impl Strategy<Value = Record> {
    let numbers = (0..u64::MAX, 0..=BODY_BYTES_MAX, any::<(bool, u32, u32)>());
    (position(), numbers).prop_map(|(position, (sequence, body_bytes, rest))| {
        let (full, prev_crc, body_crc) = rest;
        Record {
            full,
            prev_crc,
            sequence,
            position,
            body_bytes,
            body_crc,
            crc: 0,
        }
    })
}

fn changes() -> impl Strategy<Value = Vec<Wanted>> {
    vec((0..6_u32, option::of(vec(any::<u8>(), 0..1500))), 0..6)
}

/// Writes a record of these changes.
async fn write(checkpoint: &Checkpoint, position: Position, changes: &[Wanted], full: bool) {
    let mut record = checkpoint.begin(full).await.expect("the disk works");
    for (partition, state) in changes {
        let pushed = match state {
            Some(state) => record.changed(&whole(*partition, state)).await,
            None => record.removed(id(*partition)).await,
        };
        pushed.expect("the disk works");
    }
    record.finish(position).await.expect("the disk works");
}

/// The bytes of these changes in a record.
fn encoded(changes: &[Wanted]) -> Vec<u8> {
    let mut body = Vec::new();
    for (partition, state) in changes {
        let bytes = whole(*partition, state.as_deref().unwrap_or_default());
        if state.is_some() {
            body.push(CHANGED);
            body.extend((bytes.len() as u32).to_le_bytes());
        } else {
            body.push(REMOVED);
        }
        body.extend(bytes);
    }
    body
}

/// A state begins with its partition's id.
fn whole(partition: u32, state: &[u8]) -> Vec<u8> {
    let id = id(partition);
    [&id.topic_id.as_bytes()[..], &partition.to_le_bytes(), state].concat()
}

fn apply(changes: &[Wanted], states: &mut States) {
    for (partition, state) in changes {
        match state {
            Some(state) => states.insert(id(*partition), whole(*partition, state)),
            None => states.remove(&id(*partition)),
        };
    }
}

/// A header with these last fields and the checksum that they have.
fn sealed(record: &Record) -> [u8; HEADER_BYTES] {
    record.encode(OWNER).0
}

fn copy_path() -> PathBuf {
    PathBuf::from("shard").join(NAMES[1])
}

/// Writes records, the first of them full; gives the file's bytes and what stands after each.
async fn written(records: &[(Position, Vec<Wanted>)]) -> (Vec<u8>, Vec<(Position, States)>) {
    fs::create_dir_all(Path::new("shard"))
        .await
        .expect("the disk works");
    let (checkpoint, empty) = Checkpoint::load(Path::new("shard"), OWNER)
        .await
        .expect("the disk works");
    assert!(empty.position.is_none() && checkpoint.wants_full());
    let (mut states, mut after) = (States::new(), Vec::new());
    for (number, (position, changes)) in records.iter().enumerate() {
        write(&checkpoint, *position, changes, number == 0).await;
        apply(changes, &mut states);
        after.push((*position, states.clone()));
    }
    let file = File::open(&copy_path(), OpenOptions::default())
        .await
        .expect("it was written");
    let len = file.len().await.expect("the disk works") as usize;
    let bytes = file
        .read_at(0, len.next_multiple_of(BLOCK_BYTES))
        .await
        .expect("the disk works");
    (bytes[..len].to_vec(), after)
}

/// What is read once the file has these bytes and there is no other copy.
async fn read_back(bytes: &[u8]) -> Option<(Position, States)> {
    let other = PathBuf::from("shard").join(NAMES[0]);
    if fs::exists(&other).await.expect("the disk works") {
        fs::remove_file(&other).await.expect("the disk works");
    }
    let file = File::open(&copy_path(), OpenOptions::default())
        .await
        .expect("it was written");
    let mut blocks = bytes.to_vec();
    blocks.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
    if !blocks.is_empty() {
        let written = file
            .write_at(0, Buf::copy_from_slice(&blocks), Durability::Durable)
            .await;
        written.expect("the disk works");
    }
    file.set_len(bytes.len() as u64)
        .await
        .expect("the disk works");
    let (_, contents) = Checkpoint::load(Path::new("shard"), OWNER)
        .await
        .expect("the disk works");
    contents
        .position
        .map(|position| (position, contents.states))
}

#[test]
fn impossible_numbers_are_refused_whatever_the_checksum_says() {
    let good = Record {
        full: true,
        prev_crc: 0,
        sequence: 1,
        position: Position::START,
        body_bytes: 0,
        body_crc: 0,
        crc: 0,
    };
    let at = |pos, sequence| Position {
        pos,
        sequence,
        ..Position::START
    };
    let read = |record: Record| Record::decode(&sealed(&record), OWNER).is_some();
    assert!(read(good));
    for body_bytes in [u64::MAX, u64::MAX - 83, BODY_BYTES_MAX + 1] {
        assert!(!read(Record { body_bytes, ..good }));
    }
    assert!(!read(Record {
        sequence: u64::MAX,
        ..good
    }));
    for position in [at(1, 1), at(u64::MAX - 4095, 1), at(0, 0), at(0, u64::MAX)] {
        assert!(!read(Record { position, ..good }), "{position:?}");
    }
}

/// A body that is malformed at its end must not take effect by half: position and states are of
/// one moment.
#[test]
fn a_malformed_record_changes_nothing() {
    let mut states = States::from([(id(1), whole(1, b"one"))]);
    let before = states.clone();
    let unknown = [3; 1 + ID_BYTES];
    let ends = [
        &[REMOVED][..],
        &[CHANGED, 200, 0, 0, 0],
        &[CHANGED, 1, 0, 0, 0, 9],
        &unknown,
    ];
    for end in ends {
        let mut body = encoded(&[(1, None), (2, Some(vec![2]))]);
        assert!(decode_changes(&body).is_some());
        body.extend(end);
        assert_eq!(apply_changes(&body, &mut states), None, "{end:?}");
        assert_eq!(states, before);
    }
}

#[test]
fn a_record_of_many_chunks_reads_back() {
    let large = |partition| (partition, Some(vec![partition as u8; CHUNK_BYTES / 2]));
    let changes: Vec<Wanted> = (0..9).map(large).collect();
    let records = vec![
        (Position::START, changes.clone()),
        (Position::START, changes),
    ];
    let (read, after) = sim::run(1, move || async move {
        let (bytes, after) = written(&records).await;
        (read_back(&bytes).await, after)
    });
    assert_eq!(read.map(|(_, states)| states), Some(after[1].1.clone()));
}

/// What was to be in it is dirty no more: the next record says it all.
#[test]
fn a_record_that_was_not_finished_says_nothing_and_the_next_is_full() {
    let (wanted, contents) = sim::run(1, || async {
        let first = [(Position::START, vec![(1, Some(vec![1]))])];
        written(&first).await;
        let dir = Path::new("shard");
        let (checkpoint, _) = Checkpoint::load(dir, OWNER).await.expect("the disk works");
        let before = checkpoint.wants_full();
        let mut record = checkpoint.begin(false).await.expect("the disk works");
        let state = whole(2, &vec![2; 3 * CHUNK_BYTES]);
        record.changed(&state).await.expect("the disk works");
        drop(record);
        let wanted = (before, checkpoint.wants_full());
        let loaded = Checkpoint::load(dir, OWNER).await;
        (wanted, loaded.expect("the disk works").1)
    });
    assert_eq!(wanted, (false, true));
    let partitions: Vec<_> = contents.states.into_keys().collect();
    assert_eq!(partitions, [id(1)]);
}

#[test]
fn records_of_an_older_turn_are_kept_out() {
    let contents = sim::run(1, || async {
        let records = [
            (Position::START, vec![]),
            (Position::START, vec![(1, Some(vec![1]))]),
        ];
        written(&records).await;
        let dir = Path::new("shard");
        let (checkpoint, _) = Checkpoint::load(dir, OWNER).await.expect("the disk works");
        for generation in [8, 9] {
            let position = Position {
                generation,
                ..Position::START
            };
            write(&checkpoint, position, &[], true).await;
        }
        Checkpoint::load(dir, OWNER)
            .await
            .expect("the disk works")
            .1
    });
    assert_eq!(
        contents.position.map(|position| position.generation),
        Some(9)
    );
    assert!(contents.states.is_empty());
}

/// A crash came before the other copy was written: no journal file was used again.
#[test]
fn a_first_record_that_one_copy_has_is_not_needed() {
    for is_lost in [true, false] {
        let world = sim::World::new(1, sim::Options::default());
        let node = world.node("node");
        world.block_on(node, move || async move {
            written(&[(Position::START, vec![])]).await;
            let other = Path::new("shard").join(NAMES[0]);
            if is_lost {
                fs::remove_file(&other).await.expect("the disk works");
            }
        });
        for name in NAMES.iter().skip(usize::from(is_lost)) {
            let path = format!("shard/{name}");
            world.disk(node).spoil(&path, 0).expect("it is there");
        }
        let found = world.block_on(node, || async {
            let loaded = Checkpoint::load(Path::new("shard"), OWNER).await;
            loaded.map(|(checkpoint, found)| (checkpoint.wants_full(), found.position))
        });
        // Where neither copy can be read, nobody knows.
        assert_eq!(found.ok(), is_lost.then_some((true, None)));
    }
}

/// Either copy is enough, also after the other one was lost and the node has lived on.
#[test]
fn each_copy_has_every_record() {
    for lost in 0..2 {
        let positions = sim::run(1, move || async move {
            let generation = |generation| Position {
                generation,
                ..Position::START
            };
            let records = [(generation(1), vec![]), (generation(2), vec![])];
            written(&records).await;
            let dir = Path::new("shard");
            let mut positions = Vec::new();
            for next in [3, 4] {
                let path = dir.join(NAMES[lost]);
                fs::remove_file(&path).await.expect("the disk works");
                let (checkpoint, found) =
                    Checkpoint::load(dir, OWNER).await.expect("the disk works");
                positions.extend(found.position.map(|position| position.generation));
                checkpoint.mend().await;
                assert!(!checkpoint.wants_full());
                write(&checkpoint, generation(next), &[], false).await;
            }
            fs::remove_file(&dir.join(NAMES[1 - lost]))
                .await
                .expect("the disk works");
            let (checkpoint, found) = Checkpoint::load(dir, OWNER).await.expect("the disk works");
            assert!(checkpoint.wants_full());
            positions.extend(found.position.map(|position| position.generation));
            positions
        });
        assert_eq!(positions, [2, 3, 4], "without {}", NAMES[lost]);
    }
}

proptest! {
    #[test]
    fn headers_read_back(
        mut record in record(),
        flips in vec(any::<Index>(), 1..=3),
        cut: Index,
    ) {
        let (mut bytes, crc) = record.encode(OWNER);
        record.crc = crc;
        prop_assert_eq!(Record::decode(&bytes, OWNER), Some(record));
        prop_assert_eq!(Record::decode(&bytes[..cut.index(HEADER_BYTES)], OWNER), None);
        for bit in flips.iter().map(|flip| flip.index(HEADER_BYTES * 8)) {
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        // Two flips of one bit are none.
        prop_assert!(Record::decode(&bytes, OWNER).is_none_or(|read| read == record));
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..200), fields in vec(any::<u8>(), HEADER_BYTES)) {
        let _ = Record::decode(&bytes, OWNER);
        let mut states = States::new();
        if apply_changes(&bytes, &mut states).is_some() {
            prop_assert!(states.values().map(Vec::len).sum::<usize>() <= bytes.len());
        }
        // The same behind a right checksum, up to the owner's fields.
        let mut header = fields;
        header[..28].copy_from_slice(&sealed(&Record {
            full: true,
            prev_crc: 0,
            sequence: 0,
            position: Position::START,
            body_bytes: 0,
            body_crc: 0,
            crc: 0,
        })[..28]);
        let crc = crc32c(&header[..HEADER_BYTES - 4]);
        header[HEADER_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        if let Some(record) = Record::decode(&header, OWNER) {
            prop_assert!(record.position.is_possible());
        }
    }

    #[test]
    fn changes_read_back(changes in changes()) {
        let body = encoded(&changes);
        let (mut read, mut expected) = (States::new(), States::new());
        prop_assert_eq!(apply_changes(&body, &mut read), Some(()));
        apply(&changes, &mut expected);
        prop_assert_eq!(read, expected);
    }

    /// What is read of a damaged file is what one of its records said.
    #[test]
    fn a_damaged_file_reads_as_of_one_record(
        records in vec((position(), changes()), 1..4),
        flips in vec(any::<Index>(), 0..=3),
        cut in option::of(any::<Index>()),
    ) {
        let whole = flips.is_empty() && cut.is_none();
        let (read, after) = sim::run(1, move || async move {
            let (mut bytes, after) = written(&records).await;
            let bits = bytes.len() * 8;
            for bit in flips.iter().map(|flip| flip.index(bits)) {
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            (read_back(&bytes).await, after)
        });
        if whole {
            prop_assert_eq!(read.as_ref(), after.last());
        }
        prop_assert!(read.is_none_or(|read| after.contains(&read)));
    }

    /// Whatever stands behind right checksums, it is refused or gives states within its bytes.
    #[test]
    fn hostile_files_do_not_panic(
        records in vec((record(), vec(any::<u8>(), 0..60), any::<(bool, bool)>()), 0..4),
        full: bool,
    ) {
        let (mut bytes, mut prev_crc, mut sequence) = (Vec::new(), 0, 0);
        for (mut record, body, (fits, linked)) in records {
            record.full = full && bytes.is_empty();
            if linked {
                sequence += 1;
                (record.sequence, record.prev_crc) = (sequence, prev_crc);
            }
            if fits {
                (record.body_bytes, record.body_crc) = (body.len() as u64, crc32c(&body));
            }
            let (header, crc) = record.encode(OWNER);
            prev_crc = crc;
            bytes.extend(header);
            bytes.extend(&body);
            bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
        }
        let len = bytes.len();
        let read = sim::run(1, move || async move {
            written(&[(Position::START, Vec::new())]).await;
            read_back(&bytes).await
        });
        if let Some((position, states)) = read {
            prop_assert!(position.is_possible());
            prop_assert!(states.values().map(Vec::len).sum::<usize>() <= len);
        }
    }
}

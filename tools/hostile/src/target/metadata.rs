//! The metadata log: two copies, each a file of frames, in any state of damage.

use cluster_meta::command::{allocate_producer_ids, renew_ownership, unclean_start};
use cluster_meta::config::StaticConfig;
use cluster_meta::log::{BLOCK_BYTES, LogError, Tail, Verdict, encode_frame, reconcile, scan};
use cluster_meta::{Record, State, encode_records};
use net_wire::batch::crc32c;

use crate::input::Input;

const HEADER_BYTES: usize = 36;
const PARTITIONS_MAX: usize = 1_000_000;

/// Flags, then blocks of copy A, then of copy B.
pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.u8();
    let mut a = blocks(&mut Input::new(input.part()));
    let mut b = if flags & 2 == 0 {
        a.clone()
    } else {
        blocks(&mut input)
    };
    if flags & 1 == 0 {
        mend(&mut a, flags & 4 == 0);
        mend(&mut b, flags & 4 == 0);
    }
    for copy in [&a, &b] {
        let found = scan(copy);
        let end = found.frames.last().map_or(0, |frame| frame.offset);
        assert!(end <= copy.len() as u64);
        if matches!(found.verdict, Verdict::Clean | Verdict::TornTail) && !found.frames.is_empty() {
            assert_ne!(
                reconcile(copy, &[]),
                Ok(None),
                "a lost copy is an empty one"
            );
        }
    }
    if let Ok(Some(chosen)) = reconcile(&a, &b) {
        replay(&chosen.records, chosen.tail);
    }
    let swapped = reconcile(&b, &a);
    let diverged = |error| matches!(error, &LogError::Diverged { .. });
    if let (Ok(Some(one)), Ok(Some(other))) = (reconcile(&a, &b), &swapped) {
        assert_eq!(
            one.records, other.records,
            "the order of the copies is nothing"
        );
    } else if swapped.as_ref().is_err_and(diverged) {
        assert!(reconcile(&a, &b).is_err());
    }
}

/// Records of a log whose checksums hold are refused, or add up to a state: it can be asked
/// everything, and its snapshot gives it again.
fn replay(records: &[Record], tail: Tail) {
    if partitions(records) > PARTITIONS_MAX {
        return;
    }
    let Ok(state) = State::replay(records) else {
        return;
    };
    let fixed = StaticConfig::default();
    for topic in state.topics() {
        let _any = state.effective(topic, &fixed);
        for partition in &topic.partitions {
            assert!(state.leader_epoch(partition) >= 0);
        }
    }
    let (_first, block) = allocate_producer_ids(&state);
    for next in [block, unclean_start(&state), renew_ownership(&state)] {
        let mut state = state.clone();
        // A node without a shard has no ownership to renew.
        if state.ownership().shards > 0 || !matches!(next, Record::Ownership { .. }) {
            state.apply(&next);
        }
    }
    let snapshot = state.snapshot();
    let again = State::replay(&snapshot).expect("a snapshot contradicts nothing");
    assert_eq!(again.snapshot(), snapshot, "a snapshot of the snapshot");
    assert_eq!(tail.offset % BLOCK_BYTES as u64, 0);
    let (file, next) = encode_frame(tail.next_generation(), &snapshot);
    let read = scan(&file);
    assert_eq!((read.verdict, read.tail), (Verdict::Clean, next));
    assert_eq!(
        encode_records(&read.frames[0].records),
        encode_records(&snapshot)
    );
}

/// Partitions that records ask for; memory for all that a few bytes can name is not what this is about.
fn partitions(records: &[Record]) -> usize {
    let runs = records.iter().flat_map(|record| match record {
        Record::TopicCreated { partitions, .. } | Record::PartitionsAdded { partitions, .. } => {
            partitions.as_slice()
        },
        _ => &[],
    });
    runs.map(|run| run.count as usize).sum()
}

fn blocks(input: &mut Input<'_>) -> Vec<u8> {
    let mut file = Vec::new();
    while !input.is_empty() {
        file.extend_from_slice(input.part());
        file.resize(file.len().next_multiple_of(BLOCK_BYTES), 0);
    }
    file
}

/// Makes checksums right, and with `link` also what ties each frame to the one before.
fn mend(file: &mut [u8], link: bool) {
    let (mut at, mut sequence, mut previous) = (0, 1_u64, 0_u32);
    while at + HEADER_BYTES <= file.len() {
        let (header, body) = file[at..].split_at_mut(HEADER_BYTES);
        if !header.starts_with(b"FMET") {
            at += BLOCK_BYTES;
            continue;
        }
        let wanted = u32::from_le_bytes([header[12], header[13], header[14], header[15]]) as usize;
        let len = wanted.min(body.len());
        if link {
            let kind: u16 = if at == 0 { 1 } else { 2 };
            header[4..6].copy_from_slice(&1_u16.to_le_bytes());
            header[6..8].copy_from_slice(&kind.to_le_bytes());
            header[8..12].copy_from_slice(&1_u32.to_le_bytes());
            header[12..16].copy_from_slice(&(len as u32).to_le_bytes());
            header[16..24].copy_from_slice(&sequence.to_le_bytes());
            header[24..28].copy_from_slice(&previous.to_le_bytes());
        }
        header[28..32].copy_from_slice(&crc32c(&body[..len]).to_le_bytes());
        previous = crc32c(&header[..32]);
        header[32..36].copy_from_slice(&previous.to_le_bytes());
        sequence += 1;
        at += (HEADER_BYTES + len).next_multiple_of(BLOCK_BYTES);
    }
}

//! One chain of frames out of two copies of the log.
//!
//! At each place a frame is taken from whichever copy has it whole, so that damage in one copy is
//! made good from the other wherever it lies. The chain ends where neither has a next frame. If a
//! copy holds a later frame all the same, what is missing was durable once: that is corruption and
//! is refused with its place, never cut.

use thiserror::Error;

use super::frame::{BLOCK_BYTES, Header, Place, Tail, place};
use crate::codec::DecodeError;
use crate::record::{Record, decode_records};

/// One of the two copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    /// The first.
    A,
    /// The second.
    B,
}

/// One frame of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Byte position in the file.
    pub offset: u64,
    /// Its sequence.
    pub sequence: u64,
    /// Its records, which take effect together.
    pub records: Vec<Record>,
}

/// How one copy ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing behind the last frame.
    Clean,
    /// A frame that was being written when the node stopped; never acknowledged.
    TornTail,
    /// Damage before the end, or bytes this binary does not know.
    Damaged(LogError),
}

/// What one copy holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The frames up to the end or the damage.
    pub frames: Vec<Frame>,
    /// The place behind them.
    pub tail: Tail,
    /// How they end.
    pub verdict: Verdict,
}

/// The log that a start goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// All records, to be applied in order to an empty state.
    pub records: Vec<Record>,
    /// Where the next frame goes.
    pub tail: Tail,
    /// Copies that lack frames of the chain. Each is rewritten with `image` before a new frame.
    pub repair: Vec<Copy>,
    /// The bytes of the chain; empty when no copy needs repair.
    pub image: Vec<u8>,
    /// Whether a frame that was never acknowledged was cut off the end.
    pub torn: bool,
}

/// Why a log is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogError {
    /// A frame that was durable is whole in no copy.
    #[error("metadata log: frame {sequence} at byte {offset} is damaged in every copy")]
    Corrupt {
        /// Its byte position.
        offset: u64,
        /// Its sequence.
        sequence: u64,
    },
    /// Both copies have a whole frame at the same place, but not the same one.
    #[error("metadata log: the copies hold different frames at byte {offset}")]
    Diverged {
        /// Their byte position.
        offset: u64,
    },
    /// A frame of a newer format than this binary knows.
    #[error("metadata log: frame at byte {offset} has the newer format {format}")]
    NewerFormat {
        /// Its byte position.
        offset: u64,
        /// The format found.
        format: u16,
    },
    /// A whole frame whose records this binary cannot read.
    #[error("metadata log: frame at byte {offset} cannot be read: {why}")]
    Undecodable {
        /// Its byte position.
        offset: u64,
        /// Why not.
        why: DecodeError,
    },
}

/// Reads one copy, as for a dump or a check.
pub fn scan(copy: &[u8]) -> Scan {
    let mut chain = Chain::new(&[copy]);
    let verdict = loop {
        match chain.step() {
            Ok(true) => {},
            Ok(false) => {
                break if chain.torn {
                    Verdict::TornTail
                } else {
                    Verdict::Clean
                };
            },
            Err(damage) => break Verdict::Damaged(damage),
        }
    };
    Scan {
        frames: chain.frames,
        tail: chain.tail,
        verdict,
    }
}

/// The log of two copies; none when neither was ever written. A lost copy is an empty one.
pub fn reconcile(a: &[u8], b: &[u8]) -> Result<Option<Chosen>, LogError> {
    let copies = [a, b];
    let mut chain = Chain::new(&copies);
    while chain.step()? {}
    if chain.frames.is_empty() {
        return Ok(None);
    }
    let names = [Copy::A, Copy::B];
    let lacking = names
        .into_iter()
        .zip(&chain.lacking)
        .filter(|(_, lacks)| **lacks);
    let repair: Vec<Copy> = lacking.map(|(name, _)| name).collect();
    Ok(Some(Chosen {
        image: if repair.is_empty() {
            Vec::new()
        } else {
            chain.image
        },
        records: chain
            .frames
            .into_iter()
            .flat_map(|frame| frame.records)
            .collect(),
        tail: chain.tail,
        repair,
        torn: chain.torn,
    }))
}

/// A walk along the frames of some copies.
struct Chain<'a> {
    copies: Vec<&'a [u8]>,
    tail: Tail,
    frames: Vec<Frame>,
    image: Vec<u8>,
    /// By copy, whether it lacks a frame of the chain.
    lacking: Vec<bool>,
    /// Whether bytes of an unfinished frame stand at the end.
    torn: bool,
}

impl<'a> Chain<'a> {
    fn new(copies: &[&'a [u8]]) -> Self {
        // A generation replaces the one before as a whole, so a copy that still has the older one
        // has nothing to give.
        let first = copies.iter().filter_map(|copy| Header::at(copy, 0));
        let newest = first.max_by_key(|header| header.generation);
        let tail = newest.map_or(Tail::START, |header| Tail {
            generation: header.generation,
            sequence: header.sequence,
            ..Tail::START
        });
        let is_older = |copy: &[u8]| {
            Header::at(copy, 0).is_some_and(|header| header.generation < tail.generation)
        };
        let live = copies
            .iter()
            .map(|copy| if is_older(copy) { &[][..] } else { *copy });
        Self {
            copies: live.collect(),
            tail,
            frames: Vec::new(),
            image: Vec::new(),
            lacking: vec![false; copies.len()],
            torn: false,
        }
    }

    /// Takes the next frame; false at the end.
    fn step(&mut self) -> Result<bool, LogError> {
        let offset = self.tail.offset;
        let places: Vec<Place<'a>> = self
            .copies
            .iter()
            .map(|copy| place(copy, &self.tail))
            .collect();
        let mut chosen: Option<(&'a [u8], &'a [u8], Tail)> = None;
        for (copy, place) in self.copies.iter().zip(&places) {
            match (place, chosen) {
                (Place::Newer(format), _) => {
                    return Err(LogError::NewerFormat {
                        offset,
                        format: *format,
                    });
                },
                (Place::Valid { next, .. }, Some((_, _, other))) if *next != other => {
                    return Err(LogError::Diverged { offset });
                },
                (Place::Valid { payload, next }, None) => chosen = Some((*copy, *payload, *next)),
                _ => {},
            }
        }
        let Some((copy, payload, next)) = chosen else {
            return self.end(&places);
        };
        let records =
            decode_records(payload).map_err(|why| LogError::Undecodable { offset, why })?;
        self.frames.push(Frame {
            offset,
            sequence: self.tail.sequence,
            records,
        });
        self.image.extend(frame_bytes(copy, offset, next.offset));
        for (lacks, place) in self.lacking.iter_mut().zip(&places) {
            *lacks |= !matches!(place, Place::Valid { .. });
        }
        self.tail = next;
        Ok(true)
    }

    fn end(&mut self, places: &[Place<'a>]) -> Result<bool, LogError> {
        let tail = self.tail;
        self.torn = places.iter().any(|place| matches!(place, Place::Bad));
        // A file begins with its snapshot, which is written whole before the file gets its name.
        let unfounded = self.frames.is_empty() && self.torn;
        if unfounded || self.copies.iter().any(|copy| has_later_frame(copy, &tail)) {
            return Err(LogError::Corrupt {
                offset: tail.offset,
                sequence: tail.sequence,
            });
        }
        Ok(false)
    }
}

/// A frame's bytes with its padding. A file that ends inside of the padding is filled up.
fn frame_bytes(copy: &[u8], from: u64, to: u64) -> Vec<u8> {
    let (from, to) = (from as usize, to as usize);
    let mut bytes = copy
        .get(from..to.min(copy.len()))
        .unwrap_or_default()
        .to_vec();
    bytes.resize(to - from, 0);
    bytes
}

/// Whether the copy holds a frame that can only have been written after the end of the chain.
fn has_later_frame(copy: &[u8], tail: &Tail) -> bool {
    let blocks = (0..copy.len() as u64).step_by(BLOCK_BYTES);
    let mut headers = blocks.filter_map(|offset| Header::at(copy, offset));
    headers.any(|later| (later.generation, later.sequence) > (tail.generation, tail.sequence))
}

#[cfg(test)]
mod tests {
    use super::super::encode_frame;
    use super::*;

    /// A log of these many frames, and where each begins.
    fn log(frames: u32) -> (Vec<u8>, Vec<Tail>) {
        write(Tail::START, frames)
    }

    fn write(start: Tail, frames: u32) -> (Vec<u8>, Vec<Tail>) {
        let (mut bytes, mut tails) = (Vec::new(), vec![start]);
        for number in 0..frames {
            // Every third frame takes two blocks.
            let count = if number % 3 == 2 { 500 } else { 1 };
            let records = vec![Record::UncleanStart { total: number + 1 }; count];
            let (frame, next) = encode_frame(*tails.last().unwrap(), &records);
            bytes.extend(frame);
            tails.push(next);
        }
        (bytes, tails)
    }

    fn damage(copy: &mut [u8], tail: &Tail) {
        copy[tail.offset as usize + 40] ^= 0x10;
    }

    #[test]
    fn a_log_reads_back_and_zeros_end_it() {
        let (mut bytes, tails) = log(5);
        bytes.resize(bytes.len() + 3 * BLOCK_BYTES, 0);
        let found = scan(&bytes);
        assert_eq!(found.verdict, Verdict::Clean);
        assert_eq!(found.tail, tails[5]);
        assert_eq!(found.frames.len(), 5);
        let chosen = reconcile(&bytes, &bytes).unwrap().unwrap();
        assert_eq!((chosen.tail, chosen.repair), (tails[5], vec![]));
        assert_eq!(
            chosen.records.last(),
            Some(&Record::UncleanStart { total: 5 })
        );
    }

    #[test]
    fn nothing_was_ever_written() {
        assert_eq!(reconcile(&[], &[0; 8192]), Ok(None));
        assert_eq!(scan(&[]).verdict, Verdict::Clean);
    }

    #[test]
    fn a_torn_tail_is_cut_at_any_byte() {
        let (whole, tails) = log(3);
        let last = tails[2].offset as usize;
        for kept in [0, 1, 16, 36, 4095, 4096, 5000] {
            let mut torn = whole.clone();
            torn[last + kept..].fill(0);
            let found = scan(&torn);
            assert_eq!(found.tail, tails[2], "kept {kept}");
            let expected = if kept == 0 {
                Verdict::Clean
            } else {
                Verdict::TornTail
            };
            assert_eq!(found.verdict, expected, "kept {kept}");
            let chosen = reconcile(&torn, &torn).unwrap().unwrap();
            assert_eq!((chosen.tail, chosen.torn), (tails[2], kept > 0));
            // Whole in one copy is enough: it may have been acknowledged.
            let chosen = reconcile(&torn, &whole).unwrap().unwrap();
            assert_eq!((chosen.tail, chosen.repair), (tails[3], vec![Copy::A]));
            assert_eq!(chosen.image, whole);
        }
    }

    #[test]
    fn damage_before_the_end_is_never_cut() {
        let (whole, tails) = log(5);
        for at in 0..4 {
            let mut bad = whole.clone();
            damage(&mut bad, &tails[at]);
            let corrupt = LogError::Corrupt {
                offset: tails[at].offset,
                sequence: tails[at].sequence,
            };
            assert_eq!(scan(&bad).verdict, Verdict::Damaged(corrupt.clone()));
            assert_eq!(reconcile(&bad, &bad), Err(corrupt.clone()));
            // The other copy is shorter than what this one knew to be durable.
            let short = &whole[..tails[at].offset as usize];
            assert_eq!(reconcile(short, &bad), Err(corrupt));
        }
    }

    #[test]
    fn damage_in_one_copy_is_repaired_from_the_other() {
        let (whole, tails) = log(6);
        let (mut a, mut b) = (whole.clone(), whole.clone());
        damage(&mut a, &tails[0]);
        damage(&mut b, &tails[3]);
        damage(&mut a, &tails[5]);
        let chosen = reconcile(&a, &b).unwrap().unwrap();
        assert_eq!(chosen.tail, tails[6]);
        assert_eq!(chosen.repair, [Copy::A, Copy::B]);
        assert_eq!(chosen.image, whole);
        let chosen = reconcile(&[], &whole).unwrap().unwrap();
        assert_eq!((chosen.tail, chosen.repair), (tails[6], vec![Copy::A]));
    }

    #[test]
    fn frames_behind_the_end_of_another_chain_are_void() {
        let (mut bytes, tails) = log(2);
        // What an earlier life left: a frame of the right sequence that continues another frame.
        let stale = Tail {
            crc: tails[2].crc ^ 1,
            ..tails[2]
        };
        bytes.extend(encode_frame(stale, &[Record::UncleanStart { total: 9 }]).0);
        let found = scan(&bytes);
        assert_eq!((found.tail, found.verdict), (tails[2], Verdict::TornTail));
    }

    #[test]
    fn copies_of_different_logs_are_refused() {
        let (a, _) = log(2);
        let (other, _) = encode_frame(Tail::START, &[Record::UncleanStart { total: 7 }]);
        assert_eq!(reconcile(&a, &other), Err(LogError::Diverged { offset: 0 }));
    }

    #[test]
    fn the_newer_generation_wins() {
        let (old, tails) = log(4);
        let next = tails[4].next_generation();
        let (new, new_tails) = write(next, 1);
        for copies in [[&old, &new], [&new, &old]] {
            let chosen = reconcile(copies[0], copies[1]).unwrap().unwrap();
            assert_eq!(chosen.tail, new_tails[1]);
            assert_eq!(chosen.tail.sequence, tails[4].sequence + 1);
            assert_eq!(chosen.repair.len(), 1);
            assert_eq!(chosen.image, new);
        }
        // Frames of a newer generation whose snapshot is gone are not passed over.
        let (mut grown, _) = write(next, 3);
        damage(&mut grown, &next);
        grown[0] ^= 1;
        assert!(matches!(
            reconcile(&old, &grown),
            Err(LogError::Corrupt { .. })
        ));
    }

    #[test]
    fn records_of_a_newer_version_are_refused() {
        let (mut bytes, tails) = log(1);
        // Kind 200 does not exist.
        let payload = [2, 0, 0, 0, 200, 0];
        bytes.extend(super::super::frame::frame_of(tails[1], &payload).0);
        let why = DecodeError::UnknownKind(200);
        let error = LogError::Undecodable {
            offset: tails[1].offset,
            why,
        };
        assert_eq!(reconcile(&bytes, &bytes), Err(error));
    }
}

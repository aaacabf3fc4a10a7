//! How the memory budget is split, in this one place.
//!
//! | share | for | why so much |
//! |---|---|---|
//! | 1/2 | the newest records of all partitions | what is here is read without the disk, and journals turn over only once it has reached segments |
//! | 1/4 | requests and answers in flight | every connection can have a few large ones without touching the rest |
//! | 1/8 | reads of old data | bounded, so that catching up does not evict what is new |
//! | 1/16 | keys of the partition that is compacted | what does not fit takes another pass; at most `log.cleaner.dedupe.buffer.size` |
//! | 1/16 | journal groups, indexes, producer states, metadata | small by construction; what is left over is slack for the allocator |
//!
//! Journals are disk, not memory, but everything in them that no segment has must be in memory as
//! well: a quarter of the budget keeps them below the newest records' share. Above 512 MiB in all, a
//! longer journal saves no writes and only makes a start after a crash longer.

use super::config::Settings;

/// Smallest budget a node starts with.
pub const MEMORY_BYTES_MIN: u64 = 64 << 20;

/// Most bytes of journal files of a node.
const JOURNAL_BYTES_MAX: u64 = 512 << 20;
/// Largest journal file: the unit in which a journal turns over.
const JOURNAL_FILE_BYTES_MAX: u64 = 64 << 20;
/// Files that a journal has if it is long enough: it turns over in eighths.
const JOURNAL_FILES: u64 = 8;
/// Memory of one reader of old data (`ShardOptions::read_chunks_max`).
const READ_CHUNK_BYTES: u64 = 1 << 20;

/// Smallest journal file: two of the largest frames.
const JOURNAL_FILE_BYTES_MIN: u64 = 2 << 20;
/// Fewest files: with two a journal can turn over, with four it need not wait for it.
const JOURNAL_FILES_MIN: u64 = 4;

/// One shard's shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) tail_bytes: u64,
    pub(super) client_bytes: usize,
    pub(super) read_chunks: usize,
    pub(super) journal_file_bytes: u64,
    pub(super) journal_files: usize,
    /// Taken for the time of a cleaning.
    pub(super) key_bytes_max: u64,
}

impl Shares {
    /// Of a node with so much memory and so many shards. What the operator sets wins.
    pub(super) fn new(memory_bytes: u64, shards: usize, settings: &Settings) -> Self {
        let memory = memory_bytes / shards.max(1) as u64;
        let journal = (memory / 4).min(JOURNAL_BYTES_MAX / shards.max(1) as u64);
        let file_bytes = (journal / JOURNAL_FILES)
            .clamp(JOURNAL_FILE_BYTES_MIN, JOURNAL_FILE_BYTES_MAX)
            .next_multiple_of(1 << 20);
        let file_bytes = settings
            .own("flumen.journal.file.bytes")
            .map_or(file_bytes, |bytes| bytes.next_multiple_of(4096));
        let files = (journal / file_bytes).max(JOURNAL_FILES_MIN);
        Self {
            tail_bytes: settings.own("flumen.tail.bytes").unwrap_or(memory / 2),
            client_bytes: (memory / 4) as usize,
            read_chunks: (memory / 8 / READ_CHUNK_BYTES).max(2) as usize,
            journal_file_bytes: file_bytes,
            journal_files: settings.own("flumen.journal.files.max").unwrap_or(files) as usize,
            key_bytes_max: memory / 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(memory_bytes: u64, shards: usize) -> Shares {
        Shares::new(memory_bytes, shards, &Settings::default())
    }

    #[test]
    fn journals_stay_below_the_newest_records() {
        for memory in [MEMORY_BYTES_MIN, 256 << 20, 1 << 30, 64 << 30] {
            for shards in [1, 2, 4] {
                let shares = shares(memory, shards);
                let journal = shares.journal_file_bytes * shares.journal_files as u64;
                assert!(journal <= shares.tail_bytes, "{memory} {shards} {shares:?}");
                assert!(journal * shards as u64 <= JOURNAL_BYTES_MAX);
                assert!(shares.journal_files >= 4);
            }
        }
    }

    #[test]
    fn the_smallest_budget_is_enough_for_sixteen_cores() {
        let shares = shares(MEMORY_BYTES_MIN, 16);
        assert_eq!(shares.journal_file_bytes, 2 << 20);
        assert_eq!((shares.journal_files, shares.read_chunks), (4, 2));
        assert_eq!((shares.tail_bytes, shares.client_bytes), (2 << 20, 1 << 20));
    }

    #[test]
    fn settings_win() {
        let pairs = [
            ("flumen.journal.file.bytes", "3000000"),
            ("flumen.journal.files.max", "2"),
            ("flumen.tail.bytes", "1048576"),
        ];
        let settings = Settings::from_pairs(pairs).unwrap();
        let shares = Shares::new(1 << 30, 1, &settings);
        assert_eq!(shares.journal_file_bytes, 3_002_368);
        assert_eq!((shares.journal_files, shares.tail_bytes), (2, 1 << 20));
        assert_eq!(shares.key_bytes_max, 64 << 20);
    }
}

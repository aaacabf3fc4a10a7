//! What the console shows of records: a bounded look at one partition.

use std::ops::ControlFlow;
use std::time::Duration;

use engine_rt::{Instant, now};
use net_admin::console::{Begin, Messages};
use net_wire::ErrorCode;
use net_wire::batch::{BatchError, Batches};
use net_wire::codec::{Codec, Codecs};
use serde_json::{Value, json};

use crate::client::{
    ClientError, Cluster, Connection, EARLIEST, Fetch, FetchFrom, Fetched, LATEST, ReadRecord,
    each_record,
};

/// Bytes asked for at a time.
const FETCH_BYTES: i32 = 1 << 20;
/// Bytes that one answer may read through, as they are stored.
const SCANNED_BYTES_MAX: usize = 16 << 20;
/// Bytes that one answer may show of all records.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Bytes that a batch may have when it is decompressed.
const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;
/// Headers shown of a record, and bytes of each name and value.
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 4096;
/// How long one answer may read through records: little that is stored may be much to decompress.
const LOOK_TIME: Duration = Duration::from_secs(2);

/// Records of a partition, with where it begins and ends and where to go on.
pub(super) async fn read(cluster: &Cluster, wanted: &Messages) -> Result<Value, ClientError> {
    let (metadata, topic) = cluster.topic(&wanted.topic, false).await?;
    let leader = cluster.leader(&metadata, &topic, wanted.partition).await?;
    let offset = |timestamp| leader.list_offset(&wanted.topic, wanted.partition, timestamp);
    let (start, end) = (offset(EARLIEST).await?, offset(LATEST).await?);
    let from = match wanted.from {
        Begin::Start => start,
        Begin::End => end,
        Begin::Offset(offset) => offset.clamp(start, end),
        Begin::BeforeEnd(records) => end.saturating_sub(records).max(start),
        Begin::Timestamp(ms) => match offset(ms).await? {
            found if found >= 0 => found,
            _ => end,
        },
    };
    let mut look = Look::new(wanted, from);
    while look.has_room() && look.next < end && now() < look.deadline {
        if !look.read_on(&leader, end).await? {
            break;
        }
    }
    Ok(json!({
        "topic": wanted.topic,
        "partition": wanted.partition,
        "start": start,
        "high_watermark": end,
        "from": from,
        "next": look.next,
        "scanned": look.scanned,
        "scanned_bytes": look.scanned_bytes,
        "unreadable": look.unreadable,
        "messages": look.messages,
    }))
}

struct Look<'a> {
    wanted: &'a Messages,
    codecs: Codecs,
    deadline: Instant,
    /// The offset to go on at.
    next: i64,
    scanned: u64,
    scanned_bytes: usize,
    shown_bytes: usize,
    /// Batches that are larger than may be shown or damaged, by their first offset.
    unreadable: Vec<i64>,
    messages: Vec<Value>,
}

impl<'a> Look<'a> {
    fn new(wanted: &'a Messages, next: i64) -> Self {
        Self {
            wanted,
            codecs: Codecs::new(),
            deadline: now() + LOOK_TIME,
            next,
            scanned: 0,
            scanned_bytes: 0,
            shown_bytes: 0,
            unreadable: Vec::new(),
            messages: Vec::new(),
        }
    }

    fn has_room(&self) -> bool {
        self.messages.len() < self.wanted.limit
            && self.scanned_bytes < SCANNED_BYTES_MAX
            && self.shown_bytes < ANSWER_BYTES_MAX
    }

    /// Reads what follows; false if nothing does.
    async fn read_on(&mut self, leader: &Connection, end: i64) -> Result<bool, ClientError> {
        let before = self.next;
        let fetch = Fetch {
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: FETCH_BYTES,
            partitions: vec![FetchFrom {
                topic: &self.wanted.topic,
                partition: self.wanted.partition,
                offset: self.next,
                max_bytes: FETCH_BYTES,
            }],
        };
        for fetched in leader.fetch(&fetch).await? {
            self.take(&fetched, end)?;
        }
        Ok(self.next > before)
    }

    fn take(&mut self, fetched: &Fetched, end: i64) -> Result<(), ClientError> {
        if fetched.error == ErrorCode::OFFSET_OUT_OF_RANGE {
            // Retention was faster: what is gone is passed over.
            self.next = self.next.max(fetched.log_start_offset);
            return Ok(());
        }
        ClientError::check(fetched.error, None)?;
        for batch in Batches::new(&fetched.records) {
            if now() > self.deadline {
                break;
            }
            let batch = match batch {
                Ok(batch) => batch,
                // The answer's limit may cut the last one off.
                Err(BatchError::Incomplete { .. }) => break,
                Err(_) => return Err(ClientError::Missing("a readable batch")),
            };
            let range = self.next..end;
            let header = *batch.header();
            self.scanned_bytes += batch.bytes().len();
            let mut codecs = std::mem::take(&mut self.codecs);
            let read = each_record(
                &mut codecs,
                &batch,
                range,
                DECOMPRESSED_BYTES_MAX,
                |record| self.show(record),
            );
            self.codecs = codecs;
            match read {
                Ok(ControlFlow::Continue(())) => {},
                Ok(ControlFlow::Break(())) => return Ok(()),
                Err(_) => self.unreadable.push(header.base_offset),
            }
            self.next = self.next.max(header.next_offset());
        }
        Ok(())
    }

    /// Takes a record, if it is wanted; stops behind the last one that there is room for.
    fn show(&mut self, record: &ReadRecord<'_>) -> ControlFlow<()> {
        self.scanned += 1;
        self.next = record.offset + 1;
        let has = |bytes: Option<&[u8]>, part: &str| contains(bytes.unwrap_or_default(), part);
        if has(record.key, &self.wanted.key) && has(record.value, &self.wanted.value) {
            let (message, bytes) = message(record, self.wanted.shown_bytes);
            self.shown_bytes += bytes;
            self.messages.push(message);
        }
        if self.has_room() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}

fn contains(bytes: &[u8], part: &str) -> bool {
    let part = part.as_bytes();
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}

/// A record as JSON, and about how many bytes that is.
fn message(record: &ReadRecord<'_>, most: usize) -> (Value, usize) {
    let mut bytes = 128;
    let mut shown = |field: Option<&[u8]>, most| {
        let (value, len) = field.map_or((Value::Null, 4), |field| part(field, most));
        bytes += len;
        value
    };
    let mut header = |field| shown(field, most.min(HEADER_BYTES_MAX));
    let headers = record.headers.iter().take(HEADERS_MAX);
    let headers: Vec<Value> = headers
        .map(|one| json!({ "key": header(Some(one.key)), "value": header(one.value) }))
        .collect();
    let attributes = record.batch.attributes;
    let message = json!({
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": shown(record.key, most),
        "value": shown(record.value, most),
        "headers": headers,
        "header_count": record.headers.len(),
        "compression": attributes.codec().map(Codec::name),
        "transactional": attributes.is_transactional(),
        "leader_epoch": record.batch.partition_leader_epoch,
        "producer_id": record.batch.producer_id,
    });
    (message, bytes)
}

/// The beginning of a field: text where it is that, else hexadecimal digits; with its whole size.
fn part(field: &[u8], most: usize) -> (Value, usize) {
    let cut = &field[..field.len().min(most)];
    let text = match std::str::from_utf8(cut) {
        Ok(text) => Some(text),
        // The cut may go through a character.
        Err(error) if cut.len() < field.len() && error.error_len().is_none() => {
            std::str::from_utf8(&cut[..error.valid_up_to()]).ok()
        },
        Err(_) => None,
    };
    let size = field.len();
    if let Some(text) = text {
        return (json!({ "size": size, "text": text }), text.len());
    }
    let digits = cut.iter().map(|byte| format!("{byte:02x}"));
    let hex = digits.collect::<Vec<_>>().concat();
    let len = hex.len();
    (json!({ "size": size, "hex": hex }), len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_text_or_digits_and_are_cut() {
        let of = |field: &[u8], most| part(field, most).0;
        assert_eq!(of(b"abc", 9), json!({ "size": 3, "text": "abc" }));
        assert_eq!(of(b"abc", 2), json!({ "size": 3, "text": "ab" }));
        assert_eq!(of(&[0xff, 1, 2], 2), json!({ "size": 3, "hex": "ff01" }));
        let accented = "a\u{e9}".as_bytes();
        assert_eq!(of(accented, 2), json!({ "size": 3, "text": "a" }));
        assert_eq!(of(&accented[..2], 9), json!({ "size": 2, "hex": "61c3" }));
    }

    #[test]
    fn a_filter_is_a_part() {
        assert!(contains(b"order-17", "r-1") && contains(b"", ""));
        assert!(!contains(b"order", "orders") && !contains(b"", "x"));
    }
}

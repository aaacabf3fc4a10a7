//! Producer ids: taken in blocks from the metadata, handed out by each shard for itself (KIP-98).

use std::cell::Cell;
use std::ops::Range;

use cluster_meta::Record;
use cluster_meta::command::{PRODUCER_ID_BLOCK_LEN, allocate_producer_ids};
use engine_rt::Semaphore;

use crate::broker::Broker;
use crate::propose::ProposeError;

/// The block that this shard hands out from.
#[derive(Debug)]
pub(crate) struct ProducerIds {
    next: Cell<i64>,
    end: Cell<i64>,
    /// Held while a block is asked for, so that a crowd of producers asks once.
    refill: Semaphore,
}

impl Default for ProducerIds {
    fn default() -> Self {
        Self {
            next: Cell::new(0),
            end: Cell::new(0),
            refill: Semaphore::new(1),
        }
    }
}

impl ProducerIds {
    fn try_next(&self) -> Option<i64> {
        let id = self.next.get();
        (id < self.end.get()).then(|| {
            self.next.set(id + 1);
            id
        })
    }

    fn refill(&self, block: Range<i64>) {
        self.next.set(block.start);
        self.end.set(block.end);
    }
}

/// A producer id that nobody has had, not even before a restart: its block is durable.
pub(crate) async fn next_producer_id(broker: &Broker) -> Result<i64, ProposeError> {
    let ids = &broker.producer_ids;
    if let Some(id) = ids.try_next() {
        return Ok(id);
    }
    let _turn = ids.refill.acquire(1).await;
    loop {
        // Whoever had the turn before may have filled it.
        if let Some(id) = ids.try_next() {
            return Ok(id);
        }
        let change = |state: &cluster_meta::State, _: &cluster_meta::config::StaticConfig| {
            Ok(vec![allocate_producer_ids(state).1])
        };
        let records = broker.propose(Box::new(change)).await?;
        ids.refill(block_of(&records)?);
    }
}

fn block_of(records: &[Record]) -> Result<Range<i64>, ProposeError> {
    let ends = records.iter().find_map(|record| match record {
        Record::ProducerIdBlock { next } => Some(*next),
        _ => None,
    });
    let end = ends.ok_or_else(|| ProposeError::Unavailable("no block was given".to_owned()))?;
    Ok(end - PRODUCER_ID_BLOCK_LEN..end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_block_are_handed_out_once_each() {
        let ids = ProducerIds::default();
        assert_eq!(ids.try_next(), None);
        ids.refill(block_of(&[Record::ProducerIdBlock { next: 3_000 }]).unwrap());
        let given: Vec<_> = std::iter::from_fn(|| ids.try_next()).collect();
        assert_eq!(given, (2_000..3_000).collect::<Vec<_>>());
    }

    #[test]
    fn an_answer_without_block_is_an_error() {
        assert!(block_of(&[]).is_err());
    }
}

//! Sequence numbers of an idempotent producer (KIP-98).

use std::cell::RefCell;
use std::collections::BTreeMap;

use net_wire::batch::BatchBuilder;

use super::connection::Connection;
use super::error::ClientError;

/// Requests that an idempotent producer may have on their way at a time: what brokers remember of
/// each producer, and so what they can tell from duplicates.
pub const IN_FLIGHT_MAX: usize = 5;

/// An idempotent producer's identity and where its partitions stand. It stamps batches; sending and
/// repeating them in their order is the caller's.
#[derive(Debug)]
pub struct Producer {
    id: i64,
    epoch: i16,
    next: RefCell<BTreeMap<(String, i32), i32>>,
}

impl Producer {
    /// A new producer.
    pub async fn new(connection: &Connection) -> Result<Self, ClientError> {
        let (id, epoch) = connection.init_producer_id().await?;
        Ok(Self {
            id,
            epoch,
            next: RefCell::default(),
        })
    }

    /// Its id.
    pub const fn id(&self) -> i64 {
        self.id
    }

    /// A batch that takes the next `records` sequence numbers of a partition.
    pub fn stamp(
        &self,
        builder: BatchBuilder,
        topic: &str,
        partition: i32,
        records: i32,
    ) -> BatchBuilder {
        let mut next = self.next.borrow_mut();
        let sequence = next.entry((topic.to_owned(), partition)).or_default();
        let base = *sequence;
        // Sequences wrap to zero behind the largest integer.
        *sequence = base.wrapping_add(records) & i32::MAX;
        builder.producer(self.id, self.epoch, base)
    }
}

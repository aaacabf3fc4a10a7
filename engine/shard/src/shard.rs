//! What a core owns. (Outline: bodies follow.)

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use engine_log::TopicPartition;
use engine_rt::Instant;

use crate::api::{
    Appended, FetchPart, Fetched, OffsetQuery, PartitionPosition, ProduceBatch, ShardError,
    TimestampOffset,
};

/// One core's partitions, its journal and its memory.
#[derive(Debug)]
pub struct Shard {
    index: usize,
}

impl Shard {
    /// Number of this shard on its node.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Runs work of this shard's own connections.
    pub(crate) fn run(&self, work: Pin<Box<dyn Future<Output = ()>>>) {
        engine_rt::spawn(work).detach();
    }

    /// Appends batches in order and waits until each is durable or refused.
    pub async fn append(
        self: &Rc<Self>,
        _batches: Vec<ProduceBatch>,
    ) -> Vec<Result<Appended, ShardError>> {
        unimplemented!()
    }

    /// Reads partitions in order, `max_bytes` in all.
    pub async fn fetch(
        self: &Rc<Self>,
        _parts: Vec<FetchPart>,
        _max_bytes: usize,
    ) -> Vec<Result<Fetched, ShardError>> {
        unimplemented!()
    }

    /// Waits until a partition has something at its offset or has changed, or until `deadline`.
    pub async fn wait_for_data(
        self: &Rc<Self>,
        _parts: Vec<(TopicPartition, i64)>,
        _deadline: Instant,
    ) {
        unimplemented!()
    }

    /// Offsets, epoch and size of a partition.
    pub fn position(&self, _id: TopicPartition) -> Result<PartitionPosition, ShardError> {
        unimplemented!()
    }

    /// The offset that `query` asks for.
    pub async fn offset_for(
        self: &Rc<Self>,
        _id: TopicPartition,
        _query: OffsetQuery,
        _current_leader_epoch: i32,
    ) -> Result<TimestampOffset, ShardError> {
        unimplemented!()
    }

    /// Where `epoch` ended: the largest known epoch at or below it, and its end offset
    /// (`OffsetForLeaderEpoch`); `(-1, -1)` if nothing that old is known.
    pub fn epoch_end(
        &self,
        _id: TopicPartition,
        _current_leader_epoch: i32,
        _epoch: i32,
    ) -> Result<(i32, i64), ShardError> {
        unimplemented!()
    }

    /// Moves the log start up to `offset` (-1: the high watermark); durable on return. Gives the
    /// new log start (`DeleteRecords`).
    pub async fn delete_records(
        self: &Rc<Self>,
        _id: TopicPartition,
        _offset: i64,
    ) -> Result<i64, ShardError> {
        unimplemented!()
    }
}

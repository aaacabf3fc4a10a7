//! Makes batches of records, and numbers them.

use engine_rt::{Buf, wall_clock_ms};
use net_client::Producer;
use net_wire::batch::{BatchBuilder, BatchError};
use net_wire::codec::{Codec, Codecs};

use super::accumulator::{Taken, Waiting};
use super::books::Sent;
use super::sender::Setup;
use crate::content::{Payload, Stamp, key_bytes};

/// What a client's batches are made with.
#[derive(Debug)]
pub(crate) struct Press {
    setup: Setup,
    stream: u32,
    producer: Option<Producer>,
    payload: Payload,
    codec: Codec,
    codecs: Codecs,
    /// The next sequence of each lane.
    sequences: Vec<u64>,
    wall_start_ms: i64,
}

impl Press {
    /// That of a client, which is idempotent with a producer.
    pub(crate) fn new(setup: &Setup, stream: u32, producer: Option<Producer>) -> Self {
        let scenario = &setup.scenario;
        let ratio = scenario.records.compress_ratio;
        Self {
            stream,
            producer,
            payload: Payload::new(ratio, stream as usize, scenario.seed),
            codec: scenario.codec(),
            codecs: Codecs::new(),
            sequences: vec![0; setup.layout.leaders.len()],
            wall_start_ms: 0,
            setup: setup.clone(),
        }
    }

    /// The run begins.
    pub(crate) fn begin(&mut self) {
        self.wall_start_ms = wall_clock_ms();
    }

    /// Makes a batch.
    pub(crate) fn make(&mut self, taken: Taken) -> Result<Sent, BatchError> {
        let first = self.sequences[taken.lane];
        self.sequences[taken.lane] += taken.records.len() as u64;
        Ok(Sent {
            stream: self.stream,
            place: self.setup.layout.place(taken.lane),
            lane: taken.lane,
            first,
            batch: self.batch(taken.lane, first, &taken.records)?,
            records: taken.records,
            ready: taken.ready,
        })
    }

    fn builder(&self, lane: usize, count: usize) -> BatchBuilder {
        let builder = BatchBuilder::new().codec(self.codec);
        let layout = &self.setup.layout;
        match &self.producer {
            Some(producer) => {
                let partition = layout.place(lane).partition;
                producer.stamp(builder, layout.topic(lane), partition, count as i32)
            },
            None => builder,
        }
    }

    fn batch(&mut self, lane: usize, first: u64, records: &[Waiting]) -> Result<Buf, BatchError> {
        let mut builder = self.builder(lane, records.len());
        for (sequence, record) in (first..).zip(records) {
            let stamp = Stamp {
                run: self.setup.run,
                stream: self.stream,
                sequence,
                planned: record.planned,
            };
            let value = self.payload.value(record.size as usize, &stamp);
            let timestamp = self.wall_start_ms + (record.planned / 1_000_000) as i64;
            let key = record.key.map(key_bytes);
            let key = key.as_ref().map(<[u8; 16]>::as_slice);
            builder.append(timestamp, key, Some(value), &[]);
        }
        let bytes = builder.build(&mut self.codecs)?;
        Ok(Buf::copy_from_slice(&bytes))
    }
}

//! A client's connection to one broker, made again where it may be.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use engine_rt::Event;
use net_client::{ClientError, Connection, ToProduce};
use net_wire::ErrorCode;
use net_wire::messages::produce::ProduceResponse;

use super::RunError;
use super::books::Sent;
use super::cluster::{Layout, connect};
use crate::scenario::Acks;

/// The connection to a broker.
#[derive(Debug)]
pub(crate) struct Link {
    addr: String,
    connection: RefCell<Rc<Connection>>,
    /// Counts the connections: what an old one says is no news of the new one.
    life: Cell<u64>,
    is_broken: Cell<bool>,
    pub(crate) in_flight: Cell<usize>,
    pub(crate) changed: Event,
}

/// What is of interest in an answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) throttle_ms: i32,
    pub(crate) batches: usize,
    pub(crate) failed: Vec<(String, i32, ErrorCode)>,
}

impl Link {
    /// Connects.
    pub(crate) async fn connect(addr: &str) -> Result<Self, RunError> {
        Ok(Self {
            addr: addr.to_owned(),
            connection: RefCell::new(Rc::new(connect(addr).await?)),
            life: Cell::new(0),
            is_broken: Cell::new(false),
            in_flight: Cell::new(0),
            changed: Event::new(),
        })
    }

    pub(crate) fn connection(&self) -> Rc<Connection> {
        Rc::clone(&self.connection.borrow())
    }

    /// Which of the connections it has.
    pub(crate) fn life(&self) -> u64 {
        self.life.get()
    }

    /// Whether nothing can be sent until it is made again.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.get()
    }

    /// The connection of this life has failed.
    pub(crate) fn broke(&self, life: u64) {
        if life == self.life.get() {
            self.is_broken.set(true);
        }
    }

    /// Tries to connect again; whether it did.
    pub(crate) async fn renew(&self) -> bool {
        let Ok(connection) = connect(&self.addr).await else {
            return false;
        };
        // What is still on its way by the old one fails by this.
        self.connection.replace(Rc::new(connection));
        self.life.set(self.life.get() + 1);
        self.is_broken.set(false);
        true
    }

    /// Puts a request in line.
    pub(crate) fn hand_over(
        &self,
        acks: Acks,
        layout: &Layout,
        sent: &[Sent],
    ) -> Result<impl Future<Output = Result<Option<Answered>, ClientError>> + use<>, ClientError>
    {
        let acks = match acks {
            Acks::All => -1,
            Acks::Leader => 1,
            Acks::None => 0,
        };
        let mut batches = Vec::with_capacity(sent.len());
        for batch in sent {
            batches.push(ToProduce {
                topic: layout.topic(batch.lane),
                partition: batch.place.partition,
                records: batch.batch.clone(),
            });
        }
        self.connection().produce_and(acks, &batches, answered)
    }
}

fn answered(answer: &ProduceResponse<'_>) -> Answered {
    let mut found = Answered {
        throttle_ms: answer.throttle_time_ms,
        batches: 0,
        failed: Vec::new(),
    };
    for topic in &answer.responses {
        for partition in &topic.partition_responses {
            found.batches += 1;
            if !partition.error_code.is_none() {
                let failed = (topic.name.to_owned(), partition.index, partition.error_code);
                found.failed.push(failed);
            }
        }
    }
    found
}

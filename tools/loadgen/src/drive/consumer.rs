//! Consumers: each reads every partition from its first offset, checks every record, and says when
//! it has read what there was at the end.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine_rt::{Instant, OneshotReceiver, Task, now, sleep, spawn, timeout};
use net_client::{ClientError, Connection, Fetch, FetchFrom, Fetched};
use net_wire::batch::{BatchError, BatchView, Batches, RecordIter};
use net_wire::codec::Codecs;

use super::RunError;
use super::cluster::{Backoff, connect};
use super::generator::Wires;
use super::live::Live;
use super::sender::{RETRY_BACKOFF, Setup};
use crate::content::Stamp;
use crate::delays::Delays;
use crate::ledger::{Place, Reader};

/// A batch is not larger when it is decompressed.
const BATCH_BYTES_MAX: usize = 128 << 20;
/// How much longer than its own wait a fetch may take.
const FETCH_PATIENCE: Duration = Duration::from_secs(30);

/// What the consumers' executor does.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) setup: Setup,
    pub(crate) measured_from: u64,
    pub(crate) live: Arc<Live>,
    /// The ends of all partitions, once producers are done.
    pub(crate) ends: OneshotReceiver<Vec<i64>>,
}

/// What consumers did.
#[derive(Debug)]
pub(crate) struct Consumed {
    pub(crate) delays: Delays,
    /// One for each consumer.
    pub(crate) readers: Vec<Reader>,
    /// Records that were read.
    pub(crate) records: u64,
    /// What went wrong, by its name.
    pub(crate) errors: BTreeMap<String, u64>,
    /// What failed and was tried again, by its name.
    pub(crate) retried: BTreeMap<String, u64>,
}

/// What all consumers of an executor have in common.
struct Shared {
    setup: Setup,
    live: Arc<Live>,
    delays: RefCell<Delays>,
    records: Cell<u64>,
    errors: RefCell<BTreeMap<String, u64>>,
    retried: RefCell<BTreeMap<String, u64>>,
    ends: RefCell<Option<Vec<i64>>>,
    give_up: Cell<bool>,
}

/// A consumer's connection to one broker, and its partitions there.
struct Seat {
    shared: Rc<Shared>,
    reader: Rc<RefCell<Reader>>,
    addr: String,
    connection: RefCell<Rc<Connection>>,
    /// Lanes with the next offset of each.
    positions: RefCell<Vec<(usize, i64)>>,
    codecs: RefCell<Codecs>,
    start: Cell<Instant>,
}

/// The main future of the consumers' executor.
pub(crate) async fn consume(job: Job, wires: Wires<Consumed>) {
    let shared = Rc::new(Shared {
        setup: job.setup,
        live: job.live,
        delays: RefCell::new(Delays::new(job.measured_from)),
        records: Cell::new(0),
        errors: RefCell::default(),
        retried: RefCell::default(),
        ends: RefCell::default(),
        give_up: Cell::new(false),
    });
    let (seats, readers) = match take_seats(&shared).await {
        Ok(taken) => taken,
        Err(error) => return wires.connected.send(Err(error)),
    };
    wires.connected.send(Ok(()));
    let Some(start) = wires.start.await else {
        return;
    };
    let read = |seat: Rc<Seat>| {
        seat.start.set(start);
        spawn(async move { seat.read_all().await })
    };
    let tasks: Vec<Task<()>> = seats.into_iter().map(read).collect();
    let ends = job.ends.await;
    *shared.ends.borrow_mut() = ends;
    let drain = shared.setup.scenario.consume.drain.0;
    let all = async {
        for task in tasks {
            task.await;
        }
    };
    if timeout(now() + drain, Box::pin(all)).await.is_err() {
        shared.give_up.set(true);
        shared.count("not read in time");
    }
    let readers = readers.iter().map(|reader| reader.borrow().clone());
    wires.done.send(Consumed {
        delays: shared.delays.borrow().clone(),
        readers: readers.collect(),
        records: shared.records.get(),
        errors: shared.errors.borrow().clone(),
        retried: shared.retried.borrow().clone(),
    });
}

type Seats = (Vec<Rc<Seat>>, Vec<Rc<RefCell<Reader>>>);

/// Connects every consumer to every broker.
async fn take_seats(shared: &Rc<Shared>) -> Result<Seats, RunError> {
    let setup = &shared.setup;
    let (mut seats, mut readers) = (Vec::new(), Vec::new());
    for _ in 0..setup.scenario.consume.consumers {
        let reader = Rc::new(RefCell::new(Reader::new(setup.run)));
        for (broker, addr) in setup.layout.brokers.iter().enumerate() {
            let lanes = setup.layout.leaders.iter().enumerate();
            let own = lanes.filter(|(_, leader)| **leader == broker);
            seats.push(Rc::new(Seat {
                shared: Rc::clone(shared),
                reader: Rc::clone(&reader),
                addr: addr.clone(),
                connection: RefCell::new(Rc::new(connect(addr).await?)),
                positions: RefCell::new(own.map(|(lane, _)| (lane, 0)).collect()),
                codecs: RefCell::new(Codecs::new()),
                start: Cell::default(),
            }));
        }
        readers.push(reader);
    }
    Ok((seats, readers))
}

impl Shared {
    fn count(&self, what: &str) {
        *self.errors.borrow_mut().entry(what.to_owned()).or_default() += 1;
    }

    /// Whether clients try again.
    fn retries(&self) -> bool {
        !self.setup.scenario.load.retry_for.0.is_zero()
    }

    /// Something failed, and is tried again.
    fn retried(&self, why: &str) {
        *self.retried.borrow_mut().entry(why.to_owned()).or_default() += 1;
    }
}

impl Seat {
    async fn read_all(&self) {
        while !self.has_all() && !self.shared.give_up.get() {
            let wait = self.shared.setup.scenario.consume.max_wait.0;
            let fetch = Box::pin(self.fetch());
            match timeout(now() + wait + FETCH_PATIENCE, fetch).await {
                Ok(Ok(fetched)) => self.take(&fetched).await,
                Ok(Err(error)) if self.shared.retries() && error.is_retriable() => {
                    self.reconnect().await;
                },
                Err(_) if self.shared.retries() => self.reconnect().await,
                Ok(Err(error)) => return self.shared.count(&error.to_string()),
                Err(_) => return self.shared.count("a fetch without an answer"),
            }
        }
    }

    /// Makes a broken connection again, however long it takes; reading goes on where it was.
    async fn reconnect(&self) {
        let mut backoff = Backoff::default();
        while !self.shared.give_up.get() {
            sleep(backoff.next()).await;
            if let Ok(connection) = connect(&self.addr).await {
                self.connection.replace(Rc::new(connection));
                return self.shared.retried("connection");
            }
        }
    }

    /// Whether everything was read that was there at the end.
    fn has_all(&self) -> bool {
        let ends = self.shared.ends.borrow();
        let Some(ends) = ends.as_ref() else {
            return false;
        };
        let positions = self.positions.borrow();
        positions
            .iter()
            .all(|(lane, position)| *position >= ends[*lane])
    }

    async fn fetch(&self) -> Result<Vec<Fetched>, ClientError> {
        let layout = &self.shared.setup.layout;
        let consume = &self.shared.setup.scenario.consume;
        let bytes = |bytes: u64| i32::try_from(bytes).unwrap_or(i32::MAX);
        let from = |&(lane, offset): &(usize, i64)| FetchFrom {
            topic: layout.topic(lane),
            partition: layout.place(lane).partition,
            offset,
            max_bytes: bytes(consume.partition_bytes.0),
        };
        let fetch = Fetch {
            max_wait_ms: consume.max_wait.0.as_millis() as i32,
            min_bytes: bytes(consume.min_bytes.0),
            max_bytes: bytes(consume.max_bytes.0),
            partitions: self.positions.borrow().iter().map(from).collect(),
        };
        let connection = Rc::clone(&self.connection.borrow());
        connection.fetch(&fetch).await
    }

    /// Checks what came and moves on behind it.
    async fn take(&self, fetched: &[Fetched]) {
        let received = self.nanos();
        let mut must_wait = false;
        for part in fetched {
            if part.error.is_retriable() && self.shared.retries() {
                self.shared.retried(part.error.name());
                must_wait = true;
                continue;
            }
            if !part.error.is_none() {
                self.shared.count(part.error.name());
                continue;
            }
            let Some(at) = self.index_of(part) else {
                self.shared.count("a partition that nobody asked for");
                continue;
            };
            for batch in Batches::new(&part.records) {
                match batch {
                    Ok(batch) => self.take_batch(at, &batch, received),
                    // The last one may be cut short.
                    Err(BatchError::Incomplete { .. }) => break,
                    Err(error) => {
                        self.shared.count(&error.to_string());
                        break;
                    },
                }
            }
        }
        if must_wait {
            sleep(RETRY_BACKOFF).await;
        }
    }

    /// The entry of a partition in the positions.
    fn index_of(&self, part: &Fetched) -> Option<usize> {
        let layout = &self.shared.setup.layout;
        let topic = layout.topics.iter().position(|name| *name == part.topic)?;
        let lane = topic * layout.partitions + usize::try_from(part.partition).ok()?;
        let positions = self.positions.borrow();
        positions
            .binary_search_by_key(&lane, |(lane, _)| *lane)
            .ok()
    }

    fn take_batch(&self, at: usize, batch: &BatchView<'_>, received: u64) {
        let (lane, position) = self.positions.borrow()[at];
        let place = self.shared.setup.layout.place(lane);
        let header = *batch.header();
        if header.last_offset() < position {
            return;
        }
        self.positions.borrow_mut()[at].1 = header.next_offset();
        if !batch.is_intact() {
            self.reader.borrow_mut().corrupted();
            return;
        }
        let mut codecs = self.codecs.borrow_mut();
        let read = codecs.with_decompressed(batch, BATCH_BYTES_MAX, |records, _| {
            for record in RecordIter::new(&header, records) {
                let record = record?;
                let offset = header.base_offset + i64::from(record.offset_delta);
                if offset >= position {
                    self.take_record(place, offset, record.value, received);
                }
            }
            Ok(())
        });
        if let Err(error) = read {
            self.shared.count(&error.to_string());
        }
    }

    fn take_record(&self, place: Place, offset: i64, value: Option<&[u8]>, received: u64) {
        let mut reader = self.reader.borrow_mut();
        match Stamp::read(value.unwrap_or_default()) {
            Ok(stamp) => {
                reader.read(place, offset, &stamp);
                let mut delays = self.shared.delays.borrow_mut();
                delays.consumed(stamp.planned, received, self.nanos());
            },
            Err(_) => reader.corrupted(),
        }
        let records = &self.shared.records;
        records.set(records.get() + 1);
        self.shared.live.consumed(1);
    }

    fn nanos(&self) -> u64 {
        now().since(self.start.get()).as_nanos() as u64
    }
}

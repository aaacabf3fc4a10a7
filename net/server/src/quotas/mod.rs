//! Client quotas (KIP-13, KIP-124, KIP-219, KIP-257): who uses more than its quota allows is told to
//! rest, and is not read from meanwhile.
//!
//! A quota is of the whole node, a client may have connections on every shard: its rate is kept by
//! one shard, found by a hash, and a request that is charged asks there by mailbox ([`Sensors`]). So
//! there is one truth, measured by Kafka's own arithmetic, without locks and without shares that
//! drift; a client without a quota pays one look whether there are any, and one with a quota pays a
//! mail to another core for each request. Which quota holds is found in the shard's own copy of the
//! metadata, and found again when quotas changed: a change holds for the next request.
//!
//! As long as a quota holds, a connection has one request at a time under way, as every connection
//! has with Kafka: what it sends while it is throttled stays with its socket and holds no memory.

mod rate;
mod sensors;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use cluster_meta::{ClientQuotaKind, State};
use engine_rt::{Instant, now};

use crate::broker::Broker;
use crate::connection::Context;
use crate::propose::LocalFuture;
use crate::request::Outcome;
use sensors::{Charge, SensorId, Verdict};

pub(crate) use rate::Windows;
pub(crate) use sensors::Sensors;

/// Who a client is that did not say so.
const ANONYMOUS: &str = "ANONYMOUS";

/// The quotas of the client that a connection belongs to, as it knows them.
#[derive(Debug, Default)]
pub(crate) struct KnownQuotas(RefCell<Option<Rc<ClientQuotas>>>);

impl KnownQuotas {
    /// The meter for a request of this client; none if no quota holds for it.
    pub(crate) fn meter(&self, broker: &Broker, client_id: Option<&str>) -> Option<Rc<Meter>> {
        let mut known = self.0.borrow_mut();
        broker.with_state(|state| {
            if state.client_quotas().is_empty() {
                *known = None;
                return None;
            }
            let client_id = client_id.unwrap_or_default();
            let current = known.take().filter(|it| it.is_current(state, client_id));
            let find = || Rc::new(ClientQuotas::find(state, client_id));
            let quotas = known.insert(current.unwrap_or_else(find));
            let overhead = broker.config.limits.request_overhead;
            quotas.is_any().then(|| Meter::new(quotas, overhead))
        })
    }

    /// Whether a quota holds.
    pub(crate) fn is_any(&self) -> bool {
        self.0.borrow().as_ref().is_some_and(|it| it.is_any())
    }
}

/// The quotas of one client.
#[derive(Debug)]
struct ClientQuotas {
    /// How often quotas had changed.
    changes: u64,
    client_id: String,
    produce: Option<Quota>,
    fetch: Option<Quota>,
    request: Option<Quota>,
}

#[derive(Clone, Copy, Debug)]
struct Quota {
    sensor: SensorId,
    limit: f64,
}

impl ClientQuotas {
    fn find(state: &State, client_id: &str) -> Self {
        let find = |kind| {
            let quota = state.client_quota(ANONYMOUS, client_id, kind)?;
            let user = quota.by_user.then_some(ANONYMOUS);
            let client_id = quota.by_client_id.then_some(client_id);
            Some(Quota {
                sensor: SensorId::new(kind, user, client_id),
                limit: quota.limit,
            })
        };
        Self {
            changes: state.client_quota_changes(),
            client_id: client_id.to_owned(),
            produce: find(ClientQuotaKind::Produce),
            fetch: find(ClientQuotaKind::Fetch),
            request: find(ClientQuotaKind::Request),
        }
    }

    fn is_current(&self, state: &State, client_id: &str) -> bool {
        self.changes == state.client_quota_changes() && self.client_id == client_id
    }

    fn is_any(&self) -> bool {
        let quotas = [self.produce, self.fetch, self.request];
        quotas.iter().any(Option::is_some)
    }
}

/// What one request uses.
#[derive(Debug)]
pub(crate) struct Meter {
    quotas: Rc<ClientQuotas>,
    /// Time of this core that went into it.
    time: Cell<Duration>,
    /// Since when it has the core.
    since: Cell<Instant>,
    /// For how long its client is throttled, once that is known.
    throttle: Cell<Option<Duration>>,
}

impl Meter {
    /// A meter that begins at what a request takes besides its handler.
    fn new(quotas: &Rc<ClientQuotas>, overhead: Duration) -> Rc<Self> {
        Rc::new(Self {
            quotas: Rc::clone(quotas),
            time: Cell::new(overhead),
            since: Cell::default(),
            throttle: Cell::default(),
        })
    }

    /// Most bytes that a fetch may answer with: with more it would be throttled whatever it had
    /// before.
    pub(crate) fn fetch_bytes_max(&self, windows: Windows) -> usize {
        let quota = self.quotas.fetch;
        quota.map_or(usize::MAX, |quota| windows.burst(quota.limit) as usize)
    }

    /// Charges a fetch for records that were read. If it is refused, they are not sent.
    pub(crate) async fn admit_fetch(&self, broker: &Rc<Broker>, bytes: usize) -> bool {
        self.lap();
        let throttle = self.charge_time(broker).await;
        if !throttle.is_zero() {
            self.throttle.set(Some(throttle));
            return false;
        }
        let verdict = charge(broker, self.quotas.fetch, bytes as f64, true).await;
        self.throttle.set(Some(verdict.throttle));
        !verdict.is_refused
    }

    /// Charges the request for what it was, unless that is done.
    async fn settle(&self, broker: &Rc<Broker>, usage: Usage) -> Duration {
        if let Some(throttle) = self.throttle.get() {
            return throttle;
        }
        let produced = match usage.produced_bytes {
            0 => Verdict::default(),
            bytes => charge(broker, self.quotas.produce, bytes as f64, false).await,
        };
        if !usage.is_answered {
            return produced.throttle;
        }
        produced.throttle.max(self.charge_time(broker).await)
    }

    /// As in Kafka, nobody rests for longer than a window because of it.
    async fn charge_time(&self, broker: &Rc<Broker>) -> Duration {
        let percent = self.time.get().as_secs_f64() * 100.0;
        let verdict = charge(broker, self.quotas.request, percent, false).await;
        verdict.throttle.min(broker.quota_windows().length)
    }

    /// Counts the time since this was called last, or since the request got the core.
    fn lap(&self) {
        let at = now();
        self.time.set(self.time.get() + at.since(self.since.get()));
        self.since.set(at);
    }
}

/// What a request that is over used, beside time.
#[derive(Clone, Copy, Debug)]
struct Usage {
    produced_bytes: usize,
    is_answered: bool,
}

/// Answers a request whose client has quotas, charges it, and throttles the connection if it has to.
/// `produced_bytes` is the length of a produce, else zero.
pub(crate) async fn answer_metered(
    context: Rc<Context>,
    meter: Rc<Meter>,
    produced_bytes: usize,
    mut work: LocalFuture<Outcome>,
) -> Outcome {
    let mut outcome = poll_fn(|cx| {
        meter.since.set(now());
        let polled = work.as_mut().poll(cx);
        meter.lap();
        polled
    })
    .await;
    let usage = Usage {
        produced_bytes,
        is_answered: !matches!(outcome, Ok(None)),
    };
    let throttle = meter.settle(&context.broker, usage).await;
    if !throttle.is_zero() {
        context.throttle(throttle);
        if let Ok(Some(response)) = &mut outcome {
            response.set_throttle_time(throttle.as_millis() as i32);
        }
    }
    outcome
}

/// Counts what a client used where its rate is kept.
async fn charge(
    broker: &Rc<Broker>,
    quota: Option<Quota>,
    amount: f64,
    is_refusable: bool,
) -> Verdict {
    let Some(Quota { sensor, limit }) = quota else {
        return Verdict::default();
    };
    let charge = Charge {
        sensor,
        amount,
        limit,
        is_refusable,
    };
    let shard = sensor.shard(broker.shards.count());
    let work =
        move |broker: Rc<Broker>| async move { broker.sensors.borrow_mut().charge(&charge, now()) };
    // Without an answer the node is stopping.
    let verdict = broker.peers.call(broker, shard, work).await;
    verdict.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;
    use cluster_meta::command::alter_client_quotas;

    fn set(state: &mut State, entity: &[(&str, Option<&str>)], key: &str, value: Option<f64>) {
        let record = alter_client_quotas(state, entity, &[(key, value)]).unwrap();
        state.apply(&record.unwrap());
    }

    #[test]
    fn a_client_is_anonymous_and_has_the_quotas_of_its_entities() {
        let mut state = state_with(&[]);
        set(
            &mut state,
            &[("client-id", None)],
            "producer_byte_rate",
            Some(5.0),
        );
        set(
            &mut state,
            &[("user", Some("ANONYMOUS"))],
            "consumer_byte_rate",
            Some(6.0),
        );
        let [one, two] = ["one", "two"].map(|id| ClientQuotas::find(&state, id));
        assert!(one.is_any() && one.request.is_none());
        let sensors = |quotas: &ClientQuotas| {
            let quotas = [quotas.produce.unwrap(), quotas.fetch.unwrap()];
            quotas.map(|quota| quota.sensor)
        };
        // Clients without a quota of their own are counted apart, a user's are counted together.
        assert_ne!(sensors(&one)[0], sensors(&two)[0]);
        assert_eq!(sensors(&one)[1], sensors(&two)[1]);
    }

    #[test]
    fn what_was_found_holds_until_quotas_change() {
        let mut state = state_with(&[]);
        let entity = [("client-id", Some("one"))];
        set(&mut state, &entity, "request_percentage", Some(5.0));
        let found = ClientQuotas::find(&state, "one");
        assert!(found.is_current(&state, "one") && !found.is_current(&state, "two"));
        set(&mut state, &entity, "request_percentage", None);
        assert!(!found.is_current(&state, "one"));
        assert!(!ClientQuotas::find(&state, "one").is_any());
    }
}

//! Client telemetry (KIP-714): clients are asked for metrics of their own and push them here, where
//! `/metrics` shows them. Off unless the operator wants it: advertised, it makes every Java client
//! push.
//!
//! What a client is asked for follows from the subscriptions in the metadata. When it asked and
//! pushed last is kept by one shard, found by its instance id, since its connections may be on any;
//! what it pushed is added up by the shard that received it, by the name of the metric alone: sum
//! and number of what all clients told, which is bounded however many they are. An average over
//! clients is a quotient of rates.

mod instances;
mod otlp;
mod subscription;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use engine_rt::now;
use net_wire::codec::{Codec, CodecError, Codecs};
use net_wire::{ErrorCode, Uuid};

use crate::broker::Broker;
use crate::connection::Context;
use instances::{Asked, Instances, Push};
use otlp::Pushed;
use subscription::{Rules, Subscription};

pub use otlp::ClientMetric;

/// Compressions that clients may use, the best first.
pub(crate) const COMPRESSIONS: [Codec; 4] = [Codec::Zstd, Codec::Lz4, Codec::Gzip, Codec::Snappy];
/// How much larger a push may be when it is decompressed.
const INFLATION_MAX: usize = 16;

/// The telemetry of one shard.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    /// What subscriptions say, with the count of changes of the metadata at which they did.
    rules: RefCell<Option<(u64, Rc<Rules>)>>,
    instances: RefCell<Instances>,
    pushed: RefCell<Totals>,
}

/// What was pushed to one shard.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Totals {
    pub(crate) metrics: BTreeMap<String, ClientMetric>,
    pub(crate) pushes: u64,
    pub(crate) dropped: u64,
}

/// A push as it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    pub(crate) instance: Uuid,
    pub(crate) subscription_id: i32,
    pub(crate) is_last: bool,
    pub(crate) compression: i8,
    pub(crate) metrics: &'a [u8],
}

impl Telemetry {
    pub(crate) fn totals(&self) -> Totals {
        self.pushed.borrow().clone()
    }

    /// What this client is asked for.
    pub(crate) fn subscription(
        &self,
        context: &Context,
        client_id: Option<&str>,
        instance: Uuid,
    ) -> Subscription {
        let rules = self.rules(&context.broker);
        let [software, version] = context.software();
        let facts = [
            ("client_instance_id", instance.to_string()),
            ("client_id", client_id.unwrap_or_default().to_owned()),
            ("client_software_name", software),
            ("client_software_version", version),
            ("client_source_address", context.peer.ip().to_string()),
            ("client_source_port", context.peer.port().to_string()),
        ];
        rules.subscription(instance, &facts)
    }

    /// The compiled subscriptions, made anew when the metadata has changed.
    fn rules(&self, broker: &Broker) -> Rc<Rules> {
        broker.with_state(|state| {
            let changes = state.changes();
            let mut known = self.rules.borrow_mut();
            if let Some((at, rules)) = &*known
                && *at == changes
            {
                return Rc::clone(rules);
            }
            let rules = Rc::new(Rules::of(state));
            *known = Some((changes, Rc::clone(&rules)));
            rules
        })
    }

    fn add(&self, pushed: Pushed) {
        let mut totals = self.pushed.borrow_mut();
        totals.pushes += 1;
        totals.dropped += pushed.dropped;
        for (name, told) in pushed.metrics {
            if !otlp::merge(&mut totals.metrics, &name, told) {
                totals.dropped += told.count;
            }
        }
    }
}

impl Subscription {
    fn asked(&self) -> Asked {
        Asked {
            subscription_id: self.id,
            interval: self.interval,
        }
    }
}

/// Whether a client may ask for its subscription now.
pub(crate) async fn admit_ask(
    broker: &Rc<Broker>,
    instance: Uuid,
    subscription: &Subscription,
) -> ErrorCode {
    let asked = subscription.asked();
    of_instance(broker, instance, move |instances| {
        instances.ask(instance, asked, now())
    })
    .await
}

/// Takes a push, or says why not.
pub(crate) async fn take_push(
    broker: &Rc<Broker>,
    subscription: &Subscription,
    received: Received<'_>,
) -> ErrorCode {
    let (instance, asked) = (received.instance, subscription.asked());
    let push = Push {
        is_last: received.is_last,
        fault: fault_of(broker, subscription, &received),
    };
    let verdict = of_instance(broker, instance, move |instances| {
        instances.push(instance, asked, push, now())
    })
    .await;
    if !verdict.is_none() || received.metrics.is_empty() {
        return verdict;
    }
    let max = broker.config.limits.telemetry_bytes_max * INFLATION_MAX;
    let codec = codec_of(received.compression).unwrap_or_default();
    let (bytes, prefixes) = (received.metrics.to_vec(), subscription.prefixes());
    // Away from the shard: it is as large as the client likes, up to the limit.
    let pushed = engine_rt::blocking(move || read(&bytes, codec, max, &prefixes)).await;
    match pushed {
        Ok(pushed) => broker.telemetry.add(pushed),
        Err(code) => return code,
    }
    ErrorCode::NONE
}

/// What is wrong with a push by itself.
fn fault_of(broker: &Broker, subscription: &Subscription, received: &Received<'_>) -> ErrorCode {
    if received.subscription_id != subscription.id {
        ErrorCode::UNKNOWN_SUBSCRIPTION_ID
    } else if codec_of(received.compression).is_none() {
        ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
    } else if received.metrics.len() > broker.config.limits.telemetry_bytes_max {
        ErrorCode::TELEMETRY_TOO_LARGE
    } else {
        ErrorCode::NONE
    }
}

fn codec_of(id: i8) -> Option<Codec> {
    Codec::from_id(u8::try_from(id).ok()?)
}

fn read(bytes: &[u8], codec: Codec, max: usize, prefixes: &[String]) -> Result<Pushed, ErrorCode> {
    let mut plain = Vec::new();
    let inflated = Codecs::new().decompress(codec, bytes, max, &mut plain);
    inflated.map_err(|error| match error {
        CodecError::TooLarge { .. } => ErrorCode::TELEMETRY_TOO_LARGE,
        _ => ErrorCode::INVALID_RECORD,
    })?;
    otlp::read(&plain, prefixes).map_err(|_| ErrorCode::INVALID_RECORD)
}

/// Asks the shard that remembers a client.
async fn of_instance(
    broker: &Rc<Broker>,
    instance: Uuid,
    ask: impl FnOnce(&mut Instances) -> ErrorCode + Send + 'static,
) -> ErrorCode {
    let number = u128::from_be_bytes(*instance.as_bytes());
    let shard = (number % broker.shards.count() as u128) as usize;
    let work =
        move |broker: Rc<Broker>| async move { ask(&mut broker.telemetry.instances.borrow_mut()) };
    let verdict = broker.peers.call(broker, shard, work).await;
    verdict.unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pushes_are_decompressed_within_bounds() {
        let push = otlp::tests::gauge("a.b", 2.5);
        for codec in Codec::ALL {
            let mut bytes = Vec::new();
            let compressed = Codecs::new().compress(codec, None, &push, &mut bytes);
            compressed.unwrap();
            let read = |max| read(&bytes, codec, max, &[String::new()]);
            assert_eq!(read(1_000).unwrap().metrics["a.b"].count, 1, "{codec:?}");
            let too_large = Err(ErrorCode::TELEMETRY_TOO_LARGE);
            assert_eq!(read(push.len() - 1), too_large, "{codec:?}");
        }
        assert_eq!((codec_of(5), codec_of(-1)), (None, None));
    }

    #[test]
    fn what_shards_keep_is_bounded() {
        let telemetry = Telemetry::default();
        for number in 0..300 {
            let name = format!("m.{number}");
            let pushed = otlp::read(&otlp::tests::gauge(&name, 1.0), &[String::new()]);
            telemetry.add(pushed.unwrap());
        }
        let totals = telemetry.totals();
        assert_eq!(
            (totals.metrics.len(), totals.dropped),
            (otlp::NAMES_MAX, 44)
        );
        assert_eq!(totals.pushes, 300);
    }
}

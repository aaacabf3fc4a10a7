//! Asking several shards at once: each partition is asked on the shard that owns it.

use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use engine_shard::{Shard, ShardError, TopicPartition};
use net_wire::ErrorCode;

use crate::broker::Broker;
use crate::error_map::shard_code;

/// Items of one shard, each with its place in the request.
type Group<I> = (Vec<usize>, Vec<(TopicPartition, I)>);

/// Runs `ask` for every partition on the shard that owns it; answers in the order of `items`. Items
/// of one shard are asked one after the other, shards at the same time.
pub(crate) async fn on_owners<I, T, F, A>(
    broker: &Broker,
    items: Vec<(TopicPartition, I)>,
    ask: A,
) -> Vec<Result<T, ShardError>>
where
    I: Send + 'static,
    T: Send + 'static,
    F: Future<Output = Result<T, ShardError>> + 'static,
    A: Fn(Rc<Shard>, TopicPartition, I) -> F + Clone + Send + 'static,
{
    let mut results: Vec<_> = items.iter().map(|_| Err(ShardError::Stopping)).collect();
    let mut by_owner: BTreeMap<usize, Group<I>> = BTreeMap::new();
    for (place, item) in items.into_iter().enumerate() {
        let owner = broker.owner(item.0) % broker.shards.count();
        let group = by_owner.entry(owner).or_default();
        group.0.push(place);
        group.1.push(item);
    }
    let mut waiting = Vec::new();
    for (owner, (places, items)) in by_owner {
        let ask = ask.clone();
        let work = move |shard: Rc<Shard>| async move {
            let mut answers = Vec::with_capacity(items.len());
            for (id, item) in items {
                answers.push(ask(Rc::clone(&shard), id, item).await);
            }
            answers
        };
        if let Ok(receiver) = broker.shards.begin(owner, work).await {
            waiting.push((places, receiver));
        }
    }
    for (places, receiver) in waiting {
        for (place, answer) in places.into_iter().zip(receiver.await.unwrap_or_default()) {
            results[place] = answer;
        }
    }
    results
}

/// As [`on_owners`], for a request of which some parts are refused before anybody is asked: their
/// errors stand at their places.
pub(crate) async fn carry_out<I, T, F, A>(
    broker: &Broker,
    plans: Vec<Result<(TopicPartition, I), ErrorCode>>,
    ask: A,
) -> Vec<Result<T, ErrorCode>>
where
    I: Send + 'static,
    T: Send + 'static,
    F: Future<Output = Result<T, ShardError>> + 'static,
    A: Fn(Rc<Shard>, TopicPartition, I) -> F + Clone + Send + 'static,
{
    let mut asked = Vec::with_capacity(plans.len());
    let mut refusals = Vec::with_capacity(plans.len());
    for plan in plans {
        refusals.push(plan.map(|item| asked.push(item)));
    }
    let mut answers = on_owners(broker, asked, ask).await.into_iter();
    let mut answer = || answers.next().unwrap_or(Err(ShardError::Stopping));
    let results = refusals.into_iter().map(|refusal| {
        refusal?;
        answer().map_err(|error| shard_code(&error))
    });
    results.collect()
}

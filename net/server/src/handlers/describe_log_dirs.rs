//! `DescribeLogDirs` (key 35, KIP-113): the data directory and the sizes of partitions in it.
//!
//! Behaviour:
//! - one directory, with the partitions asked for (null: all) that exist; others are left out, as
//!   by Kafka;
//! - the size is that of a partition's batches, wherever they lie at the moment.
//!
//! Version notes:
//! - 3: a top-level error; 4: size and room of the volume (KIP-827).

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use engine_shard::{Shard, TopicPartition};
use net_wire::Uuid;
use net_wire::messages::describe_log_dirs::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};

use crate::broker::Broker;
use crate::connection::Context;
use crate::request::{Outcome, Request};
use crate::scatter::on_owners;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: DescribeLogDirsRequest<'_> = request.body()?;
    let asked = asked(broker, &body);
    let ids = asked.iter().map(|(_, id)| (*id, ())).collect();
    let position = |shard: Rc<Shard>, id, ()| async move { shard.position(id) };
    let positions = on_owners(broker, ids, position).await;

    let mut topics: Vec<DescribeLogDirsTopic<'_>> = Vec::new();
    for ((name, id), position) in asked.iter().zip(positions) {
        // One that was deleted meanwhile is not in the directory any more.
        let Ok(position) = position else { continue };
        let partition = DescribeLogDirsPartition {
            partition_index: id.partition as i32,
            partition_size: i64::try_from(position.size_bytes).unwrap_or(i64::MAX),
            ..DescribeLogDirsPartition::default()
        };
        match topics.last_mut() {
            Some(last) if last.name == &**name => last.partitions.push(partition),
            _ => topics.push(DescribeLogDirsTopic {
                name,
                partitions: vec![partition],
            }),
        }
    }
    let log_dir = &broker.config.log_dir;
    let mut result = DescribeLogDirsResult {
        log_dir,
        topics,
        ..Default::default()
    };
    if let Ok(space) = engine_rt::fs::space(Path::new(log_dir)).await {
        result.total_bytes = i64::try_from(space.total).unwrap_or(i64::MAX);
        result.usable_bytes = i64::try_from(space.available).unwrap_or(i64::MAX);
    }
    request.respond(&DescribeLogDirsResponse {
        results: vec![result],
        ..Default::default()
    })
}

/// The partitions asked for that exist, by topic name; each once.
fn asked(broker: &Broker, body: &DescribeLogDirsRequest<'_>) -> Vec<(Rc<str>, TopicPartition)> {
    let mut asked: BTreeMap<(Rc<str>, u32), Uuid> = BTreeMap::new();
    broker.with_state(|state| match &body.topics {
        None => {
            for topic in state.topics_by_name() {
                let name: Rc<str> = topic.name.as_str().into();
                let all = 0..topic.partitions.len() as u32;
                asked.extend(all.map(|index| ((Rc::clone(&name), index), topic.topic_id)));
            }
        },
        Some(topics) => {
            for one in topics {
                let Some(topic) = state.topic_by_name(one.topic) else {
                    continue;
                };
                let name: Rc<str> = one.topic.into();
                let wanted = one
                    .partitions
                    .iter()
                    .filter_map(|index| u32::try_from(*index).ok());
                let there = wanted.filter(|index| (*index as usize) < topic.partitions.len());
                asked.extend(there.map(|index| ((Rc::clone(&name), index), topic.topic_id)));
            }
        },
    });
    let id = |topic_id, partition| TopicPartition {
        topic_id,
        partition,
    };
    asked
        .into_iter()
        .map(|((name, index), topic)| (name, id(topic, index)))
        .collect()
}

//! `DescribeTopicPartitions` (key 75, KIP-966): topics and their partitions, a page at a time.
//!
//! Behaviour:
//! - topics in the order of their names, each once; none named means all;
//! - a page has as many partitions as the client and `max.request.partition.size.limit` allow, and
//!   one at least; the cursor names the first that is missing, and the next request begins there;
//! - a cursor below partition 0, or at a topic that is not among the named ones, is refused: every
//!   named topic gets `INVALID_REQUEST`;
//! - eligible leaders are those in sync, so the lists of further ones are empty.

use std::collections::BTreeSet;

use cluster_meta::{State, Topic};
use net_wire::messages::AUTHORIZED_OPERATIONS_OMITTED;
use net_wire::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use net_wire::topic_name::{check_topic_name, is_internal};
use net_wire::{ErrorCode, Uuid};

use super::metadata::TOPIC_OPERATIONS;
use crate::connection::Context;
use crate::request::{Outcome, Request};

pub(crate) fn handle(context: &Context, request: &Request) -> Outcome {
    let broker = &context.broker;
    let body: DescribeTopicPartitionsRequest<'_> = request.body()?;
    let limit = broker
        .config
        .fixed
        .integer("max.request.partition.size.limit");
    let page = broker.with_state(|state| page(state, &body, limit.unwrap_or(1)));
    for topic in &page.topics {
        broker.metrics.error(topic.error_code);
    }
    let topics = page.topics.iter().map(Described::as_response);
    let next = page.next.as_ref().map(|(topic_name, partition_index)| {
        Box::new(Cursor {
            topic_name,
            partition_index: *partition_index,
        })
    });
    request.respond(&DescribeTopicPartitionsResponse {
        topics: topics.collect(),
        next_cursor: next,
        ..DescribeTopicPartitionsResponse::default()
    })
}

/// One topic of the answer, owned: the state it is read from is not borrowed while it is sent.
#[derive(Debug, Default)]
struct Described {
    error_code: ErrorCode,
    name: String,
    topic_id: Uuid,
    partitions: Vec<DescribeTopicPartitionsResponsePartition>,
    authorized_operations: i32,
}

impl Described {
    fn unknown(name: &str, error_code: ErrorCode) -> Self {
        Self {
            error_code,
            name: name.to_owned(),
            authorized_operations: TOPIC_OPERATIONS,
            ..Self::default()
        }
    }

    /// Of a request that is refused whole.
    fn refused(name: &str) -> Self {
        Self {
            authorized_operations: AUTHORIZED_OPERATIONS_OMITTED,
            ..Self::unknown(name, ErrorCode::INVALID_REQUEST)
        }
    }

    fn as_response(&self) -> DescribeTopicPartitionsResponseTopic<'_> {
        DescribeTopicPartitionsResponseTopic {
            error_code: self.error_code,
            name: Some(&self.name),
            topic_id: self.topic_id,
            is_internal: is_internal(&self.name),
            partitions: self.partitions.clone(),
            topic_authorized_operations: self.authorized_operations,
        }
    }
}

/// What fits one answer, and with which partition the next one begins.
#[derive(Debug, Default)]
struct Page {
    topics: Vec<Described>,
    next: Option<(String, i32)>,
}

fn page(state: &State, body: &DescribeTopicPartitionsRequest<'_>, limit: i64) -> Page {
    let cursor = body.cursor.as_deref();
    let all = body.topics.is_empty();
    let names: BTreeSet<&str> = if all {
        state.topics_by_name().map(|topic| &*topic.name).collect()
    } else {
        body.topics.iter().map(|topic| topic.name).collect()
    };
    let is_asked = |name| all || names.contains(name);
    if cursor.is_some_and(|cursor| cursor.partition_index < 0 || !is_asked(cursor.topic_name)) {
        let topics = body.topics.iter();
        return Page {
            topics: topics.map(|topic| Described::refused(topic.name)).collect(),
            next: None,
        };
    }
    let first = cursor.map_or("", |cursor| cursor.topic_name);
    let mut left = i64::from(body.response_partition_limit).min(limit).max(1) as usize;
    let mut page = Page::default();
    for name in names.range::<&str, _>(first..) {
        if left == 0 {
            page.next = Some(((*name).to_owned(), 0));
            break;
        }
        let Some(topic) = state.topic_by_name(name) else {
            let code = unknown_code(name);
            page.topics.push(Described::unknown(name, code));
            continue;
        };
        let begin = cursor.filter(|cursor| cursor.topic_name == *name);
        let begin = begin.map_or(0, |cursor| cursor.partition_index.unsigned_abs() as usize);
        let partitions = partitions(state, topic, begin, left);
        let end = begin + partitions.len();
        left -= partitions.len();
        if end < topic.partitions.len() {
            page.next = Some((topic.name.clone(), end as i32));
        }
        page.topics.push(Described {
            error_code: ErrorCode::NONE,
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partitions,
            authorized_operations: TOPIC_OPERATIONS,
        });
        if page.next.is_some() {
            break;
        }
    }
    page
}

fn unknown_code(name: &str) -> ErrorCode {
    if check_topic_name(name).is_err() {
        ErrorCode::INVALID_TOPIC_EXCEPTION
    } else {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    }
}

fn partitions(
    state: &State,
    topic: &Topic,
    begin: usize,
    count: usize,
) -> Vec<DescribeTopicPartitionsResponsePartition> {
    let partitions = topic.partitions.iter().zip(0..);
    let wanted = partitions.skip(begin).take(count);
    wanted
        .map(|(partition, index)| {
            let replicas: Vec<i32> = partition.replicas.iter().map(|node| node.0).collect();
            DescribeTopicPartitionsResponsePartition {
                error_code: ErrorCode::NONE,
                partition_index: index,
                leader_id: replicas.first().copied().unwrap_or(-1),
                leader_epoch: state.leader_epoch(partition),
                isr_nodes: replicas.clone(),
                replica_nodes: replicas,
                eligible_leader_replicas: Some(Vec::new()),
                last_known_elr: Some(Vec::new()),
                offline_replicas: Vec::new(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;
    use net_wire::messages::describe_topic_partitions::TopicRequest;

    fn ask<'a>(names: &[&'a str], limit: i32) -> DescribeTopicPartitionsRequest<'a> {
        DescribeTopicPartitionsRequest {
            topics: names.iter().map(|name| TopicRequest { name }).collect(),
            response_partition_limit: limit,
            cursor: None,
        }
    }

    /// Names with the indexes of their partitions, page by page.
    fn pages(state: &State, names: &[&str], limit: i32) -> Vec<Vec<(String, Vec<i32>)>> {
        let (mut pages, mut next) = (Vec::new(), None::<(String, i32)>);
        loop {
            let cursor = next.take();
            let mut body = ask(names, limit);
            body.cursor = cursor.as_ref().map(|(topic_name, partition_index)| {
                Box::new(Cursor {
                    topic_name,
                    partition_index: *partition_index,
                })
            });
            let page = page(state, &body, 2000);
            let topics = page.topics.into_iter().map(|topic| {
                let indexes = topic.partitions.iter().map(|one| one.partition_index);
                (topic.name.clone(), indexes.collect())
            });
            pages.push(topics.collect());
            next = page.next;
            if next.is_none() {
                return pages;
            }
        }
    }

    #[test]
    fn pages_follow_each_other() {
        let state = state_with(&[("b", 3), ("a", 2), ("c", 1)]);
        let topic = |name: &str, indexes: &[i32]| (name.to_owned(), indexes.to_vec());
        let all = [
            topic("a", &[0, 1]),
            topic("b", &[0, 1, 2]),
            topic("c", &[0]),
        ];
        assert_eq!(pages(&state, &[], 100), [all.to_vec()]);
        assert_eq!(
            pages(&state, &[], 2),
            [
                vec![topic("a", &[0, 1])],
                vec![topic("b", &[0, 1])],
                vec![topic("b", &[2]), topic("c", &[0])],
            ]
        );
        // One partition at least comes with each page.
        assert_eq!(pages(&state, &["c", "a", "c"], 0).len(), 3);
    }

    #[test]
    fn the_broker_bounds_a_page_too() {
        let state = state_with(&[("t", 5)]);
        let page = page(&state, &ask(&["t"], 100), 3);
        assert_eq!(page.topics[0].partitions.len(), 3);
        assert_eq!(page.next, Some(("t".to_owned(), 3)));
        let topic = page.topics[0].as_response();
        assert_eq!(topic.topic_authorized_operations, TOPIC_OPERATIONS);
        assert_eq!(topic.partitions[0].isr_nodes, [1]);
    }

    #[test]
    fn unknown_topics_and_cursors_have_their_codes() {
        let state = state_with(&[("t", 1)]);
        let mut body = ask(&["t", "u", "no/slash"], 10);
        let codes = |body: &DescribeTopicPartitionsRequest<'_>| {
            let topics = page(&state, body, 10).topics.into_iter();
            topics.map(|topic| topic.error_code).collect::<Vec<_>>()
        };
        assert_eq!(
            codes(&body),
            [
                ErrorCode::INVALID_TOPIC_EXCEPTION,
                ErrorCode::NONE,
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            ]
        );
        body.cursor = Some(Box::new(Cursor {
            topic_name: "t",
            partition_index: -1,
        }));
        assert_eq!(codes(&body), [ErrorCode::INVALID_REQUEST; 3]);
        body.cursor = Some(Box::new(Cursor {
            topic_name: "tt",
            partition_index: 0,
        }));
        assert_eq!(codes(&body), [ErrorCode::INVALID_REQUEST; 3]);
        let refused = page(&state, &body, 10).topics;
        let refused = refused[0].as_response();
        assert_eq!(
            refused.topic_authorized_operations,
            AUTHORIZED_OPERATIONS_OMITTED
        );
    }
}

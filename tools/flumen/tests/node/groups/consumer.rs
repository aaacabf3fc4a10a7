//! A group of the consumer protocol (KIP-848), over the same troubles.

use engine_rt::sim::CrashKind;
use flumen::client::Connection;
use net_wire::ErrorCode;
use net_wire::messages::consumer_group_describe::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse,
};
use net_wire::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, JOIN_MEMBER_EPOCH,
    TopicPartitions,
};

use super::{
    GROUP, Member, ask, commit, committed, create, find_coordinator, first_life_and_crash,
    response, started,
};
use crate::support::connect;

/// A member with what it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Consumer {
    member: Member,
    owned: Vec<TopicPartitions>,
}

impl Consumer {
    fn new(id: &str) -> Self {
        let mut consumer = Self::default();
        id.clone_into(&mut consumer.member.id);
        consumer.member.generation = JOIN_MEMBER_EPOCH;
        consumer
    }

    /// A heartbeat; the first one joins.
    async fn beat(&mut self, connection: &Connection) -> ErrorCode {
        let joins = self.member.generation == JOIN_MEMBER_EPOCH;
        let request = ConsumerGroupHeartbeatRequest {
            group_id: GROUP,
            member_id: &self.member.id,
            member_epoch: self.member.generation,
            rebalance_timeout_ms: if joins { 60_000 } else { -1 },
            subscribed_topic_names: joins.then(|| vec!["t"]),
            topic_partitions: Some(self.owned.clone()),
            ..ConsumerGroupHeartbeatRequest::default()
        };
        let (code, (epoch, assignment)) = ask(connection, &request, |bytes, version| {
            let told: ConsumerGroupHeartbeatResponse<'_> = response(bytes, version);
            let assignment = told.assignment.map(|all| all.topic_partitions);
            (told.error_code, (told.member_epoch, assignment))
        })
        .await;
        if code.is_none() {
            self.member.generation = epoch;
            self.owned = assignment.unwrap_or_else(|| self.owned.clone());
        }
        code
    }

    fn partitions(&self) -> usize {
        self.owned.iter().map(|one| one.partitions.len()).sum()
    }
}

/// State and epoch of the group.
async fn describe(connection: &Connection) -> (String, i32) {
    let request = ConsumerGroupDescribeRequest {
        group_ids: vec![GROUP],
        include_authorized_operations: false,
    };
    let (code, described) = ask(connection, &request, |bytes, version| {
        let described: ConsumerGroupDescribeResponse<'_> = response(bytes, version);
        let group = &described.groups[0];
        let state = (group.group_state.to_owned(), group.group_epoch);
        (group.error_code, state)
    })
    .await;
    assert_eq!(code, ErrorCode::NONE);
    described
}

/// A group of two that is stable and has committed; a third one has just come.
async fn first_life() -> Vec<Consumer> {
    let connection = connect().await;
    create(&connection, "t").await;
    find_coordinator(&connection).await;
    let mut members = [Consumer::new("a"), Consumer::new("b")];
    for _ in 0..3 {
        for member in &mut members {
            assert_eq!(member.beat(&connection).await, ErrorCode::NONE);
        }
    }
    assert_eq!(describe(&connection).await, ("Stable".to_owned(), 2));
    for offset in 0..20 {
        let code = commit(&connection, &members[1].member, "t", offset).await;
        assert_eq!(code, ErrorCode::NONE);
    }
    let mut third = Consumer::new("c");
    assert_eq!(third.beat(&connection).await, ErrorCode::NONE);
    [members.to_vec(), vec![third]].concat()
}

/// Everybody goes on where they were, and finds a partition each.
async fn second_life(mut members: Vec<Consumer>) {
    let connection = connect().await;
    assert_eq!(describe(&connection).await, ("Reconciling".to_owned(), 3));
    let note = ("t".to_owned(), 2, 19, "note".to_owned());
    assert_eq!(committed(&connection).await, [note]);
    for _ in 0..4 {
        for member in &mut members {
            assert_eq!(member.beat(&connection).await, ErrorCode::NONE);
        }
    }
    assert!(members.iter().all(|member| member.partitions() == 1));
    assert_eq!(describe(&connection).await, ("Stable".to_owned(), 3));
    let code = commit(&connection, &members[0].member, "t", 20).await;
    assert_eq!(code, ErrorCode::NONE);
    members[0].member.generation = 2;
    let stale = commit(&connection, &members[0].member, "t", 21).await;
    assert_eq!(stale, ErrorCode::STALE_MEMBER_EPOCH);
}

#[test]
fn a_consumer_group_lives_through_crashes_and_other_numbers_of_shards() {
    for (seed, kind) in [(31, CrashKind::PowerCut), (32, CrashKind::Kill)] {
        let (world, node, members) = first_life_and_crash(seed, kind, first_life);
        world.block_on(node, move || async move {
            let running = started(2).await;
            second_life(members).await;
            running.stop().await.expect("an orderly stop");
        });
    }
}

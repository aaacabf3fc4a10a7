//! Groups of the consumer protocol (KIP-848): a life of one in each version, regular expressions,
//! topics that change, what is refused.

use std::collections::BTreeSet;
use std::time::Duration;

use engine_rt::sim::{DiskOp, Effect, Fault, Files, Operations, Options, Span, World};
use engine_rt::sleep;
use net_wire::messages::consumer_group_describe::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, MEMBER_CONSUMER,
};
use net_wire::messages::consumer_group_heartbeat::{
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, LEAVE_MEMBER_EPOCH,
    LEAVE_STATIC_MEMBER_EPOCH, TopicPartitions,
};
use net_wire::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
};
use net_wire::messages::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use net_wire::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use net_wire::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse, KEY_GROUP,
};
use net_wire::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use net_wire::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
    OffsetCommitResponse,
};
use net_wire::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse,
};
use net_wire::{ApiKey, ErrorCode};

use crate::client::Client;
use crate::node::{Node, Setup, with_node};

fn quick(settings: &[(&'static str, &'static str)]) -> Setup {
    Setup {
        settings: [&[("offsets.topic.num.partitions", "5")][..], settings].concat(),
        ..Setup::shards(3)
    }
}

const SHORT_SESSIONS: [(&str, &str); 2] = [
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("group.consumer.session.timeout.ms", "5000"),
];

/// A member as its client knows it.
#[derive(Clone, Debug, Default)]
struct Member {
    group: String,
    id: String,
    instance: Option<&'static str>,
    epoch: i32,
    /// What it has.
    owned: Vec<TopicPartitions>,
}

impl Member {
    fn new(group: &str, id: &str) -> Self {
        Self {
            group: group.to_owned(),
            id: id.to_owned(),
            ..Self::default()
        }
    }

    fn request(&self) -> ConsumerGroupHeartbeatRequest<'_> {
        ConsumerGroupHeartbeatRequest {
            group_id: &self.group,
            member_id: &self.id,
            member_epoch: self.epoch,
            instance_id: self.instance,
            ..ConsumerGroupHeartbeatRequest::default()
        }
    }

    async fn join(&mut self, client: &Client, version: i16, names: &[&str]) -> ErrorCode {
        let request = ConsumerGroupHeartbeatRequest {
            rebalance_timeout_ms: 30_000,
            subscribed_topic_names: Some(names.to_vec()),
            topic_partitions: Some(Vec::new()),
            ..self.request()
        };
        let told = tell(client, version, &request).await;
        self.take(told)
    }

    async fn join_by_regex(&mut self, client: &Client, regex: &str) -> ErrorCode {
        let request = ConsumerGroupHeartbeatRequest {
            rebalance_timeout_ms: 30_000,
            subscribed_topic_names: Some(Vec::new()),
            subscribed_topic_regex: Some(regex),
            topic_partitions: Some(Vec::new()),
            ..self.request()
        };
        let told = tell(client, 1, &request).await;
        self.take(told)
    }

    /// A heartbeat that says what it has.
    async fn beat(&mut self, client: &Client, version: i16) -> ErrorCode {
        let request = ConsumerGroupHeartbeatRequest {
            topic_partitions: Some(self.owned.clone()),
            ..self.request()
        };
        let told = tell(client, version, &request).await;
        self.take(told)
    }

    async fn leave(&self, client: &Client, version: i16, epoch: i32) -> ErrorCode {
        let request = ConsumerGroupHeartbeatRequest {
            member_epoch: epoch,
            ..self.request()
        };
        tell(client, version, &request).await.code
    }

    fn take(&mut self, told: Told) -> ErrorCode {
        if told.code.is_none() {
            self.id = told.id;
            self.epoch = told.epoch;
            self.owned = told.assignment.unwrap_or_else(|| self.owned.clone());
        }
        told.code
    }

    fn count(&self) -> usize {
        self.owned.iter().map(|one| one.partitions.len()).sum()
    }
}

/// What a member is told.
struct Told {
    code: ErrorCode,
    id: String,
    epoch: i32,
    assignment: Option<Vec<TopicPartitions>>,
}

async fn tell(client: &Client, version: i16, request: &ConsumerGroupHeartbeatRequest<'_>) -> Told {
    let answer = client.ask(version, request).await;
    let told: ConsumerGroupHeartbeatResponse<'_> = answer.decode();
    assert_eq!(told.error_code.is_none(), told.error_message.is_none());
    Told {
        code: told.error_code,
        id: told.member_id.unwrap_or_default().to_owned(),
        epoch: told.member_epoch,
        assignment: told.assignment.map(|all| all.topic_partitions),
    }
}

async fn find_coordinator(client: &Client) {
    let body = FindCoordinatorRequest {
        key_type: KEY_GROUP,
        coordinator_keys: vec!["g"],
        ..FindCoordinatorRequest::default()
    };
    let answer = client.ask(4, &body).await;
    let found: FindCoordinatorResponse<'_> = answer.decode();
    assert_eq!(found.coordinators[0].error_code, ErrorCode::NONE);
}

async fn commit(client: &Client, version: i16, member: &Member, epoch: i32) -> ErrorCode {
    let body = OffsetCommitRequest {
        group_id: &member.group,
        generation_id_or_member_epoch: epoch,
        member_id: &member.id,
        topics: vec![OffsetCommitRequestTopic {
            name: "t",
            partitions: vec![OffsetCommitRequestPartition {
                partition_index: 1,
                committed_offset: 7,
                committed_leader_epoch: -1,
                committed_metadata: None,
            }],
        }],
        ..OffsetCommitRequest::default()
    };
    let answer = client.ask(version, &body).await;
    let committed: OffsetCommitResponse<'_> = answer.decode();
    committed.topics[0].partitions[0].error_code
}

/// All offsets of the group, as its member with this epoch.
async fn fetch(client: &Client, member: &Member, epoch: i32) -> (ErrorCode, Vec<i64>) {
    let body = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: &member.group,
            member_id: Some(&member.id),
            member_epoch: epoch,
            topics: None,
        }],
        ..OffsetFetchRequest::default()
    };
    let answer = client.ask(9, &body).await;
    let fetched: OffsetFetchResponse<'_> = answer.decode();
    let group = &fetched.groups[0];
    let partitions = group.topics.iter().flat_map(|topic| &topic.partitions);
    let offsets = partitions.map(|one| one.committed_offset);
    (group.error_code, offsets.collect())
}

/// State, epoch, and what each member has of what it shall have.
async fn describe(
    client: &Client,
    version: i16,
    group: &str,
) -> (ErrorCode, String, i32, Vec<(usize, usize)>) {
    let body = ConsumerGroupDescribeRequest {
        group_ids: vec![group],
        include_authorized_operations: true,
    };
    let answer = client.ask(version, &body).await;
    let described: ConsumerGroupDescribeResponse<'_> = answer.decode();
    let group = &described.groups[0];
    let members = group.members.iter().map(|member| {
        let known = version == 0 || member.member_type == MEMBER_CONSUMER;
        assert!(known && member.client_host.starts_with('/'));
        assert_eq!(member.subscribed_topic_regex, Some(""));
        let parts = [&member.assignment, &member.target_assignment];
        let [has, shall] = parts.map(|all| {
            let topics = all.topic_partitions.iter();
            topics
                .inspect(|topic| assert_eq!(topic.topic_name, "t"))
                .map(|topic| topic.partitions.len())
                .sum()
        });
        (has, shall)
    });
    (
        group.error_code,
        group.group_state.to_owned(),
        group.group_epoch,
        members.collect(),
    )
}

async fn listed(client: &Client, kind: &str) -> Vec<String> {
    let body = ListGroupsRequest {
        types_filter: vec![kind],
        ..ListGroupsRequest::default()
    };
    let answer = client.ask(5, &body).await;
    let listed: ListGroupsResponse<'_> = answer.decode();
    let groups = listed.groups.iter();
    groups
        .map(|one| format!("{} {} {}", one.group_id, one.group_type, one.group_state))
        .collect()
}

/// A group of two members from its begin to its end, in one version.
async fn whole_life(client: &Client, version: i16) {
    let group = format!("group-{version}");
    let id = |id: &'static str| if version == 0 { "" } else { id };
    let mut first = Member::new(&group, id("a"));
    let mut second = Member::new(&group, id("b"));
    assert_eq!(first.join(client, version, &["t"]).await, ErrorCode::NONE);
    assert_eq!((first.epoch, first.count()), (1, 4));
    assert!(!first.id.is_empty());
    assert_eq!(second.join(client, version, &["t"]).await, ErrorCode::NONE);
    assert_eq!((second.epoch, second.count()), (2, 0));
    let reconciling = describe(client, version, &group).await;
    assert_eq!(reconciling.1, "Reconciling");
    // It is told to give up two, says that it did, and the other one gets them.
    for _ in 0..2 {
        assert_eq!(first.beat(client, version).await, ErrorCode::NONE);
        assert_eq!(first.count(), 2);
    }
    assert_eq!(second.beat(client, version).await, ErrorCode::NONE);
    assert_eq!((first.epoch, second.epoch, second.count()), (2, 2, 2));
    let stable = describe(client, version, &group).await;
    let expected = (ErrorCode::NONE, "Stable".to_owned(), 2, vec![(2, 2); 2]);
    assert_eq!(stable, expected);
    offsets(client, &first).await;

    assert_eq!(
        listed(client, "consumer").await,
        [format!("{group} consumer Stable")]
    );
    assert_eq!(listed(client, "classic").await, Vec::<String>::new());
    let code = first.leave(client, version, LEAVE_MEMBER_EPOCH).await;
    assert_eq!(code, ErrorCode::NONE);
    assert_eq!(
        first.beat(client, version).await,
        ErrorCode::UNKNOWN_MEMBER_ID
    );
    assert_eq!(second.beat(client, version).await, ErrorCode::NONE);
    assert_eq!((second.epoch, second.count()), (3, 4));
    let code = second.leave(client, version, LEAVE_MEMBER_EPOCH).await;
    assert_eq!(code, ErrorCode::NONE);
    let empty = describe(client, version, &group).await;
    assert_eq!(empty.1, "Empty");
    delete(client, &group).await;
    let gone = describe(client, version, &group).await;
    assert_eq!(gone.0, ErrorCode::GROUP_ID_NOT_FOUND);
}

async fn offsets(client: &Client, member: &Member) {
    assert_eq!(commit(client, 9, member, 2).await, ErrorCode::NONE);
    let stale = commit(client, 9, member, 1).await;
    assert_eq!(stale, ErrorCode::STALE_MEMBER_EPOCH);
    let old = commit(client, 8, member, 2).await;
    assert_eq!(old, ErrorCode::UNSUPPORTED_VERSION);
    assert_eq!(fetch(client, member, 2).await, (ErrorCode::NONE, vec![7]));
    let stale = fetch(client, member, 3).await;
    assert_eq!(stale, (ErrorCode::STALE_MEMBER_EPOCH, Vec::new()));
}

async fn delete(client: &Client, group: &str) {
    let body = DeleteGroupsRequest {
        groups_names: vec![group],
    };
    let answer = client.ask(2, &body).await;
    let deleted: DeleteGroupsResponse<'_> = answer.decode();
    assert_eq!(deleted.results[0].error_code, ErrorCode::NONE);
}

#[test]
fn a_group_lives_in_each_version() {
    with_node(&quick(&[]), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 4, &[]).await;
        find_coordinator(&client).await;
        for version in ApiKey::ConsumerGroupHeartbeat.versions() {
            let client = node.connect().await;
            whole_life(&client, version).await;
        }
    });
}

#[test]
fn regular_expressions_and_growing_topics_are_followed() {
    with_node(&quick(&[]), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 2, &[]).await;
        find_coordinator(&client).await;
        let mut member = Member::new("g", "a");
        let code = member.join_by_regex(&client, "t(").await;
        assert_eq!(code, ErrorCode::INVALID_REGULAR_EXPRESSION);
        let code = member.join_by_regex(&client, "t.*").await;
        assert_eq!((code, member.count()), (ErrorCode::NONE, 2));

        let body = CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: "t",
                count: 5,
                ..CreatePartitionsTopic::default()
            }],
            timeout_ms: 10_000,
            ..CreatePartitionsRequest::default()
        };
        let answer = client.ask(3, &body).await;
        let created: CreatePartitionsResponse<'_> = answer.decode();
        assert_eq!(created.results[0].error_code, ErrorCode::NONE);
        member.beat(&client, 1).await;
        assert_eq!(member.count(), 5);
        client.create_topic("tt", 1, &[]).await;
        // Not sooner than the last search allows.
        sleep(Duration::from_secs(11)).await;
        member.beat(&client, 1).await;
        assert_eq!(member.count(), 6);
    });
}

#[test]
fn a_static_member_comes_back_under_another_id() {
    with_node(&quick(&[]), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 2, &[]).await;
        find_coordinator(&client).await;
        let with = |id| Member {
            instance: Some("i"),
            ..Member::new("g", id)
        };
        let (mut first, mut second) = (with("a"), with("b"));
        assert_eq!(first.join(&client, 1, &["t"]).await, ErrorCode::NONE);
        let code = second.join(&client, 1, &["t"]).await;
        assert_eq!(code, ErrorCode::UNRELEASED_INSTANCE_ID);
        let code = first.leave(&client, 1, LEAVE_STATIC_MEMBER_EPOCH).await;
        assert_eq!(code, ErrorCode::NONE);
        assert_eq!(second.join(&client, 1, &["t"]).await, ErrorCode::NONE);
        assert_eq!((second.epoch, second.count()), (1, 2));
        let code = first.beat(&client, 1).await;
        assert_eq!(code, ErrorCode::FENCED_INSTANCE_ID);
    });
}

#[test]
fn a_silent_member_is_removed_after_the_timeout_of_its_group() {
    with_node(&quick(&SHORT_SESSIONS), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 2, &[]).await;
        find_coordinator(&client).await;
        let mut member = Member::new("g", "a");
        assert_eq!(member.join(&client, 1, &["t"]).await, ErrorCode::NONE);
        sleep(Duration::from_millis(4_900)).await;
        assert_eq!(describe(&client, 1, "g").await.1, "Stable");
        sleep(Duration::from_millis(200)).await;
        assert_eq!(describe(&client, 1, "g").await.1, "Empty");
        let code = member.beat(&client, 1).await;
        assert_eq!(code, ErrorCode::UNKNOWN_MEMBER_ID);
    });
}

#[test]
fn other_requests_say_that_it_is_no_classic_group() {
    with_node(&quick(&[]), |node| async move {
        let client = node.connect().await;
        client.create_topic("t", 2, &[]).await;
        find_coordinator(&client).await;
        let mut member = Member::new("g", "a");
        assert_eq!(member.join(&client, 1, &["t"]).await, ErrorCode::NONE);
        for version in [5, 6] {
            let body = DescribeGroupsRequest {
                groups: vec!["g"],
                include_authorized_operations: false,
            };
            let answer = client.ask(version, &body).await;
            let described: DescribeGroupsResponse<'_> = answer.decode();
            let group = &described.groups[0];
            assert_eq!(group.group_state, "Dead");
            assert_eq!(group.error_code.is_none(), version < 6);
        }
    });
}

#[test]
fn a_broker_may_leave_the_protocol_out() {
    let settings = [("group.coordinator.rebalance.protocols", "classic")];
    with_node(&quick(&settings), |node| async move {
        let client = node.connect().await;
        find_coordinator(&client).await;
        let mut member = Member::new("g", "a");
        let code = member.join(&client, 1, &["t"]).await;
        assert_eq!(code, ErrorCode::UNSUPPORTED_VERSION);
        let described = describe(&client, 1, "g").await;
        assert_eq!(described.0, ErrorCode::UNSUPPORTED_VERSION);
    });
}

/// Members that come and go while appends fail: what two of them were told they may have is never
/// the same, and in the end everything belongs to somebody.
#[test]
fn appends_that_fail_give_no_partition_to_two() {
    let mut failures = 0;
    for seed in 0..8 {
        let world = World::new(seed, Options::default());
        let node = world.node("node");
        let journals = Operations::of(DiskOp::Write, Files::Journals);
        world.inject(Fault::of_disk(
            node,
            journals,
            // The first ones belong to the start of the shards.
            40 + seed * 4,
            Effect::Io,
            Span::Times(1),
        ));
        failures += world.block_on(node, || async {
            // Those who are gone, and could not say so, are soon forgotten.
            let setup = Setup {
                shards: 2,
                ..quick(&SHORT_SESSIONS)
            };
            let node = Node::start(&setup);
            let client = node.connect().await;
            client.create_topic("t", 6, &[]).await;
            find_coordinator(&client).await;
            members_through_failures(&client).await
        });
    }
    // Some of the writes are those of other partitions.
    assert!(failures >= 4, "{failures}");
}

async fn members_through_failures(client: &Client) -> usize {
    let mut members = ["a", "b", "c"].map(|id| Member::new("g", id));
    let mut failures = 0;
    for round in 0..60 {
        for at in 0..members.len() {
            failures += usize::from(!one_more_beat(client, &mut members[at]).await);
            let partitions = members.iter().flat_map(|member| &member.owned);
            let owned = partitions.flat_map(|one| &one.partitions);
            let distinct: BTreeSet<&i32> = owned.clone().collect();
            assert_eq!(distinct.len(), owned.count(), "{members:?}");
        }
        if round % 6 == 5 && round < 50 {
            // Whether it is heard or not: it is gone.
            let gone = &mut members[round % 3];
            let code = gone.leave(client, 1, LEAVE_MEMBER_EPOCH).await;
            failures += usize::from(code == ErrorCode::NOT_COORDINATOR);
            *gone = Member::new("g", &format!("{}{round}", gone.id));
        }
        sleep(Duration::from_millis(800)).await;
    }
    let all: usize = members.iter().map(Member::count).sum();
    assert_eq!(all, 6, "{members:?}");
    failures
}

/// Says whether the coordinator was there.
async fn one_more_beat(client: &Client, member: &mut Member) -> bool {
    let code = if member.epoch == 0 {
        member.join(client, 1, &["t"]).await
    } else {
        member.beat(client, 1).await
    };
    match code {
        ErrorCode::NONE => true,
        ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => false,
        ErrorCode::FENCED_MEMBER_EPOCH | ErrorCode::UNKNOWN_MEMBER_ID => {
            member.epoch = 0;
            member.owned.clear();
            true
        },
        other => panic!("{other}"),
    }
}

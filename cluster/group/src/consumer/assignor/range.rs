//! The range assignor: each topic by itself, in ranges, to its subscribers in a fixed order.
//!
//! The order is by instance id, then by member id: a static member that comes back has the ranges
//! that it had. What members had before is not looked at, as in Kafka since 4.0: where ranges are
//! kept at all costs, topics that belong together drift apart.

use std::collections::BTreeMap;

use net_wire::Uuid;

use super::{Assignment, Subscriber, subscribers};

pub(super) fn assign(
    members: &[Subscriber<'_>],
    partitions: &BTreeMap<Uuid, i32>,
) -> Vec<Assignment> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|&at| {
        let member = &members[at];
        (
            member.instance_id.is_none(),
            member.instance_id,
            member.member_id,
        )
    });
    let mut assigned = vec![Assignment::new(); members.len()];
    for (topic, subscribed) in subscribers(members, partitions, order.into_iter()) {
        let count = partitions[&topic];
        let sharing = subscribed.len() as i32;
        let mut next = 0;
        for (rank, member) in (0..).zip(subscribed) {
            // The first ones have one more, where it does not come out even.
            let end = next + count / sharing + i32::from(rank < count % sharing);
            if next < end {
                assigned[member].insert(topic, (next..end).collect());
            }
            next = end;
        }
    }
    assigned
}

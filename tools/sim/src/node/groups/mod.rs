//! Consumer groups of the classic protocol: members that join, commit, fall silent, leave and come
//! back while the node goes through its lives, and what the last look wants of them.
//!
//! Members share the partitions of a topic of their own, which nobody writes to: what they commit is
//! where they would be. What they see is held together by [`crate::checker::groups`].

mod calls;
mod member;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::{now, sleep};

use super::TROUBLED_MAX;
use super::game::Game;
use super::link::{Link, Session};
use crate::checker::Promise;
use crate::coverage::Event;
use crate::rng::Rng;
use member::Member;

/// The topic whose partitions members share. Nobody deletes it, and with it what was committed.
pub(super) const SHARED_TOPIC: &str = "shared";

/// Percent of the seeds with groups.
const SHARE_PERCENT: u64 = 30;
/// How long the disk and the network may take beside what the protocol takes.
const SLACK: Duration = Duration::from_secs(15);
/// How often is looked whether groups have settled.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// The groups of a seed and the habits of their members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupPlan {
    /// Members of each group; most seeds have no groups.
    pub sizes: Vec<u64>,
    /// Partitions that a group shares out.
    pub partitions: i32,
    /// Partitions of `__consumer_offsets`: each has a coordinator.
    pub coordinators: u64,
    /// Silence that ends a membership, in milliseconds.
    pub session_ms: i32,
    /// How long a rebalance waits for members, in milliseconds.
    pub rebalance_ms: i32,
    /// How long an empty group waits for more members, in milliseconds.
    pub initial_delay_ms: u64,
    /// Longest pause between what a member does, in microseconds.
    pub pause_us: u64,
    /// Whether new members ask once, as old clients do, and not twice (KIP-394).
    pub joins_once: bool,
}

impl GroupPlan {
    /// Draws the groups of a seed.
    pub(super) fn draw(rng: &mut Rng) -> Self {
        if !rng.percent(SHARE_PERCENT) {
            return Self::default();
        }
        let sizes = (0..rng.between(1, 2)).map(|_| rng.between(2, 3));
        Self {
            sizes: sizes.collect(),
            partitions: rng.between(2, 6) as i32,
            coordinators: rng.between(1, 4),
            session_ms: rng.between(200, 1000) as i32,
            rebalance_ms: rng.between(200, 1000) as i32,
            initial_delay_ms: *rng.pick(&[0, 5, 50]),
            pause_us: rng.magnitude(5_000, 80_000),
            joins_once: rng.percent(30),
        }
    }

    /// Members of all groups.
    pub fn members(&self) -> u64 {
        self.sizes.iter().sum()
    }

    /// What the node is told of its groups.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        if self.sizes.is_empty() {
            return Vec::new();
        }
        vec![
            (
                "offsets.topic.num.partitions",
                self.coordinators.to_string(),
            ),
            (
                "group.initial.rebalance.delay.ms",
                self.initial_delay_ms.to_string(),
            ),
            ("group.min.session.timeout.ms", "1".to_owned()),
            // Clocks jump.
            ("offsets.retention.minutes", i32::MAX.to_string()),
            ("offsets.retention.check.interval.ms", i64::MAX.to_string()),
        ]
    }

    /// Within this time every group has a generation of all who live, that has every partition.
    fn settles_within(&self) -> Duration {
        let ms = self.session_ms + self.rebalance_ms;
        Duration::from_millis(ms.unsigned_abs().into()) + SLACK
    }
}

/// The members of all groups.
#[derive(Clone)]
pub(super) struct Members(Rc<[Rc<Member>]>);

impl Members {
    /// Those that a plan has.
    pub(super) fn new(game: &Rc<Game>, rng: &mut Rng) -> Self {
        let sizes = game.plan.groups.sizes.iter().enumerate();
        let members = sizes.flat_map(|(group, size)| (0..*size).map(move |rank| (group, rank)));
        let members =
            members.map(|(group, rank)| Rc::new(Member::new(game, group, rank, rng.fork())));
        Self(members.collect())
    }

    pub(super) fn all(&self) -> &[Rc<Member>] {
        &self.0
    }

    /// Looks whether every group settles, and whether what was committed is there. `None` if the node
    /// crashed meanwhile.
    pub(super) async fn look(&self, link: &Link, session: &Session) -> Option<()> {
        let game = &link.game;
        let (round, plan) = (game.round.get(), &game.plan.groups);
        let began = now();
        while !game.groups_are_harmed() && !self.have_settled(plan, round) {
            if game.round.get() != round || game.is_over() {
                return None;
            }
            let is_troubled = round <= game.troubled.get();
            let trouble = if is_troubled {
                TROUBLED_MAX
            } else {
                Duration::ZERO
            };
            let patience = plan.settles_within() + trouble;
            if now().since(began) > patience {
                let members: Vec<String> = self.0.iter().map(|one| one.describe()).collect();
                let what = format!("groups do not settle within {patience:?}: {members:#?}");
                game.fail(Promise::Liveness, what);
                return None;
            }
            sleep(LOOK_INTERVAL).await;
        }
        for group in 0..plan.sizes.len() {
            if !game.groups_are_harmed() {
                let partitions: Vec<i32> = (0..plan.partitions).collect();
                member::read_offsets(link, session, group, &partitions).await?;
                game.count(Event::GroupSettled);
            }
        }
        Some(())
    }

    /// Whether those who live are of one generation in each group, and have every partition.
    fn have_settled(&self, plan: &GroupPlan, round: u64) -> bool {
        (0..plan.sizes.len()).all(|group| {
            let living = self
                .0
                .iter()
                .filter(|one| one.group == group && one.is_alive());
            let (mut generations, mut owned) = (BTreeSet::new(), BTreeSet::new());
            for member in living {
                let Some(place) = member.heard_in(round) else {
                    return false;
                };
                generations.insert(place.generation);
                owned.extend(place.positions.into_keys());
            }
            generations.len() == 1 && owned.len() == plan.partitions as usize
        })
    }
}

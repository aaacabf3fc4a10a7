//! A member of a group, and what it does beside what is asked of it: it sends late requests of a
//! generation that is over, leaves, dies, or stops for longer than its session lasts.

mod deeds;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::trace;
use engine_rt::sleep;
use flumen::client::NewTopic;
use net_wire::ErrorCode;

use super::calls::{self, Joined, Who};
use super::{GroupPlan, SHARED_TOPIC};
use crate::checker::Promise;
use crate::checker::groups::{Assignment, Fence};
use crate::coverage::Event;
use crate::node::game::Game;
use crate::node::link::{Link, Session};
use crate::rng::Rng;
pub(super) use deeds::read_offsets;

/// Codes by which a coordinator says that a member is not who it believes to be: what it asked for
/// was not done.
const FENCED: [ErrorCode; 4] = [
    ErrorCode::UNKNOWN_MEMBER_ID,
    ErrorCode::ILLEGAL_GENERATION,
    ErrorCode::REBALANCE_IN_PROGRESS,
    ErrorCode::GROUP_ID_NOT_FOUND,
];
/// Codes by which a node says that the coordinator is not there yet, or not any more.
const ABSENT: [ErrorCode; 3] = [
    ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ErrorCode::NOT_COORDINATOR,
];

/// What a member has in a generation.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub generation: i32,
    /// Where it is in each of its partitions.
    pub positions: BTreeMap<i32, i64>,
}

/// A client that belongs to a group.
pub(in crate::node) struct Member {
    link: Link,
    pub(super) group: usize,
    /// The how manieth of its group it is.
    rank: u64,
    rng: RefCell<Rng>,
    /// Its id, once the coordinator gave it one.
    id: RefCell<String>,
    place: RefCell<Option<Place>>,
    /// The last life in which the coordinator took a heartbeat of its place.
    heard: Cell<u64>,
    /// It has heard that nothing new happens any more.
    knows_quiet: Cell<bool>,
    is_dead: Cell<bool>,
}

/// Names of groups.
fn name_of(group: usize) -> String {
    format!("group-{group}")
}

impl Member {
    pub(super) fn new(game: &Rc<Game>, group: usize, rank: u64, rng: Rng) -> Self {
        Self {
            link: Link::new(game, format!("member-{group}-{rank}")),
            group,
            rank,
            rng: RefCell::new(rng),
            id: RefCell::default(),
            place: RefCell::default(),
            heard: Cell::new(0),
            knows_quiet: Cell::new(false),
            is_dead: Cell::new(false),
        }
    }

    fn game(&self) -> &Rc<Game> {
        &self.link.game
    }

    fn plan(&self) -> &GroupPlan {
        &self.link.game.plan.groups
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.is_dead.get()
    }

    /// Its place, if the coordinator has taken a heartbeat of it in this life.
    pub(super) fn heard_in(&self, round: u64) -> Option<Place> {
        let place = self.place.borrow().clone();
        place.filter(|_| self.heard.get() == round)
    }

    /// What it is and has, for people.
    pub(super) fn describe(&self) -> String {
        let Self { group, rank, .. } = self;
        let (id, place, heard) = (self.id.borrow(), self.place.borrow(), self.heard.get());
        let life = if self.is_alive() { "lives" } else { "is dead" };
        format!("{group}-{rank} {life} as {id:?}, heard in life {heard}: {place:?}")
    }

    /// Is a member, over all lives of the node, until it dies.
    pub(in crate::node) async fn run(self: Rc<Self>) {
        while self.is_alive() {
            let session = self.link.session().await;
            if self.find(&session).await.is_some() {
                self.take_part(&session).await;
            }
        }
    }

    /// Looks for the coordinator, and sees to it that the topic is there.
    async fn find(&self, session: &Session) -> Option<()> {
        let name = name_of(self.group);
        let what = "a search for the coordinator";
        let asked = calls::find_coordinator(&session.connection, &name);
        if let Err(code) = self.link.ask(session, what, asked).await? {
            self.refused(session, what, code).await;
            return None;
        }
        let what = "the shared topic";
        let new = NewTopic {
            name: SHARED_TOPIC,
            partitions: self.plan().partitions,
            replication_factor: -1,
            configs: &[],
        };
        let asked = session.connection.create_topic(&new);
        match self.link.ask(session, what, asked).await? {
            Ok(()) | Err(ErrorCode::TOPIC_ALREADY_EXISTS) => Some(()),
            Err(code) => {
                self.refused(session, what, code).await;
                None
            },
        }
    }

    /// Joins, and does this and that with what it gets, until the connection breaks.
    async fn take_part(&self, session: &Session) {
        while !session.is_broken() && self.is_alive() {
            if self.place.borrow().is_none() {
                self.join(session).await;
            } else {
                self.act(session).await;
            }
            let pause = self.rng.borrow_mut().below(self.plan().pause_us);
            sleep(Duration::from_micros(pause)).await;
        }
    }

    /// How a request of this connection is judged: by which life of the coordinator, if that is known.
    fn life(&self, session: &Session) -> Option<u64> {
        let (game, round) = (self.game(), session.round);
        (round == game.round.get() && !game.disk_explains(round)).then_some(round)
    }

    fn fence(&self, session: &Session) -> Fence {
        let life = self.life(session);
        self.game().groups.borrow().fence(self.group, life)
    }

    async fn join(&self, session: &Session) -> Option<()> {
        let (game, name, id) = (self.game(), name_of(self.group), self.id.borrow().clone());
        let fence = self.fence(session);
        let asked = calls::join(&session.connection, self.plan(), &name, &id);
        let joined = match self.link.ask(session, "a join", asked).await? {
            Ok(joined) => joined,
            Err(code) => {
                self.refused(session, "a join", code).await;
                return None;
            },
        };
        let Joined {
            error,
            generation,
            member,
            ..
        } = &joined;
        if !error.is_none() && *error != ErrorCode::MEMBER_ID_REQUIRED {
            game.note_code(*error);
            self.refused(session, "a join", *error).await;
            return None;
        }
        self.id.borrow_mut().clone_from(member);
        if !error.is_none() {
            return None;
        }
        trace(|| format!("{name}: {member} joins generation {generation}"));
        let life = self.life(session);
        let checked = game.groups.borrow_mut().joined(fence, life, *generation);
        game.hold(checked);
        game.count(Event::GroupJoined);
        if !game.quiet.get() && self.rng.borrow_mut().percent(3) {
            // Others wait for it now, or for what it would have assigned.
            self.die(session);
            return None;
        }
        self.sync(session, &joined).await
    }

    /// Gets its assignment, and goes on where the group is.
    async fn sync(&self, session: &Session, joined: &Joined) -> Option<()> {
        let (what, generation) = ("a request for an assignment", joined.generation);
        let all = if joined.leader == joined.member {
            self.share_out(joined)
        } else {
            Vec::new()
        };
        let fence = self.fence(session);
        let (name, member) = (name_of(self.group), &joined.member);
        let who = Who {
            group: &name,
            member,
            generation,
        };
        let asked = calls::sync(&session.connection, who, &all);
        let bytes = match self.link.ask(session, what, asked).await? {
            Ok(bytes) => bytes,
            Err(code) => {
                self.refused(session, what, code).await;
                return None;
            },
        };
        let given = self.take_assignment(session, fence, who, &bytes)?;
        self.game().count(Event::GroupAssigned);
        let partitions = given.partitions;
        let positions = read_offsets(&self.link, session, self.group, &partitions).await?;
        self.heard.set(0);
        self.place.replace(Some(Place {
            generation,
            positions,
        }));
        Some(())
    }

    /// What a leader gives everybody.
    fn share_out(&self, joined: &Joined) -> Vec<(String, Vec<u8>)> {
        let members = joined.members.iter().enumerate();
        let count = joined.members.len();
        let shares = members.map(|(place, member)| {
            let partitions = (0..self.plan().partitions).skip(place).step_by(count);
            let share = Assignment {
                generation: joined.generation,
                partitions: partitions.collect(),
            };
            (member.clone(), share.encode())
        });
        shares.collect()
    }

    /// Shows an assignment to the checker.
    fn take_assignment(
        &self,
        session: &Session,
        fence: Fence,
        who: Who<'_>,
        bytes: &[u8],
    ) -> Option<Assignment> {
        let game = self.game();
        let Some(given) = Assignment::decode(bytes) else {
            let what = format!("{who:?} is assigned {bytes:?}, which nobody gave");
            game.fail(Promise::Answer, what);
            return None;
        };
        trace(|| format!("{who:?} gets {:?}", given.partitions));
        let (life, member) = (self.life(session), who.member);
        let mut groups = game.groups.borrow_mut();
        let checked = groups.assigned(fence, life, member, who.generation, &given);
        game.hold(checked);
        Some(given)
    }

    /// Does something as a member.
    async fn act(&self, session: &Session) {
        let is_quiet = self.game().quiet.get();
        if is_quiet && !self.knows_quiet.replace(true) && self.dies_at_last() {
            self.is_dead.set(true);
            return session.give_up();
        }
        let what = self.rng.borrow_mut().below(if is_quiet { 95 } else { 100 });
        match what {
            0..45 => self.beat(session).await,
            45..80 => self.commit(session).await,
            80..87 => self.read(session).await,
            87..95 => self.ask_late(session).await,
            95 => self.leave(session).await,
            96 => self.fall_silent().await,
            97 | 98 => self.die(session),
            // As one who wants others to be assigned anew.
            _ => drop(self.place.take()),
        }
    }

    /// One member of a group may die when nothing new happens any more: the others take over.
    fn dies_at_last(&self) -> bool {
        self.rank == 0 && self.rng.borrow_mut().percent(50)
    }

    /// It is gone, and its client begins anew: nobody hears of that.
    fn die(&self, session: &Session) {
        self.forget();
        session.give_up();
    }

    fn forget(&self) {
        self.id.borrow_mut().clear();
        self.place.take();
    }

    /// Its id, generation and positions.
    fn standing(&self) -> Option<(String, Place)> {
        let place = self.place.borrow().clone()?;
        Some((self.id.borrow().clone(), place))
    }

    /// Stops for longer than its session lasts, and goes on as if nothing had happened.
    async fn fall_silent(&self) {
        let session_ms = self.plan().session_ms.unsigned_abs();
        sleep(Duration::from_millis(session_ms.into()) * 3 / 2).await;
    }

    /// As [`Member::refused`], of a request for this generation: one of an older one than its own is
    /// refused as it should be.
    async fn refused_for(&self, session: &Session, what: &str, code: ErrorCode, generation: i32) {
        let own = self.place.borrow().as_ref().map(|place| place.generation);
        if own.is_some_and(|own| own > generation) && FENCED.contains(&code) {
            self.game().count(Event::LateRefused);
        } else {
            self.refused(session, what, code).await;
        }
    }

    /// Who is no member any more begins anew, who is of another generation joins again, and a
    /// coordinator that is not there is asked later.
    async fn refused(&self, session: &Session, what: &str, code: ErrorCode) {
        let game = self.game();
        if code == ErrorCode::UNKNOWN_MEMBER_ID {
            game.count(Event::MemberLost);
            self.forget();
        } else if FENCED.contains(&code) {
            self.place.take();
        } else if ABSENT.contains(&code) || game.groups_are_harmed() {
            let pause = self.rng.borrow_mut().magnitude(1, 40);
            sleep(Duration::from_millis(pause)).await;
        } else {
            self.link.refused(session, what, code);
        }
    }
}

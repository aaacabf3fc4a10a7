//! What a member asks of its coordinator, in its generation or late.

use std::collections::BTreeMap;
use std::time::Duration;

use engine_rt::sim::trace;
use engine_rt::sleep;
use net_wire::ErrorCode;

use super::{ABSENT, FENCED, Member, Place, name_of};
use crate::checker::Promise;
use crate::checker::groups::Fence;
use crate::coverage::Event;
use crate::node::groups::calls::{self, Who};
use crate::node::link::{Link, Session};

impl Member {
    pub(super) async fn beat(&self, session: &Session) {
        let Some((id, place)) = self.standing() else {
            return;
        };
        let generation = place.generation;
        if self.beat_for(session, &id, generation).await == Some(Ok(())) {
            self.heard.set(self.game().round.get());
        }
    }

    /// Sends a heartbeat for a generation.
    async fn beat_for(
        &self,
        session: &Session,
        member: &str,
        generation: i32,
    ) -> Option<Result<(), ErrorCode>> {
        let (fence, name) = (self.fence(session), name_of(self.group));
        let who = Who {
            group: &name,
            member,
            generation,
        };
        let asked = calls::heartbeat(&session.connection, who);
        let answer = self.link.ask(session, "a heartbeat", asked).await?;
        match answer {
            Ok(()) => {
                let (game, life) = (self.game(), self.life(session));
                let groups = game.groups.borrow();
                game.hold(groups.let_in(fence, life, generation, "a heartbeat"));
            },
            Err(code) => {
                self.refused_for(session, "a heartbeat", code, generation)
                    .await;
            },
        }
        Some(answer)
    }

    /// Goes on in some of its partitions, and says so.
    pub(super) async fn commit(&self, session: &Session) {
        let Some((id, mut place)) = self.standing() else {
            return;
        };
        {
            let mut rng = self.rng.borrow_mut();
            place.positions.retain(|_, _| rng.percent(70));
            for position in place.positions.values_mut() {
                *position += rng.between(1, 20) as i64;
            }
        }
        if place.positions.is_empty() {
            return;
        }
        if self.commit_for(session, &id, &place).await.is_none() {
            return;
        }
        // Unless it lost its place meanwhile.
        if let Some(own) = self.place.borrow_mut().as_mut() {
            own.positions.extend(place.positions);
        }
    }

    /// Commits positions for a generation; `None` if not all of them were taken.
    async fn commit_for(&self, session: &Session, member: &str, place: &Place) -> Option<()> {
        let (fence, name) = (self.fence(session), name_of(self.group));
        let sent = self.number(place);
        let offsets = sent.iter();
        let offsets = offsets.map(|(partition, number)| {
            (*partition, place.positions[partition], number.to_string())
        });
        let offsets: Vec<_> = offsets.collect();
        let who = Who {
            group: &name,
            member,
            generation: place.generation,
        };
        trace(|| format!("{who:?} commits {offsets:?}"));
        let asked = calls::commit(&session.connection, who, &offsets);
        let answer = self.link.ask(session, "a commit", asked).await?;
        let judged = answer.and_then(|codes| self.judge(session, fence, &sent, &codes));
        if let Err(code) = judged {
            let generation = place.generation;
            self.refused_for(session, "a commit", code, generation)
                .await;
            return None;
        }
        Some(())
    }

    /// Gives commits of positions their numbers, by partition.
    fn number(&self, place: &Place) -> BTreeMap<i32, u64> {
        let mut groups = self.game().groups.borrow_mut();
        let positions = place.positions.iter();
        let numbered = positions.map(|(partition, offset)| {
            let number = groups.committing(self.group, *partition, *offset, place.generation);
            (*partition, number)
        });
        numbered.collect()
    }

    /// Shows the checker what became of commits; a refusal, if there is one.
    fn judge(
        &self,
        session: &Session,
        fence: Fence,
        sent: &BTreeMap<i32, u64>,
        codes: &[(i32, ErrorCode)],
    ) -> Result<(), ErrorCode> {
        let (game, life) = (self.game(), self.life(session));
        let mut refusal = Ok(());
        for (partition, number) in sent {
            let mut groups = game.groups.borrow_mut();
            match codes.iter().find(|(of, _)| of == partition) {
                Some((_, ErrorCode::NONE)) => {
                    game.count(Event::OffsetCommitted);
                    game.hold(groups.committed(fence, life, *partition, *number));
                },
                Some((_, code)) => {
                    if FENCED.contains(code) {
                        groups.commit_refused(self.group, *partition, *number);
                    }
                    game.note_code(*code);
                    refusal = Err(*code);
                },
                None => {
                    let what = format!("{fence:?}: no answer for partition {partition}");
                    game.fail(Promise::Answer, what);
                },
            }
        }
        refusal
    }

    /// Reads where the group is, in its partitions.
    pub(super) async fn read(&self, session: &Session) {
        if let Some((_, place)) = self.standing() {
            let partitions: Vec<i32> = place.positions.into_keys().collect();
            read_offsets(&self.link, session, self.group, &partitions).await;
        }
    }

    /// Sends what could be late: a request for the generation before. Nobody may take it.
    pub(super) async fn ask_late(&self, session: &Session) {
        let Some((id, mut place)) = self.standing() else {
            return;
        };
        place.generation -= 1;
        let generation = place.generation;
        if generation < 1 {
            return;
        }
        let what = self.rng.borrow_mut().below(3);
        match what {
            0 => {
                self.beat_for(session, &id, generation).await;
            },
            1 => {
                self.commit_for(session, &id, &place).await;
            },
            _ => self.sync_late(session, &id, generation).await,
        }
    }

    async fn sync_late(&self, session: &Session, member: &str, generation: i32) {
        let (fence, name) = (self.fence(session), name_of(self.group));
        let who = Who {
            group: &name,
            member,
            generation,
        };
        let (what, nobody) = ("a late request for an assignment", Vec::new());
        let asked = calls::sync(&session.connection, who, &nobody);
        match self.link.ask(session, what, asked).await {
            Some(Ok(bytes)) => {
                self.take_assignment(session, fence, who, &bytes);
            },
            Some(Err(code)) => self.refused_for(session, what, code, generation).await,
            None => {},
        }
    }

    pub(super) async fn leave(&self, session: &Session) {
        let Some((id, place)) = self.standing() else {
            return;
        };
        let name = name_of(self.group);
        let who = Who {
            group: &name,
            member: &id,
            generation: place.generation,
        };
        let asked = calls::leave(&session.connection, who);
        match self.link.ask(session, "a farewell", asked).await {
            Some(Ok(())) => {
                self.game().count(Event::MemberLeft);
                self.forget();
            },
            Some(Err(code)) => self.refused(session, "a farewell", code).await,
            None => {},
        }
    }
}

/// Reads committed offsets and shows them to the checker; where to go on.
pub(in crate::node::groups) async fn read_offsets(
    link: &Link,
    session: &Session,
    group: usize,
    partitions: &[i32],
) -> Option<BTreeMap<i32, i64>> {
    let game = &link.game;
    let known: Vec<_> = {
        let groups = game.groups.borrow();
        partitions
            .iter()
            .map(|one| groups.asking(group, *one))
            .collect()
    };
    let name = name_of(group);
    let asked = calls::offsets(&session.connection, &name, partitions);
    let found = match link.ask(session, "committed offsets", asked).await? {
        Ok(found) => found,
        Err(code) if ABSENT.contains(&code) || game.groups_are_harmed() => {
            sleep(Duration::from_millis(10)).await;
            return None;
        },
        Err(code) => {
            link.refused(session, "committed offsets", code);
            return None;
        },
    };
    let mut positions = BTreeMap::new();
    for (partition, known) in partitions.iter().zip(known) {
        let found = found.iter().find(|one| one.partition == *partition);
        let Some(found) = found.filter(|found| found.error.is_none()) else {
            let what = format!("{name}: no answer for partition {partition}: {found:?}");
            game.fail(Promise::Answer, what);
            return None;
        };
        let (offset, metadata) = (found.offset, &found.metadata);
        trace(|| format!("{name}: partition {partition} is at {offset}, {metadata:?}"));
        let checked = game.groups.borrow_mut().read(known, offset, metadata);
        game.hold(checked);
        positions.insert(*partition, offset.max(0));
    }
    game.count(Event::OffsetsRead);
    Some(positions)
}

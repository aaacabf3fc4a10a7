//! The administrator: creates topics, and, if the plan has it so, deletes records, changes
//! configurations, adds partitions and deletes topics while others work.
//!
//! What has no answer because of a crash is asked again until it has one.

use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::trace;
use engine_rt::sleep;
use flumen::client::NewTopic;
use net_wire::ErrorCode;

use super::game::{Game, Standing, Topic};
use super::link::Link;
use super::plan::TopicPlan;
use crate::checker::Promise;
use crate::coverage::Event;

/// Partitions of a topic at most.
const PARTITIONS_MAX: i32 = 4;

/// A client that manages.
pub(super) struct Admin {
    link: Link,
}

impl Admin {
    pub(super) fn new(game: &Rc<Game>) -> Self {
        Self {
            link: Link::new(game, "admin".to_owned()),
        }
    }

    fn game(&self) -> &Rc<Game> {
        &self.link.game
    }

    /// Manages in every life that is not quiet.
    pub(super) async fn run(self: Rc<Self>) {
        let game = Rc::clone(self.game());
        game.busy.set(game.busy.get() + 1);
        for _ in 0..game.plan.topics {
            self.create_topic().await;
        }
        game.busy.set(game.busy.get() - 1);
        game.changed.notify();
        if !game.plan.admin {
            return;
        }
        loop {
            let pause = game.rng.borrow_mut().magnitude(500, 50_000);
            sleep(Duration::from_micros(pause)).await;
            game.changed.wait_until(|| !game.quiet.get()).await;
            game.busy.set(game.busy.get() + 1);
            self.act().await;
            game.busy.set(game.busy.get() - 1);
            game.changed.notify();
        }
    }

    async fn act(&self) {
        let game = self.game();
        let live = game.live_topics();
        let what = game.rng.borrow_mut().below(20);
        let few = live.len() < game.plan.topics_max as usize;
        if live.is_empty() || (what == 0 && few) {
            return self.create_topic().await;
        }
        let topic = Rc::clone(game.rng.borrow_mut().pick(&live));
        match what {
            0 | 1 if live.len() > 1 => self.delete_topic(&topic).await,
            2 | 3 => self.add_partition(&topic).await,
            4..=7 => self.configure(&topic).await,
            8 => self.ask_producer_id().await,
            _ => self.delete_records(&topic).await,
        }
    }

    /// Creates a topic: from the answer on it is there (rule 17).
    async fn create_topic(&self) {
        let plan = {
            let mut rng = self.game().rng.borrow_mut();
            TopicPlan::draw(&mut rng, &self.game().plan)
        };
        let topic = self.game().add_topic(plan);
        let configs = plan.configs();
        let configs: Vec<_> = configs.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let new = NewTopic {
            name: &topic.name,
            partitions: plan.partitions,
            replication_factor: -1,
            configs: &configs,
        };
        let what = format!("the creation of {}", topic.name);
        let (mut tries, mut answered) = (0, false);
        loop {
            let session = self.link.session().await;
            tries += 1;
            let asked = session.connection.create_topic(&new);
            match self.link.ask(&session, &what, asked).await {
                Some(Ok(())) if answered => self.lost(&topic),
                Some(Ok(())) => answered = true,
                Some(Err(ErrorCode::TOPIC_ALREADY_EXISTS)) if tries > 1 => answered = true,
                Some(Err(code)) => self.link.refused(&session, &what, code),
                None => {},
            }
            if answered && !session.is_broken() && self.learn_id(&topic).await {
                trace(|| format!("{} is there, {plan:?}", topic.name));
                self.game().count(Event::TopicCreated);
                return self.game().created(&topic, plan.partitions);
            }
        }
    }

    fn lost(&self, topic: &Topic) {
        let what = format!("{} was created, and is not there", topic.name);
        self.game().fail(Promise::Lost, what);
    }

    async fn learn_id(&self, topic: &Topic) -> bool {
        let session = self.link.session().await;
        let asked = session.connection.topic(&topic.name);
        match self.link.ask(&session, "a description", asked).await {
            Some(Ok(found)) => {
                topic.id.set(found.topic_id);
                true
            },
            Some(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)) => {
                self.lost(topic);
                false
            },
            Some(Err(code)) => {
                self.link.refused(&session, "a description", code);
                false
            },
            None => false,
        }
    }

    async fn delete_topic(&self, topic: &Topic) {
        topic.standing.set(Standing::Leaving);
        let what = format!("the deletion of {}", topic.name);
        let mut tries = 0;
        loop {
            let session = self.link.session().await;
            tries += 1;
            let asked = session.connection.delete_topic(&topic.name);
            match self.link.ask(&session, &what, asked).await {
                Some(Ok(())) => break,
                Some(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)) if tries > 1 => break,
                Some(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)) => return self.lost(topic),
                Some(Err(code)) => self.link.refused(&session, &what, code),
                None => {},
            }
        }
        trace(|| format!("{} is gone", topic.name));
        self.game().count(Event::TopicDeleted);
        topic.standing.set(Standing::Gone);
    }

    async fn add_partition(&self, topic: &Rc<Topic>) {
        let count = topic.logs.borrow().len() as i32 + 1;
        if count > PARTITIONS_MAX {
            return;
        }
        let what = format!("{} partitions of {}", count, topic.name);
        let mut tries = 0;
        loop {
            let session = self.link.session().await;
            tries += 1;
            let asked = session.connection.create_partitions(&topic.name, count);
            match self.link.ask(&session, &what, asked).await {
                Some(Ok(())) => break,
                Some(Err(ErrorCode::INVALID_PARTITIONS)) if tries > 1 => break,
                Some(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)) => return self.lost(topic),
                Some(Err(code)) => self.link.refused(&session, &what, code),
                None => {},
            }
        }
        trace(|| format!("{what} are there"));
        self.game().created(topic, count);
    }

    async fn configure(&self, topic: &Topic) {
        let game = self.game();
        let plan = topic.plan.get().change(&mut game.rng.borrow_mut());
        topic.plan.set(plan);
        if plan.expires() {
            let rules = game.rules_of(topic);
            for log in topic.logs.borrow().iter() {
                game.checker.borrow_mut().may_expire(*log, rules);
            }
        }
        let configs = plan.configs();
        let configs: Vec<_> = configs.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let session = self.link.session().await;
        let asked = session.connection.set_topic_configs(&topic.name, &configs);
        let what = format!("a configuration of {}", topic.name);
        match self.link.ask(&session, &what, asked).await {
            Some(Ok(())) => game.count(Event::Configured),
            Some(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)) => self.lost(topic),
            Some(Err(code)) => self.link.refused(&session, &what, code),
            None => {},
        }
    }

    async fn ask_producer_id(&self) {
        let session = self.link.session().await;
        let asked = session.connection.init_producer_id();
        match self.link.ask(&session, "a producer id", asked).await {
            Some(Ok((id, _))) => self.game().take_producer_id(id),
            Some(Err(code)) => self.link.refused(&session, "a producer id", code),
            None => {},
        }
    }

    async fn delete_records(&self, topic: &Topic) {
        let game = self.game();
        if !topic.plan.get().deletes() {
            // Refused, as `net/server` tests.
            return;
        }
        let log = *game.rng.borrow_mut().pick(&topic.logs.borrow());
        let session = self.link.session().await;
        let known = game.checker.borrow().known(log);
        // Retention may have moved the start over records whose append nobody was told of yet.
        let length = (known.high_watermark - known.log_start).max(0);
        let target = known.log_start + game.rng.borrow_mut().below(length as u64 + 1) as i64;
        game.checker.borrow_mut().deleting(log, target);
        trace(|| format!("delete log {log} below {target}"));
        let partition = game.place(log).partition;
        let asked = session
            .connection
            .delete_records(&topic.name, partition, target);
        match self.link.ask(&session, "a deletion", asked).await {
            Some(Ok(log_start)) => {
                trace(|| format!("log {log} starts at {log_start}"));
                game.count(Event::DeleteRecords);
                game.checker.borrow_mut().deleted(known, target, log_start);
            },
            Some(Err(code)) => self.link.refused_of(&session, log, "a deletion", code),
            None => {},
        }
    }
}

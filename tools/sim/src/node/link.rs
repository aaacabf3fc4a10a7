//! A client's way to the node: one connection at a time, made anew when it breaks.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use engine_rt::sim::trace;
use engine_rt::{now, sleep, timeout};
use flumen::client::{ClientError, Connection};
use net_wire::ErrorCode;

use super::game::{Game, Phase};
use crate::checker::Promise;

/// Where the node listens.
pub(super) const ADDR: &str = "10.0.0.1:9092";

/// Longest time that anything may take on a machine that works, however slow its disk and network.
pub(super) const PATIENCE: Duration = Duration::from_mins(3);

/// How long a client waits where the network is known to fail.
const PATIENCE_IN_TROUBLE: Duration = Duration::from_secs(5);

/// A connection and the life of the node that it belongs to.
pub(super) struct Session {
    pub connection: Connection,
    pub round: u64,
    /// Something was sent that gets no answer: an error then closes the connection.
    pub blind: Cell<bool>,
    broken: Cell<bool>,
}

impl Session {
    pub(super) fn is_broken(&self) -> bool {
        self.broken.get()
    }

    /// The client uses it no more.
    pub(super) fn give_up(&self) {
        self.broken.set(true);
    }
}

/// A client's way to the node.
pub(super) struct Link {
    pub game: Rc<Game>,
    name: String,
    current: RefCell<Option<Rc<Session>>>,
    /// Something was refused: the next attempt takes its time.
    waits: Cell<bool>,
}

impl Link {
    pub(super) fn new(game: &Rc<Game>, name: String) -> Self {
        Self {
            game: Rc::clone(game),
            name,
            current: RefCell::default(),
            waits: Cell::new(false),
        }
    }

    /// The connection, a new one if the last one is broken.
    pub(super) async fn session(&self) -> Rc<Session> {
        let current = self.current.borrow().clone();
        match current.filter(|session| !session.is_broken()) {
            Some(session) => session,
            None => self.reconnect().await,
        }
    }

    async fn reconnect(&self) -> Rc<Session> {
        // Closes the old one.
        self.current.borrow_mut().take();
        let game = &self.game;
        if self.waits.take() {
            let pause = game.rng.borrow_mut().magnitude(1, 40);
            sleep(Duration::from_millis(pause)).await;
        }
        let (mut round, mut began) = (game.round.get(), now());
        loop {
            let address: SocketAddr = ADDR.parse().expect("an address");
            // It may be of the life that was there then, and come to an end with it.
            let asked_in = game.round.get();
            let connected = Connection::connect(address, &self.name);
            let connected = self.within_patience(asked_in, connected).await;
            if let Some(Ok(connection)) = connected {
                let session = Rc::new(Session {
                    connection,
                    round: asked_in,
                    blind: Cell::new(false),
                    broken: Cell::new(false),
                });
                *self.current.borrow_mut() = Some(Rc::clone(&session));
                return session;
            }
            if game.round.get() != round || game.phase.get() != Phase::Serving {
                (round, began) = (game.round.get(), now());
            }
            let round_explains = game.disk_explains(game.round.get());
            if now().since(began) > PATIENCE && !round_explains {
                let what = format!("{} cannot connect for {PATIENCE:?}", self.name);
                game.fail(Promise::Liveness, what);
            }
            let pause = game.rng.borrow_mut().magnitude(1, 40);
            sleep(Duration::from_millis(pause)).await;
        }
    }

    /// Waits for an answer, but not for ever. `None` if the connection broke, which is the end of
    /// it, or if the answer is a violation by itself; else what the node says.
    pub(super) async fn ask<T>(
        &self,
        session: &Session,
        what: &str,
        answer: impl Future<Output = Result<T, ClientError>>,
    ) -> Option<Result<T, ErrorCode>> {
        match self.within_patience(session.round, answer).await {
            Some(Ok(answer)) => Some(Ok(answer)),
            Some(Err(ClientError::Refused { code, message })) => {
                let name = &self.name;
                trace(|| format!("{name}: {what} is refused: {code:?} {message:?}"));
                self.game.note_code(code);
                Some(Err(code))
            },
            Some(Err(error)) => {
                self.broke(session, what, &error);
                None
            },
            None if self.is_troubled(session.round) => {
                session.give_up();
                None
            },
            None => {
                session.give_up();
                let what = format!("{}: {what} takes longer than {PATIENCE:?}", self.name);
                self.game.fail(Promise::Liveness, what);
                None
            },
        }
    }

    /// Whether the network has failed since the life in which a connection was made began.
    fn is_troubled(&self, round: u64) -> bool {
        round <= self.game.troubled.get()
    }

    /// Waits for what is asked of a life, less long where the network fails. It may begin to while
    /// one waits: then nobody may hear any more that the other end is gone.
    async fn within_patience<T>(&self, round: u64, asked: impl Future<Output = T>) -> Option<T> {
        let (began, mut asked) = (now(), pin!(asked));
        while now().since(began) < PATIENCE {
            let until = now() + PATIENCE_IN_TROUBLE;
            if let Ok(answer) = timeout(until, asked.as_mut()).await {
                return Some(answer);
            }
            if self.is_troubled(round) {
                break;
            }
        }
        None
    }

    /// A connection failed: a crash, a stop or the network explain it, nothing else does.
    pub(super) fn broke(&self, session: &Session, what: &str, error: &ClientError) {
        let first = !session.broken.replace(true);
        let name = &self.name;
        trace(|| format!("{name}: {what} broke off: {error}"));
        let passing = matches!(error, ClientError::Io(_) | ClientError::Closed);
        let disk = self.game.disk_explains(session.round);
        let troubled = self.is_troubled(session.round) || session.blind.get() || disk;
        if !passing || (first && !troubled && !self.game.explains(session.round)) {
            let what = format!("{name}: {what} broke off without a reason: {error}");
            self.game.fail(Promise::Liveness, what);
        }
    }

    /// The node says no: fine while it stops or its disk fails (retriable codes), a violation
    /// otherwise.
    pub(super) fn refused(&self, session: &Session, what: &str, code: ErrorCode) {
        session.give_up();
        self.waits.set(true);
        // What follows a refused batch is out of its order, until it is sent again.
        let disk = [
            ErrorCode::KAFKA_STORAGE_ERROR,
            ErrorCode::NOT_CONTROLLER,
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        ];
        if disk.contains(&code) && self.game.disk_explains(session.round) {
            return;
        }
        let stops = [
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::NOT_CONTROLLER,
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ];
        if !(stops.contains(&code) && self.game.explains(session.round)) {
            let what = format!("{}: {what} is refused: {code:?}", self.name);
            self.game.fail(Promise::Refused, what);
        }
    }

    /// As [`Link::refused`] for something about a log, whose topic may be gone.
    pub(super) fn refused_of(&self, session: &Session, log: u32, what: &str, code: ErrorCode) {
        self.game.note_code(code);
        let unknown = [
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::UNKNOWN_TOPIC_ID,
        ];
        let damage = [
            ErrorCode::KAFKA_STORAGE_ERROR,
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        ];
        if damage.contains(&code) && self.game.is_harmed(log) {
            self.waits.set(true);
            return session.give_up();
        }
        if !unknown.contains(&code) {
            return self.refused(session, what, code);
        }
        if !self.game.may_be_gone(log) {
            let place = self.game.place(log);
            let what = format!(
                "{what}: {code:?} for {}/{}, which was created and not deleted",
                place.topic.name, place.partition
            );
            self.game.fail(Promise::Lost, what);
        }
    }
}

//! A client's way to the node: one connection at a time, made anew when it breaks.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
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

/// A connection and the life of the node that it belongs to.
pub(super) struct Session {
    pub connection: Connection,
    pub round: u64,
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
}

impl Link {
    pub(super) fn new(game: &Rc<Game>, name: String) -> Self {
        Self {
            game: Rc::clone(game),
            name,
            current: RefCell::default(),
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
        let (mut round, mut began) = (game.round.get(), now());
        loop {
            let address: SocketAddr = ADDR.parse().expect("an address");
            // It may be of the life that was there then, and come to an end with it.
            let asked_in = game.round.get();
            let connected = Connection::connect(address, &self.name).await;
            if let Ok(connection) = connected {
                let session = Rc::new(Session {
                    connection,
                    round: asked_in,
                    broken: Cell::new(false),
                });
                *self.current.borrow_mut() = Some(Rc::clone(&session));
                return session;
            }
            if game.round.get() != round || game.phase.get() != Phase::Serving {
                (round, began) = (game.round.get(), now());
            }
            if now().since(began) > PATIENCE {
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
        match timeout(now() + PATIENCE, answer).await {
            Ok(Ok(answer)) => Some(Ok(answer)),
            Ok(Err(ClientError::Refused { code, message })) => {
                let name = &self.name;
                trace(|| format!("{name}: {what} is refused: {code:?} {message:?}"));
                Some(Err(code))
            },
            Ok(Err(error)) => {
                self.broke(session, what, &error);
                None
            },
            Err(_) => {
                session.give_up();
                let what = format!("{}: {what} takes longer than {PATIENCE:?}", self.name);
                self.game.fail(Promise::Liveness, what);
                None
            },
        }
    }

    /// A connection failed: a crash, a stop or the network explain it, nothing else does.
    pub(super) fn broke(&self, session: &Session, what: &str, error: &ClientError) {
        let first = !session.broken.replace(true);
        let name = &self.name;
        trace(|| format!("{name}: {what} broke off: {error}"));
        let passing = matches!(error, ClientError::Io(_) | ClientError::Closed);
        let troubled = session.round <= self.game.troubled.get();
        if !passing || (first && !troubled && !self.game.explains(session.round)) {
            let what = format!("{name}: {what} broke off without a reason: {error}");
            self.game.fail(Promise::Liveness, what);
        }
    }

    /// The node says no: fine while it stops (retriable codes), a violation otherwise.
    pub(super) fn refused(&self, session: &Session, what: &str, code: ErrorCode) {
        session.give_up();
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
        let unknown = [
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::UNKNOWN_TOPIC_ID,
        ];
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

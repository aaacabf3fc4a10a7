//! The JSON below `/api/v1/`: every address is read, bounded and made a [`Question`] here.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::figures::figures;
use super::guard::{Hosts, guard};
use super::query::Query;
use super::{AskFn, Begin, Console, Messages, Question, ROWS_MAX, Refusal, SHOWN_BYTES_MAX, pages};
use crate::health::{Readiness, ReadyState};
use crate::server::Scrapes;

/// Questions that may be asked at a time; more are answered 503 and cost the broker nothing.
const QUESTIONS_MAX: usize = 4;
/// How long an answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(15);
/// Rows of an answer where nothing else is asked for.
const ROWS_DEFAULT: usize = 100;
/// Bytes shown of a key or value where nothing else is asked for.
const SHOWN_BYTES_DEFAULT: usize = 1024;
/// Longest filter.
const FILTER_BYTES_MAX: usize = 256;
/// Longest name of a topic.
const NAME_BYTES_MAX: usize = 249;
/// Longest id of a group. Brokers take longer ones, which nobody gives.
const GROUP_BYTES_MAX: usize = 1024;

/// What the handlers need.
#[derive(Clone)]
struct Desk {
    ask: AskFn,
    places: Arc<Semaphore>,
    readiness: Readiness,
    scrapes: Scrapes,
    since: Instant,
}

/// The pages and the API, behind their guard.
pub(crate) fn routes(
    console: &Console,
    hosts: Hosts,
    readiness: Readiness,
    scrapes: Scrapes,
) -> Router {
    let desk = Desk {
        ask: Arc::clone(&console.ask),
        places: Arc::new(Semaphore::new(QUESTIONS_MAX)),
        readiness,
        scrapes,
        since: Instant::now(),
    };
    Router::new()
        .route("/api/v1/node", get(node))
        .route("/api/v1/cluster", get(cluster))
        .route("/api/v1/configs", get(broker_configs))
        .route("/api/v1/topics", get(topics))
        .route("/api/v1/topics/{topic}", get(topic))
        .route("/api/v1/topics/{topic}/configs", get(topic_configs))
        .route("/api/v1/topics/{topic}/messages", get(messages))
        .route("/api/v1/groups", get(groups))
        .route("/api/v1/groups/{group}", get(group))
        .merge(pages::routes())
        .layer(from_fn_with_state(hosts, guard))
        .with_state(desk)
}

/// An answer's status and text.
struct Told(StatusCode, Value);

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let json = [(header::CONTENT_TYPE, "application/json")];
        (self.0, json, self.1.to_string()).into_response()
    }
}

impl From<Refusal> for Told {
    fn from(refusal: Refusal) -> Self {
        let (status, why) = match refusal {
            Refusal::NotFound(why) => (StatusCode::NOT_FOUND, why),
            Refusal::Invalid(why) => (StatusCode::BAD_REQUEST, why),
            Refusal::Unavailable(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
        };
        Self(status, json!({ "error": why }))
    }
}

type Outcome = Result<Told, Told>;

impl Desk {
    async fn answer(&self, question: Question) -> Outcome {
        let unavailable = |why: &str| Told::from(Refusal::Unavailable(why.to_owned()));
        match self.readiness.get() {
            ReadyState::Ready => {},
            ReadyState::Starting => return Err(unavailable("the broker is starting")),
            ReadyState::Stopping => return Err(unavailable("the broker is stopping")),
        }
        let Ok(_place) = self.places.try_acquire() else {
            return Err(unavailable("too many questions at once"));
        };
        match timeout(ANSWER_WAIT, (self.ask)(question)).await {
            Ok(answer) => Ok(Told(StatusCode::OK, answer?)),
            Err(_) => Err(unavailable("the broker does not answer")),
        }
    }
}

/// Counters of the node and its shards.
async fn node(State(desk): State<Desk>) -> Outcome {
    let snapshot = desk.scrapes.take().await;
    let snapshot = snapshot.map_err(|why| Refusal::Unavailable(why.trim_end().to_owned()))?;
    let value = figures(&snapshot, desk.readiness.get(), desk.since.elapsed());
    Ok(Told(StatusCode::OK, value))
}

async fn cluster(State(desk): State<Desk>) -> Outcome {
    desk.answer(Question::Cluster).await
}

async fn broker_configs(State(desk): State<Desk>) -> Outcome {
    desk.answer(Question::BrokerConfigs).await
}

async fn topics(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Outcome {
    let query = parse(query.as_ref(), &["filter", "after", "limit"])?;
    let question = Question::Topics {
        filter: filter(&query, "filter")?,
        after: name(query.text("after").to_owned())?,
        limit: query.number("limit", ROWS_DEFAULT, 1..=ROWS_MAX)?,
    };
    desk.answer(question).await
}

async fn topic(
    State(desk): State<Desk>,
    Path(topic): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let query = parse(query.as_ref(), &["from", "limit"])?;
    let question = Question::Topic {
        name: name(topic)?,
        from: query.number("from", 0, 0..=i32::MAX)?,
        limit: query.number("limit", ROWS_DEFAULT, 1..=ROWS_MAX)?,
    };
    desk.answer(question).await
}

async fn topic_configs(State(desk): State<Desk>, Path(topic): Path<String>) -> Outcome {
    let name = name(topic)?;
    desk.answer(Question::TopicConfigs { name }).await
}

async fn messages(
    State(desk): State<Desk>,
    Path(topic): Path<String>,
    RawQuery(query): RawQuery,
) -> Outcome {
    let known = ["partition", "from", "limit", "key", "value", "bytes"];
    let query = parse(query.as_ref(), &known)?;
    let question = Question::Messages(Messages {
        topic: name(topic)?,
        partition: query.number("partition", 0, 0..=i32::MAX)?,
        from: from(query.text("from"))?,
        limit: query.number("limit", ROWS_DEFAULT, 1..=ROWS_MAX)?,
        key: filter(&query, "key")?,
        value: filter(&query, "value")?,
        shown_bytes: query.number("bytes", SHOWN_BYTES_DEFAULT, 0..=SHOWN_BYTES_MAX)?,
    });
    desk.answer(question).await
}

async fn groups(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Outcome {
    let query = parse(query.as_ref(), &["filter", "after", "limit"])?;
    let question = Question::Groups {
        filter: filter(&query, "filter")?,
        after: group_id(query.text("after").to_owned())?,
        limit: query.number("limit", ROWS_DEFAULT, 1..=ROWS_MAX)?,
    };
    desk.answer(question).await
}

async fn group(State(desk): State<Desk>, Path(group): Path<String>) -> Outcome {
    let id = group_id(group)?;
    desk.answer(Question::Group { id }).await
}

fn parse(query: Option<&String>, known: &[&str]) -> Result<Query, Refusal> {
    Query::parse(query.map_or("", String::as_str), known)
}

fn filter(query: &Query, name: &str) -> Result<String, Refusal> {
    let text = query.text(name);
    if text.len() > FILTER_BYTES_MAX {
        let why = format!("`{name}` has {FILTER_BYTES_MAX} bytes at most");
        return Err(Refusal::Invalid(why));
    }
    Ok(text.to_owned())
}

/// A name that a topic may have.
fn name(name: String) -> Result<String, Refusal> {
    let is_legal = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    if name.len() <= NAME_BYTES_MAX && name.chars().all(is_legal) {
        return Ok(name);
    }
    Err(Refusal::Invalid("no topic has such a name".to_owned()))
}

/// An id that a group may have: any text.
fn group_id(id: String) -> Result<String, Refusal> {
    if id.len() <= GROUP_BYTES_MAX {
        return Ok(id);
    }
    let why = format!("the id of a group has {GROUP_BYTES_MAX} bytes at most");
    Err(Refusal::Invalid(why))
}

/// Reads `from`: start, end, N, -N before the end, @MS by timestamp.
fn from(text: &str) -> Result<Begin, Refusal> {
    let number = |digits: &str| digits.parse().ok().filter(|number| *number >= 0);
    let found = match text.split_at_checked(1) {
        None => Some(Begin::Start),
        _ if text == "start" => Some(Begin::Start),
        _ if text == "end" => Some(Begin::End),
        Some(("-", rest)) => number(rest).map(Begin::BeforeEnd),
        Some(("@", rest)) => number(rest).map(Begin::Timestamp),
        _ => number(text).map(Begin::Offset),
    };
    found.ok_or_else(|| Refusal::Invalid("`from` is start, end, N, -N or @MS".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_to_begin_is_a_word_or_a_number() {
        for (text, wanted) in [
            ("", Begin::Start),
            ("start", Begin::Start),
            ("end", Begin::End),
            ("17", Begin::Offset(17)),
            ("-17", Begin::BeforeEnd(17)),
            ("@17", Begin::Timestamp(17)),
        ] {
            assert_eq!(from(text), Ok(wanted), "{text}");
        }
        for wrong in ["middle", "--1", "@", "1.5", "99999999999999999999"] {
            assert!(from(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_those_of_topics() {
        assert_eq!(name("a.b_c-1".to_owned()), Ok("a.b_c-1".to_owned()));
        for wrong in ["a b", "a/b", "\u{e9}", &"x".repeat(250)] {
            assert!(name(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}

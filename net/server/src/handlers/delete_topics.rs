//! `DeleteTopics` (key 20, KIP-4).
//!
//! Behaviour:
//! - the answer comes when the deletion is durable and no shard serves the topic any more; files
//!   go later;
//! - a topic that stands twice in a request is refused once and stays, as in Kafka.
//!
//! Version notes:
//! - 5: messages (KIP-599); 6: by topic id (KIP-516), one of name and id; the answer has both.

use std::collections::BTreeMap;
use std::rc::Rc;

use cluster_meta::command::{TopicRef, delete_topic};
use cluster_meta::{Record, State};
use net_wire::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use net_wire::{ErrorCode, Uuid};

use super::create_topics::duplicate;
use crate::connection::Context;
use crate::error_map::Refusal;
use crate::propose::{Change, ProposeError};
use crate::request::{Outcome, Request};

/// First version that names topics by id.
const TOPIC_ID_VERSION: i16 = 6;

pub(crate) async fn handle(context: Rc<Context>, request: Request) -> Outcome {
    let broker = &context.broker;
    let body: DeleteTopicsRequest<'_> = request.body()?;
    let asked = asked(&body, request.version);
    let judged = broker.with_state(|state| judge(state, &asked));
    let changes = judged
        .iter()
        .filter(|one| one.refusal.is_none())
        .map(Judged::change);
    let mut results = broker.propose_all(changes).await.into_iter();
    let mut outcomes = Vec::with_capacity(judged.len());
    for one in judged {
        let outcome = match one.refusal {
            None => one.outcome(results.next()),
            Some(_) => one,
        };
        broker.metrics.error(outcome.code());
        outcomes.push(outcome);
    }
    let responses = outcomes.iter().map(Judged::as_response).collect();
    request.respond(&DeleteTopicsResponse {
        responses,
        ..DeleteTopicsResponse::default()
    })
}

fn asked<'a>(body: &DeleteTopicsRequest<'a>, version: i16) -> Vec<DeleteTopicState<'a>> {
    if version >= TOPIC_ID_VERSION {
        return body.topics.clone();
    }
    let named = |name: &&'a str| DeleteTopicState {
        name: Some(*name),
        topic_id: Uuid::ZERO,
    };
    body.topic_names.iter().map(named).collect()
}

/// One topic of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Judged {
    name: Option<String>,
    topic_id: Uuid,
    /// Asked for by its id, not by its name.
    by_id: bool,
    refusal: Option<Refusal>,
}

impl Judged {
    fn refused(name: Option<&str>, topic_id: Uuid, refusal: Refusal) -> Self {
        Self {
            name: name.map(str::to_owned),
            topic_id,
            by_id: name.is_none(),
            refusal: Some(refusal),
        }
    }

    fn code(&self) -> ErrorCode {
        self.refusal
            .as_ref()
            .map_or(ErrorCode::NONE, |refusal| refusal.code)
    }

    fn change(&self) -> Change {
        let id = self.topic_id;
        Box::new(move |state, fixed| {
            delete_topic(state, fixed, TopicRef::Id(id)).map(|record| vec![record])
        })
    }

    fn outcome(self, result: Option<Result<Vec<Record>, ProposeError>>) -> Self {
        let in_own_words = |refusal: Refusal| match refusal.code {
            // Somebody else was faster, and this client does not know the id.
            ErrorCode::UNKNOWN_TOPIC_ID if !self.by_id => {
                Refusal::of(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            },
            _ => refusal,
        };
        let refusal = result.and_then(Result::err).map(Refusal::from);
        let refusal = refusal.map(in_own_words);
        Self { refusal, ..self }
    }

    fn as_response(&self) -> DeletableTopicResult<'_> {
        DeletableTopicResult {
            name: self.name.as_deref(),
            topic_id: self.topic_id,
            error_code: self.code(),
            error_message: self.refusal.as_ref().map(|refusal| refusal.message.clone()),
        }
    }
}

/// Finds every topic that may be deleted; one that is named twice, by name or id, is refused once.
fn judge(state: &State, asked: &[DeleteTopicState<'_>]) -> Vec<Judged> {
    let mut judged = Vec::new();
    let mut found: BTreeMap<Uuid, (String, bool, usize)> = BTreeMap::new();
    for one in asked {
        match find(state, one) {
            Ok((id, name)) => {
                let named = found.entry(id);
                let (_, _, count) = named.or_insert_with(|| (name, one.name.is_none(), 0));
                *count += 1;
            },
            Err(refusal) => judged.push(Judged::refused(one.name, one.topic_id, refusal)),
        }
    }
    judged.dedup();
    judged.extend(found.into_iter().map(|(id, (name, by_id, count))| Judged {
        name: Some(name),
        topic_id: id,
        by_id,
        refusal: (count > 1).then(duplicate),
    }));
    judged
}

fn find(state: &State, one: &DeleteTopicState<'_>) -> Result<(Uuid, String), Refusal> {
    let invalid = |message| Err(Refusal::new(ErrorCode::INVALID_REQUEST, message));
    let topic = match (one.name, one.topic_id) {
        (None, Uuid::ZERO) => return invalid("Neither topic name nor id were specified."),
        (Some(_), id) if !id.is_zero() => {
            return invalid("You may not specify both topic name and topic id.");
        },
        (None, id) => state
            .topic(id)
            .ok_or_else(|| Refusal::of(ErrorCode::UNKNOWN_TOPIC_ID))?,
        (Some(name), _) => state
            .topic_by_name(name)
            .ok_or_else(|| Refusal::of(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))?,
    };
    Ok((topic.topic_id, topic.name.clone()))
}

#[cfg(test)]
mod tests {
    use cluster_meta::MetaError;

    use super::*;
    use crate::testing::state_with;

    fn named(name: &str) -> DeleteTopicState<'_> {
        DeleteTopicState {
            name: Some(name),
            topic_id: Uuid::ZERO,
        }
    }

    fn with_id(topic_id: Uuid) -> DeleteTopicState<'static> {
        DeleteTopicState {
            name: None,
            topic_id,
        }
    }

    fn code_of(judged: &[Judged], name: &str) -> ErrorCode {
        judged
            .iter()
            .find(|one| one.name.as_deref() == Some(name))
            .unwrap()
            .code()
    }

    #[test]
    fn topics_are_found_by_name_and_id() {
        let state = state_with(&[("a", 1), ("b", 1)]);
        let id = state.topic_by_name("b").unwrap().topic_id;
        let judged = judge(&state, &[named("a"), with_id(id), named("gone")]);
        assert_eq!(judged.len(), 3);
        assert_eq!(code_of(&judged, "a"), ErrorCode::NONE);
        assert_eq!(code_of(&judged, "b"), ErrorCode::NONE);
        assert_eq!(
            code_of(&judged, "gone"),
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        );
    }

    #[test]
    fn what_is_named_twice_stays() {
        let state = state_with(&[("a", 1)]);
        let id = state.topic_by_name("a").unwrap().topic_id;
        for twice in [[named("a"), named("a")], [named("a"), with_id(id)]] {
            let judged = judge(&state, &twice);
            assert_eq!(judged.len(), 1);
            assert_eq!(code_of(&judged, "a"), ErrorCode::INVALID_REQUEST);
        }
    }

    #[test]
    fn whoever_comes_second_is_told_in_the_words_of_its_request() {
        let state = state_with(&[("a", 1)]);
        let id = state.topic_by_name("a").unwrap().topic_id;
        let told = |asked| {
            let gone = MetaError::new(ErrorCode::UNKNOWN_TOPIC_ID, "gone");
            let judged = judge(&state, &[asked]).remove(0);
            judged
                .outcome(Some(Err(ProposeError::Refused(gone))))
                .code()
        };
        assert_eq!(told(named("a")), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(told(with_id(id)), ErrorCode::UNKNOWN_TOPIC_ID);
    }

    #[test]
    fn exactly_one_of_name_and_id() {
        let state = state_with(&[("a", 1)]);
        let both = DeleteTopicState {
            name: Some("a"),
            topic_id: Uuid::METADATA_TOPIC,
        };
        for wrong in [both, with_id(Uuid::ZERO)] {
            let judged = judge(&state, &[wrong]);
            assert_eq!(judged[0].code(), ErrorCode::INVALID_REQUEST);
        }
        let unknown = judge(&state, &[with_id(Uuid::METADATA_TOPIC)]);
        assert_eq!(
            (unknown[0].code(), &unknown[0].name),
            (ErrorCode::UNKNOWN_TOPIC_ID, &None)
        );
    }
}

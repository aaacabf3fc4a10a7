//! The Kafka client behind the web console (`net/admin/src/console`): an executor of its own, which
//! asks this node's broker as any other client would.
//!
//! The admin thread sends questions by mailbox. Each is answered over a connection of its own, a
//! bounded number at a time, each for a bounded time: a page that asks for much costs this thread,
//! and no shard more than a client's request does.

mod cluster;
mod groups;
mod messages;
mod page;
mod topics;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine_rt::{
    Executor, ExecutorSpec, MailReceiver, MailSender, OneshotSender, Semaphore, mailbox, now,
    oneshot, spawn, spawn_executor, timeout,
};
use net_admin::console::{Answer, AskFn, Question, Refusal};
use net_wire::ErrorCode;

use crate::client::{ClientError, Cluster};

/// What the broker sees as the client's name.
const CLIENT_ID: &str = "flumen-console";
/// Questions that may wait.
const CALLS_LEN: usize = 16;
/// Questions that are answered at a time.
const ANSWERS_MAX: usize = 4;
/// How long an answer may take.
const ANSWER_WAIT: Duration = Duration::from_secs(12);

struct Call {
    question: Question,
    reply: OneshotSender<Answer>,
}

/// The receiving end, before there is a broker to ask.
pub struct ConsoleClient(MailReceiver<Call>);

impl std::fmt::Debug for ConsoleClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsoleClient").finish_non_exhaustive()
    }
}

/// The two ends: what the admin thread asks, and the client that will answer.
pub fn console_client() -> (AskFn, ConsoleClient) {
    let (calls, received) = mailbox(CALLS_LEN);
    let ask: AskFn = Arc::new(move |question| {
        let calls = calls.clone();
        Box::pin(async move { ask(&calls, question).await })
    });
    (ask, ConsoleClient(received))
}

async fn ask(calls: &MailSender<Call>, question: Question) -> Answer {
    let gone = || Refusal::Unavailable("the broker is not running".to_owned());
    let (reply, answer) = oneshot();
    let call = Call { question, reply };
    calls.send(call).await.map_err(|_| gone())?;
    answer.await.unwrap_or_else(|| Err(gone()))
}

impl ConsoleClient {
    /// Begins to answer, by asking the broker at `addr`. It ends when nobody can ask any more.
    pub fn serve(self, addr: SocketAddr) -> io::Result<Executor> {
        let spec = ExecutorSpec {
            name: "console".to_owned(),
            cpu: None,
        };
        let addr = reachable(addr).to_string();
        spawn_executor(spec, move || serve(self.0, addr))
    }
}

/// Where a listener is found from its own machine.
fn reachable(mut addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {},
    }
    addr
}

async fn serve(mut calls: MailReceiver<Call>, addr: String) {
    let (addr, places) = (Rc::<str>::from(addr), Semaphore::new(ANSWERS_MAX));
    while let Some(Call { question, reply }) = calls.receive().await {
        let place = places.acquire(1).await;
        let addr = Rc::clone(&addr);
        spawn(async move {
            let answer = Box::pin(answer(&addr, question));
            let told = timeout(now() + ANSWER_WAIT, answer).await;
            let late = |_| {
                Err(Refusal::Unavailable(
                    "the broker does not answer".to_owned(),
                ))
            };
            reply.send(told.unwrap_or_else(late));
            drop(place);
        })
        .detach();
    }
}

async fn answer(addr: &str, question: Question) -> Answer {
    let cluster = Cluster::connect(addr, CLIENT_ID).await;
    let cluster = cluster.map_err(|error| refusal(&error))?;
    let answer = match question {
        Question::Cluster => cluster::describe(&cluster).await,
        Question::Topics {
            filter,
            after,
            limit,
        } => topics::list(&cluster, &filter, &after, limit).await,
        Question::Topic { name, from, limit } => {
            topics::describe(&cluster, &name, from, limit).await
        },
        Question::TopicConfigs { name } => cluster::topic_configs(&cluster, &name).await,
        Question::BrokerConfigs => cluster::broker_configs(&cluster).await,
        Question::Messages(wanted) => messages::read(&cluster, &wanted).await,
        Question::Groups {
            filter,
            after,
            limit,
        } => groups::list(&cluster, &filter, &after, limit).await,
        Question::Group { id } => groups::describe(&cluster, &id).await,
    };
    answer.map_err(|error| refusal(&error))
}

fn refusal(error: &ClientError) -> Refusal {
    match error {
        ClientError::NoPartition { .. } => Refusal::NotFound(error.to_string()),
        ClientError::Refused { code, .. } => match *code {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID => {
                Refusal::NotFound(error.to_string())
            },
            ErrorCode::OFFSET_OUT_OF_RANGE | ErrorCode::INVALID_TOPIC_EXCEPTION => {
                Refusal::Invalid(error.to_string())
            },
            code if groups::is_unknown(code) => Refusal::NotFound(error.to_string()),
            _ => Refusal::Unavailable(error.to_string()),
        },
        _ => Refusal::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_found_on_loopback() {
        let found = |addr: &str| reachable(addr.parse().unwrap()).to_string();
        assert_eq!(found("0.0.0.0:9092"), "127.0.0.1:9092");
        assert_eq!(found("[::]:9092"), "[::1]:9092");
        assert_eq!(found("10.0.0.5:9092"), "10.0.0.5:9092");
    }
}

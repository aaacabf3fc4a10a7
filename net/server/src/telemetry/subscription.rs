//! Which metrics a client is asked for: the subscriptions that match it, put together.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use cluster_group::consumer::Pattern;
use cluster_meta::State;
use cluster_meta::config::{
    CLIENT_MATCH, CLIENT_METRICS, ConfigMap, PUSH_INTERVAL, client_metrics_key, elements,
};
use net_wire::Uuid;
use tracing::warn;

/// The word that asks for all metrics.
const ALL: &str = "*";

/// What a client says of itself, and what is seen of it, by the words of subscriptions.
pub(crate) type ClientFacts = [(&'static str, String); 6];

/// What one client is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// Another for whatever differs.
    pub(crate) id: i32,
    pub(crate) interval: Duration,
    /// Beginnings of names; none if nothing is wanted.
    pub(crate) metrics: Vec<String>,
}

impl Subscription {
    /// What the client's names must begin with to be taken.
    pub(crate) fn prefixes(&self) -> Vec<String> {
        if self.metrics == [ALL] {
            return vec![String::new()];
        }
        self.metrics.clone()
    }
}

/// The subscriptions of the metadata, compiled.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// All have to match; none matches nobody.
    patterns: BTreeMap<String, Option<Pattern>>,
    metrics: BTreeSet<String>,
    interval_ms: u64,
}

impl Rules {
    pub(crate) fn of(state: &State) -> Self {
        let subscriptions = state.client_metrics().iter();
        Self {
            rules: subscriptions
                .map(|(name, own)| Rule::of(name, own))
                .collect(),
        }
    }

    /// What this client is asked for, as Kafka puts it together: everything that any of them wants,
    /// as often as the most impatient one.
    pub(crate) fn subscription(&self, instance: Uuid, facts: &ClientFacts) -> Subscription {
        let mut metrics = BTreeSet::new();
        let mut interval_ms = interval_of(None);
        for rule in self.rules.iter().filter(|rule| rule.matches(facts)) {
            metrics.extend(rule.metrics.iter().cloned());
            interval_ms = interval_ms.min(rule.interval_ms);
        }
        if metrics.contains(ALL) {
            metrics = BTreeSet::from([ALL.to_owned()]);
        }
        let mut hasher = DefaultHasher::new();
        (instance, &metrics, interval_ms).hash(&mut hasher);
        Subscription {
            id: hasher.finish() as i32,
            interval: Duration::from_millis(interval_ms),
            metrics: metrics.into_iter().collect(),
        }
    }
}

impl Rule {
    fn of(name: &str, own: &ConfigMap) -> Self {
        let list = |key: &str| elements(own.get(key).map_or("", String::as_str));
        let pairs = list(CLIENT_MATCH).filter_map(|element| element.split_once('='));
        let patterns = pairs.map(|(word, text)| {
            let pattern = Pattern::new(text.trim());
            if let Err(why) = &pattern {
                warn!(subscription = name, pattern = text, %why, "a pattern matches no client");
            }
            (word.trim().to_owned(), pattern.ok())
        });
        Self {
            patterns: patterns.collect(),
            metrics: list(CLIENT_METRICS).map(str::to_owned).collect(),
            interval_ms: interval_of(own.get(PUSH_INTERVAL)),
        }
    }

    fn matches(&self, facts: &ClientFacts) -> bool {
        self.patterns.iter().all(|(word, pattern)| {
            let fact = facts.iter().find(|(known, _)| known == word);
            let pattern = pattern.as_ref();
            fact.is_some_and(|(_, fact)| pattern.is_some_and(|pattern| pattern.matches(fact)))
        })
    }
}

fn interval_of(own: Option<&String>) -> u64 {
    let default = client_metrics_key(PUSH_INTERVAL).and_then(|key| key.default);
    let text = own.map(String::as_str).or(default);
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::state_with;
    use cluster_meta::command::{AlterOp, ConfigOp, ResourceName, incremental_alter_configs};
    use cluster_meta::config::StaticConfig;

    fn rules(subscriptions: &[&[(&str, &str)]]) -> Rules {
        let mut state = state_with(&[]);
        for (number, configs) in subscriptions.iter().enumerate() {
            let name = format!("s{number}");
            let ops: Vec<_> = configs
                .iter()
                .map(|(name, value)| ConfigOp {
                    name,
                    op: AlterOp::Set,
                    value: Some(value),
                })
                .collect();
            let resource = ResourceName::ClientMetrics(&name);
            let fixed = StaticConfig::default();
            let record = incremental_alter_configs(&state, &fixed, resource, &ops).unwrap();
            state.apply(&record.unwrap());
        }
        Rules::of(&state)
    }

    fn facts(client_id: &str) -> ClientFacts {
        [
            ("client_instance_id", Uuid::ZERO.to_string()),
            ("client_id", client_id.to_owned()),
            ("client_software_name", "apache-kafka-java".to_owned()),
            ("client_software_version", "4.1.1".to_owned()),
            ("client_source_address", "127.0.0.1".to_owned()),
            ("client_source_port", "5".to_owned()),
        ]
    }

    #[test]
    fn what_matches_is_put_together() {
        let rules = rules(&[
            &[("metrics", "a.,b."), ("interval.ms", "60000")],
            &[
                ("metrics", "b.,c."),
                ("match", "client_id=one.*,client_software_version=4\\..*"),
                ("interval.ms", "1000"),
            ],
            &[("metrics", "*"), ("match", "client_id=two")],
        ]);
        let told = |client_id| {
            let subscription = rules.subscription(Uuid::ZERO, &facts(client_id));
            (
                subscription.metrics.join(" "),
                subscription.interval.as_secs(),
            )
        };
        assert_eq!(told("someone"), ("a. b.".to_owned(), 60));
        assert_eq!(told("one-more"), ("a. b. c.".to_owned(), 1));
        assert_eq!(told("two"), ("*".to_owned(), 60));
        // The whole id has to match.
        assert_eq!(told("two-more"), told("someone"));
    }

    #[test]
    fn without_a_subscription_nothing_is_wanted() {
        let rules = rules(&[&[("metrics", "a"), ("match", "client_id=(")]]);
        let subscription = rules.subscription(Uuid::ZERO, &facts("("));
        assert_eq!(subscription.interval, Duration::from_mins(5));
        assert!(subscription.metrics.is_empty() && subscription.prefixes().is_empty());
    }

    #[test]
    fn ids_tell_subscriptions_and_clients_apart() {
        let [one, two] = [rules(&[&[("metrics", "a")]]), rules(&[&[("metrics", "*")]])];
        let facts = facts("c");
        let id = |rules: &Rules, byte| {
            let instance = Uuid::from_bytes([byte; 16]);
            rules.subscription(instance, &facts).id
        };
        assert_eq!(id(&one, 1), id(&one, 1));
        assert!(id(&one, 1) != id(&two, 1) && id(&one, 1) != id(&one, 2));
        let all = two.subscription(Uuid::ZERO, &facts).prefixes();
        assert_eq!(all, [String::new()]);
    }
}

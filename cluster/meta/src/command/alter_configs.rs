//! `AlterConfigs` and `IncrementalAlterConfigs` (KIP-133, KIP-339).

use net_wire::ErrorCode;

use super::{named_configs, topic_configs};
use crate::config::{
    BrokerKey, ConfigMap, ConfigType, StaticConfig, UpdateMode, broker_canonical, broker_key,
    client_metrics_key, elements, group_key, topic_key,
};
use crate::error::MetaError;
use crate::ids::NodeId;
use crate::name;
use crate::record::{ConfigResource, Record};
use crate::state::State;

/// A resource as a request names it.
#[derive(Debug, Clone, Copy)]
pub enum ResourceName<'a> {
    /// A topic, by name.
    Topic(&'a str),
    /// A broker by number, or all brokers by an empty name.
    Broker(&'a str),
    /// A group; it need not have members.
    Group(&'a str),
    /// A subscription to client metrics.
    ClientMetrics(&'a str),
}

/// What an incremental change does, numbered as on the wire (`AlterConfigOp.OpType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum AlterOp {
    /// The key has this value.
    Set = 0,
    /// The key goes back to its default.
    Delete = 1,
    /// Elements join the list.
    Append = 2,
    /// Elements leave the list.
    Subtract = 3,
}

impl AlterOp {
    /// The operation of this number.
    pub fn from_code(code: i8) -> Option<Self> {
        [Self::Set, Self::Delete, Self::Append, Self::Subtract]
            .into_iter()
            .find(|op| *op as i8 == code)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Delete => "DELETE",
            Self::Append => "APPEND",
            Self::Subtract => "SUBTRACT",
        }
    }
}

/// One change of one key.
#[derive(Debug, Clone, Copy)]
pub struct ConfigOp<'a> {
    /// The key.
    pub name: &'a str,
    /// What happens to it.
    pub op: AlterOp,
    /// The value; ignored by delete.
    pub value: Option<&'a str>,
}

/// The record that changes some keys of a resource; none when nothing changes.
pub fn incremental_alter_configs(
    state: &State,
    fixed: &StaticConfig,
    resource: ResourceName<'_>,
    ops: &[ConfigOp<'_>],
) -> Result<Option<Record>, MetaError> {
    check_names(ops.iter().map(|op| op.name))?;
    check_nulls(
        ops.iter()
            .filter(|op| op.op != AlterOp::Delete)
            .map(|op| (op.name, op.value)),
    )?;
    let resource = resolve(state, resource)?;
    let mut wanted = state
        .dynamic_configs(&resource)
        .cloned()
        .unwrap_or_default();
    for op in ops {
        apply_op(&resource, &mut wanted, op)?;
    }
    change(state, fixed, resource, &wanted)
}

/// The record that gives a resource exactly these values; none when nothing changes.
pub fn alter_configs(
    state: &State,
    fixed: &StaticConfig,
    resource: ResourceName<'_>,
    configs: &[(&str, Option<&str>)],
) -> Result<Option<Record>, MetaError> {
    check_names(configs.iter().map(|(name, _)| *name))?;
    check_nulls(configs.iter().copied())?;
    let resource = resolve(state, resource)?;
    let values = configs
        .iter()
        .filter_map(|(name, value)| Some((*name, (*value)?)));
    let wanted = values
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    change(state, fixed, resource, &wanted)
}

fn invalid_request(message: impl Into<String>) -> MetaError {
    MetaError::new(ErrorCode::INVALID_REQUEST, message)
}

fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), MetaError> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    if names
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a == b))
    {
        return Err(invalid_request("Error due to duplicate config keys"));
    }
    Ok(())
}

fn check_nulls<'a>(
    values: impl Iterator<Item = (&'a str, Option<&'a str>)>,
) -> Result<(), MetaError> {
    let nulls = values
        .filter(|(_, value)| value.is_none())
        .map(|(name, _)| name);
    let nulls: Vec<&str> = nulls.collect();
    if nulls.is_empty() {
        return Ok(());
    }
    Err(invalid_request(format!(
        "Null value not supported for : {}",
        nulls.join(", ")
    )))
}

/// The resource of this name; it must be there.
fn resolve(state: &State, resource: ResourceName<'_>) -> Result<ConfigResource, MetaError> {
    match resource {
        ResourceName::Topic("") => Err(invalid_request("Default topic resources are not allowed.")),
        ResourceName::Topic(name) => {
            name::validate(name)
                .map_err(|why| MetaError::new(ErrorCode::INVALID_TOPIC_EXCEPTION, why))?;
            let topic = state.topic_by_name(name).ok_or_else(|| {
                let message = format!("The topic '{name}' does not exist.");
                MetaError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message)
            })?;
            Ok(ConfigResource::Topic(topic.topic_id))
        },
        ResourceName::Broker("") => Ok(ConfigResource::ClusterDefault),
        ResourceName::Broker(name) => resolve_broker(state, name),
        ResourceName::Group("") => Err(invalid_request("Default group resources are not allowed.")),
        ResourceName::Group(name) => Ok(ConfigResource::Group(name.to_owned())),
        ResourceName::ClientMetrics("") => Err(invalid_request("Subscription name can't be empty")),
        ResourceName::ClientMetrics(name) => Ok(ConfigResource::ClientMetrics(name.to_owned())),
    }
}

fn resolve_broker(state: &State, name: &str) -> Result<ConfigResource, MetaError> {
    let Ok(node) = name.parse().map(NodeId) else {
        let message = format!("Node id must be an integer, but it is: {name}");
        return Err(invalid_request(message));
    };
    if state.brokers().any(|known| known == node) {
        return Ok(ConfigResource::Broker(node));
    }
    let expected = state.cluster().map_or(-1, |cluster| cluster.node_id.0);
    Err(invalid_request(format!(
        "Unexpected broker id, expected {expected}, but received {name}"
    )))
}

fn apply_op(
    resource: &ConfigResource,
    wanted: &mut ConfigMap,
    op: &ConfigOp<'_>,
) -> Result<(), MetaError> {
    let value = op.value.unwrap_or_default();
    match op.op {
        AlterOp::Set => {
            wanted.insert(op.name.to_owned(), value.to_owned());
        },
        AlterOp::Delete => {
            wanted.remove(op.name);
        },
        AlterOp::Append | AlterOp::Subtract => {
            let default = list_default(resource, op)?;
            let now = wanted.get(op.name).map_or(default, String::as_str);
            let changed = change_list(now, op.op, value);
            wanted.insert(op.name.to_owned(), changed);
        },
    }
    Ok(())
}

/// The default of a list key, to which elements are added while the key is not set.
fn list_default(resource: &ConfigResource, op: &ConfigOp<'_>) -> Result<&'static str, MetaError> {
    let key = match resource {
        ConfigResource::Topic(_) => topic_key(op.name).map(|row| &row.key),
        ConfigResource::Broker(_) | ConfigResource::ClusterDefault => {
            broker_key(op.name).map(|row| &row.key)
        },
        ConfigResource::Group(_) => group_key(op.name).map(|row| &row.key),
        ConfigResource::ClientMetrics(_) => client_metrics_key(op.name),
    };
    match key {
        Some(key) if key.kind == ConfigType::List => Ok(key.default.unwrap_or_default()),
        _ => {
            let (op, name) = (op.op.name(), op.name);
            let message = format!("Can't {op} to key {name} because its type is not LIST.");
            Err(MetaError::new(ErrorCode::INVALID_CONFIG, message))
        },
    }
}

/// A list with elements added that it lacks, or removed that it has.
fn change_list(now: &str, op: AlterOp, value: &str) -> String {
    let mut list: Vec<&str> = elements(now).collect();
    for element in elements(value) {
        if op == AlterOp::Subtract {
            list.retain(|have| *have != element);
        } else if !list.contains(&element) {
            list.push(element);
        }
    }
    list.join(",")
}

/// The difference between what the resource has and what it shall have, checked.
fn change(
    state: &State,
    fixed: &StaticConfig,
    resource: ConfigResource,
    wanted: &ConfigMap,
) -> Result<Option<Record>, MetaError> {
    let values = wanted
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let wanted = match resource {
        ConfigResource::Topic(_) => topic_configs::checked(state, fixed, values)?,
        ConfigResource::Broker(_) => checked_broker(values, true)?,
        ConfigResource::ClusterDefault => checked_broker(values, false)?,
        ConfigResource::Group(_) => named_configs::checked_group(state, fixed, values)?,
        ConfigResource::ClientMetrics(_) => named_configs::checked_client_metrics(values)?,
    };
    let nothing = ConfigMap::new();
    let now = state.dynamic_configs(&resource).unwrap_or(&nothing);
    let removed: Vec<String> = now
        .keys()
        .filter(|name| !wanted.contains_key(*name))
        .cloned()
        .collect();
    let set: ConfigMap = wanted
        .into_iter()
        .filter(|(name, value)| now.get(name) != Some(value))
        .collect();
    let changes = !set.is_empty() || !removed.is_empty();
    Ok(changes.then_some(Record::ConfigsChanged {
        resource,
        set,
        removed,
    }))
}

/// Dynamic values of one broker, or of all: which keys may change while a broker runs is Kafka's
/// choice, and so is the order of these checks.
fn checked_broker<'a>(
    values: impl Iterator<Item = (&'a str, &'a str)>,
    of_one: bool,
) -> Result<ConfigMap, MetaError> {
    let mut rows: Vec<(&BrokerKey, &str)> = Vec::new();
    let mut unknown = Vec::new();
    for (name, value) in values {
        match broker_key(name) {
            Some(row) if row.update != UpdateMode::ReadOnly => rows.push((row, value)),
            _ => unknown.push(name),
        }
    }
    refuse_keys("Cannot update these configs dynamically", &unknown)?;
    let of_mode = |mode| {
        let named = rows.iter().filter(move |(row, _)| row.update == mode);
        named.map(|(row, _)| row.key.name).collect::<Vec<_>>()
    };
    refuse_keys(
        "These security configs can be dynamically updated only per-listener using the listener \
         prefix",
        &of_mode(UpdateMode::PerListener),
    )?;
    let canonical = rows.iter().map(|(row, value)| {
        let value = broker_canonical(row, value).map_err(invalid_request)?;
        Ok((row.key.name.to_owned(), value))
    });
    let configs = canonical.collect::<Result<ConfigMap, MetaError>>()?;
    if !of_one {
        refuse_keys(
            "Cannot update these configs at default cluster level, broker id must be specified",
            &of_mode(UpdateMode::PerBroker),
        )?;
    }
    Ok(configs)
}

/// A refusal that names these keys, if there are any, as Scala prints a set.
fn refuse_keys(why: &str, names: &[&str]) -> Result<(), MetaError> {
    if names.is_empty() {
        return Ok(());
    }
    Err(invalid_request(format!("{why}: Set({})", names.join(", "))))
}

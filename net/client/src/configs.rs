//! Calls about configurations.

use net_wire::frame::decode_response;
use net_wire::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse,
};
use net_wire::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, OP_DELETE, OP_SET,
};
use net_wire::messages::{ConfigResource, ConfigSource};

use super::connection::Connection;
use super::error::ClientError;

/// What has configurations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configured<'a> {
    /// A topic, by its name.
    Topic(&'a str),
    /// A broker, by its id.
    Broker(i32),
}

/// One configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The key.
    pub name: String,
    /// The value; none where it is secret or null.
    pub value: Option<String>,
    /// Where it comes from; see [`ConfigSource`].
    pub source: i8,
    /// Whether it cannot be changed while the broker runs.
    pub is_read_only: bool,
    /// What it does, if the broker says so.
    pub documentation: Option<String>,
}

impl Config {
    /// Where the value comes from, in a word.
    pub const fn origin(&self) -> &'static str {
        match self.source {
            ConfigSource::TOPIC => "topic",
            ConfigSource::DYNAMIC_BROKER => "broker",
            ConfigSource::DYNAMIC_DEFAULT_BROKER => "cluster",
            ConfigSource::STATIC_BROKER => "start",
            ConfigSource::DEFAULT => "default",
            _ => "unknown",
        }
    }
}

/// A change of one key of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigChange<'a> {
    /// It gets this value.
    Set(&'a str, &'a str),
    /// It goes back to its default.
    Delete(&'a str),
}

impl<'a> From<ConfigChange<'a>> for AlterableConfig<'a> {
    fn from(change: ConfigChange<'a>) -> Self {
        let (name, config_operation, value) = match change {
            ConfigChange::Set(name, value) => (name, OP_SET, Some(value)),
            ConfigChange::Delete(name) => (name, OP_DELETE, None),
        };
        Self {
            name,
            config_operation,
            value,
        }
    }
}

impl Connection {
    /// All configurations of a topic or broker, by key.
    pub async fn describe_configs(&self, of: Configured<'_>) -> Result<Vec<Config>, ClientError> {
        let id;
        let (resource_type, resource_name) = match of {
            Configured::Topic(name) => (ConfigResource::TOPIC, name),
            Configured::Broker(node) => {
                id = node.to_string();
                (ConfigResource::BROKER, id.as_str())
            },
        };
        let request = DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type,
                resource_name,
                configuration_keys: None,
            }],
            include_synonyms: false,
            include_documentation: true,
        };
        let read = |frame: &[u8], version| {
            let (_, answer) = decode_response::<DescribeConfigsResponse<'_>>(frame, version)?;
            let result = answer.results.first();
            Ok(result.map(|one| {
                let told = ClientError::check(one.error_code, one.error_message.as_deref());
                told.map(|()| one.configs.iter().map(owned).collect())
            }))
        };
        let result = self.call(&request, read).await?;
        let mut configs: Vec<Config> = result.ok_or(ClientError::Missing("the resource"))??;
        configs.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(configs)
    }

    /// Changes keys of a topic's configuration, all of them or none; the others stay as they are.
    /// With `validate_only` nothing is changed.
    pub async fn alter_topic_configs(
        &self,
        name: &str,
        changes: &[ConfigChange<'_>],
        validate_only: bool,
    ) -> Result<(), ClientError> {
        let request = IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: ConfigResource::TOPIC,
                resource_name: name,
                configs: changes.iter().copied().map(Into::into).collect(),
            }],
            validate_only,
        };
        let outcome = self.call(&request, |frame, version| {
            let (_, answer) =
                decode_response::<IncrementalAlterConfigsResponse<'_>>(frame, version)?;
            let result = answer.responses.first();
            Ok(result.map(|one| ClientError::check(one.error_code, one.error_message.as_deref())))
        });
        outcome
            .await?
            .ok_or(ClientError::Missing("the topic's result"))?
    }

    /// Sets keys of a topic's configuration; the others stay as they are.
    pub async fn set_topic_configs(
        &self,
        name: &str,
        configs: &[(&str, &str)],
    ) -> Result<(), ClientError> {
        let changes: Vec<ConfigChange<'_>> = configs
            .iter()
            .map(|(key, value)| ConfigChange::Set(key, value))
            .collect();
        self.alter_topic_configs(name, &changes, false).await
    }
}

fn owned(config: &DescribeConfigsResourceResult<'_>) -> Config {
    Config {
        name: config.name.to_owned(),
        value: config.value.as_deref().map(str::to_owned),
        source: config.config_source,
        is_read_only: config.read_only,
        documentation: config.documentation.as_deref().map(str::to_owned),
    }
}

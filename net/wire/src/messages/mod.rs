//! The messages, one file per API; each file opens with what its versions changed.
//!
//! A structure has the fields of all versions; one that a version lacks reads as its default and is
//! not written. Names are Kafka's, in Rust's spelling.

pub mod alter_client_quotas;
pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod alter_user_scram_credentials;
pub mod api_versions;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod create_acls;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_acls;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_topic_partitions;
pub mod describe_transactions;
pub mod describe_user_scram_credentials;
pub mod elect_leaders;
pub mod fetch;
pub mod find_coordinator;
pub mod get_telemetry_subscriptions;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leader;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod list_transactions;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod push_telemetry;
pub mod quota_entity;
pub mod sync_group;
pub mod update_features;

/// What `authorized_operations` fields say when nobody asked.
pub const AUTHORIZED_OPERATIONS_OMITTED: i32 = i32::MIN;

macro_rules! codes {
    ($(
        $(#[$doc:meta])*
        $name:ident { $( $(#[$code_doc:meta])* $code:ident = $value:literal, )* }
    )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;

        impl $name {
            $( $(#[$code_doc])* pub const $code: i8 = $value; )*
        }
    )* };
}

codes! {
    /// Types of resources that have configurations.
    ConfigResource {
        /// A topic.
        TOPIC = 2,
        /// A broker; the empty name stands for all.
        BROKER = 4,
        /// The log levels of a broker.
        BROKER_LOGGER = 8,
        /// A subscription to client metrics (KIP-714).
        CLIENT_METRICS = 16,
        /// A consumer group.
        GROUP = 32,
    }

    /// Where a configuration's value comes from (KIP-226).
    ConfigSource {
        /// Set on the topic.
        TOPIC = 1,
        /// Set on this broker while it runs.
        DYNAMIC_BROKER = 2,
        /// Set on all brokers while they run.
        DYNAMIC_DEFAULT_BROKER = 3,
        /// Given at start.
        STATIC_BROKER = 4,
        /// The default.
        DEFAULT = 5,
    }

    /// Types of configuration values (KIP-569).
    ConfigType {
        /// true or false.
        BOOLEAN = 1,
        /// Text.
        STRING = 2,
        /// 32 bits.
        INT = 3,
        /// 16 bits.
        SHORT = 4,
        /// 64 bits.
        LONG = 5,
        /// A decimal number.
        DOUBLE = 6,
        /// Elements between commas.
        LIST = 7,
        /// The name of a Java class.
        CLASS = 8,
        /// A secret.
        PASSWORD = 9,
    }
}

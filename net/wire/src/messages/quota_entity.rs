//! Whose a quota is, as both APIs of quotas say it (KIP-546).

use crate::schema::schema;

schema! {
    /// One part of an entity.
    pub struct EntityData<'a> {
        /// The type: `user`, `client-id` or `ip`.
        entity_type: &'a str [0..],
        /// The name; null stands for the default.
        entity_name: Option<&'a str> [0.., null 0..],
    }
}

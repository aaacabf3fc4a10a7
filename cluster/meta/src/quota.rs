//! Client quotas: for whom, and how much (KIP-546).

use std::collections::BTreeMap;

use crate::codec::{DecodeError, Reader, Writer};

/// What a part of an entity names, by Kafka's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum QuotaEntityType {
    /// `user`: who a client is.
    User = 1,
    /// `client-id`: what it calls itself.
    ClientId = 2,
    /// `ip`: where it comes from.
    Ip = 3,
}

impl QuotaEntityType {
    const ALL: [Self; 3] = [Self::User, Self::ClientId, Self::Ip];

    /// Kafka's word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ClientId => "client-id",
            Self::Ip => "ip",
        }
    }

    /// The type that this word means.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == code)
    }
}

/// For whom a quota holds: a name for each part; none stands for all that have no quota of their
/// own.
pub type QuotaEntity = BTreeMap<QuotaEntityType, Option<String>>;

/// How much is allowed. Equal are values of the same bits, so that states can be compared.
#[derive(Debug, Clone, Copy)]
pub struct QuotaValue(pub f64);

impl PartialEq for QuotaValue {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for QuotaValue {}

/// Quotas of one entity by their names.
pub type Quotas = BTreeMap<String, QuotaValue>;

/// What of a client's doing has a quota that slows it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientQuotaKind {
    /// Bytes of produce requests in a second.
    Produce,
    /// Bytes of fetched records in a second.
    Fetch,
    /// Percent of a core's time that all of its requests take.
    Request,
}

impl ClientQuotaKind {
    /// Kafka's name of the quota.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Produce => "producer_byte_rate",
            Self::Fetch => "consumer_byte_rate",
            Self::Request => "request_percentage",
        }
    }
}

/// A quota as it holds for one client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClientQuota {
    /// How much is allowed in a second.
    pub limit: f64,
    /// Whether users are counted apart.
    pub by_user: bool,
    /// Whether clients of different ids are counted apart.
    pub by_client_id: bool,
}

/// The quota that holds for a client: that of the first of these entities that has one, as Kafka
/// looks for it. What is of a user alone is shared by all clients of that user.
pub(crate) fn quota_of(
    quotas: &BTreeMap<QuotaEntity, Quotas>,
    user: &str,
    client_id: &str,
    kind: ClientQuotaKind,
) -> Option<ClientQuota> {
    use QuotaEntityType::{ClientId, User};
    let (user, any_user) = ((User, Some(user)), (User, None));
    let (client, any_client) = ((ClientId, Some(client_id)), (ClientId, None));
    let order: [&[(QuotaEntityType, Option<&str>)]; 8] = [
        &[user, client],
        &[user, any_client],
        &[user],
        &[any_user, client],
        &[any_user, any_client],
        &[any_user],
        &[client],
        &[any_client],
    ];
    order.into_iter().find_map(|parts| {
        let parts = parts.iter();
        let parts = parts.map(|(kind, name)| (*kind, name.map(str::to_owned)));
        let entity: QuotaEntity = parts.collect();
        let limit = quotas.get(&entity)?.get(kind.key())?;
        Some(ClientQuota {
            limit: limit.0,
            by_user: entity.contains_key(&User),
            by_client_id: entity.contains_key(&ClientId),
        })
    })
}

/// Smallest encodings.
const PART_BYTES_MIN: usize = 2;
const QUOTA_BYTES_MIN: usize = 12;

/// Whether an entity is such as commands let through.
pub(crate) fn is_entity(entity: &QuotaEntity) -> bool {
    let has = |kind| entity.contains_key(&kind);
    let alone =
        has(QuotaEntityType::Ip) != (has(QuotaEntityType::User) || has(QuotaEntityType::ClientId));
    alone && !entity.values().any(|name| name.as_deref() == Some(""))
}

pub(crate) fn encode_entity(out: &mut Writer, entity: &QuotaEntity) {
    out.count(entity.len());
    for (kind, name) in entity {
        out.u8(*kind as u8);
        out.u8(u8::from(name.is_some()));
        if let Some(name) = name {
            out.string(name);
        }
    }
}

pub(crate) fn decode_entity(from: &mut Reader<'_>) -> Result<QuotaEntity, DecodeError> {
    let parts = from.list(PART_BYTES_MIN, |from| {
        let kind = QuotaEntityType::from_code(from.u8()?);
        let kind = kind.ok_or(DecodeError::Invalid("type of a quota's entity"))?;
        let name = match from.u8()? {
            0 => None,
            1 => Some(from.string()?),
            _ => return Err(DecodeError::Invalid("mark of a quota's entity")),
        };
        Ok((kind, name))
    })?;
    Ok(parts.into_iter().collect())
}

pub(crate) fn encode_quotas(out: &mut Writer, quotas: &Quotas) {
    out.count(quotas.len());
    for (key, value) in quotas {
        out.string(key);
        out.i64(value.0.to_bits().cast_signed());
    }
}

pub(crate) fn decode_quotas(from: &mut Reader<'_>) -> Result<Quotas, DecodeError> {
    let pairs = from.list(QUOTA_BYTES_MIN, |from| {
        let key = from.string()?;
        let value = f64::from_bits(from.i64()?.cast_unsigned());
        Ok((key, QuotaValue(value)))
    })?;
    Ok(pairs.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quotas whose limit is their place in this list.
    fn quotas(entities: &[&[(&str, Option<&str>)]]) -> BTreeMap<QuotaEntity, Quotas> {
        let entity = |parts: &[(&str, Option<&str>)]| {
            let parts = parts.iter();
            let parts = parts.map(|(kind, name)| {
                let kind = QuotaEntityType::from_name(kind).unwrap();
                (kind, name.map(str::to_owned))
            });
            parts.collect::<QuotaEntity>()
        };
        let value = |place| {
            let key = ClientQuotaKind::Fetch.key().to_owned();
            Quotas::from([(key, QuotaValue(f64::from(place)))])
        };
        let places = entities.iter().zip(1_u8..);
        places
            .map(|(parts, place)| (entity(parts), value(place)))
            .collect()
    }

    /// Kafka's order, as KIP-55 and KIP-257 give it.
    const ORDER: [&[(&str, Option<&str>)]; 8] = [
        &[("user", Some("u")), ("client-id", Some("c"))],
        &[("user", Some("u")), ("client-id", None)],
        &[("user", Some("u"))],
        &[("user", None), ("client-id", Some("c"))],
        &[("user", None), ("client-id", None)],
        &[("user", None)],
        &[("client-id", Some("c"))],
        &[("client-id", None)],
    ];

    #[test]
    fn the_first_entity_in_kafkas_order_has_the_quota() {
        let of = |quotas: &_| quota_of(quotas, "u", "c", ClientQuotaKind::Fetch);
        for begin in 0..ORDER.len() {
            let quotas = quotas(&ORDER[begin..]);
            assert_eq!(of(&quotas).unwrap().limit as i64, 1, "{begin}");
        }
        assert_eq!(of(&BTreeMap::new()), None);
    }

    #[test]
    fn who_shares_a_quota_follows_from_its_entity() {
        for (place, parts) in ORDER.iter().enumerate() {
            let quota = quota_of(&quotas(&[parts]), "u", "c", ClientQuotaKind::Fetch).unwrap();
            let shares = (quota.by_user, quota.by_client_id);
            let expected = match place {
                2 | 5 => (true, false),
                6 | 7 => (false, true),
                _ => (true, true),
            };
            assert_eq!(shares, expected, "{parts:?}");
        }
    }

    #[test]
    fn others_have_no_part_in_it() {
        let quotas = quotas(&[
            &[("user", Some("v")), ("client-id", Some("c"))],
            &[("user", Some("v"))],
            &[("client-id", Some("d"))],
            &[("ip", None)],
        ]);
        let of = |kind| quota_of(&quotas, "u", "c", kind);
        assert_eq!(of(ClientQuotaKind::Fetch), None);
        assert!(quota_of(&quotas, "v", "c", ClientQuotaKind::Fetch).is_some());
        // The entity has a quota, but not of this name.
        assert_eq!(quota_of(&quotas, "v", "c", ClientQuotaKind::Produce), None);
    }
}

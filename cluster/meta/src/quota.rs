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

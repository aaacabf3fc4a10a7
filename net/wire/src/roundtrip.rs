//! Every message in every version it is known in: what is encoded decodes to itself, and no
//! damaged form of it panics.

use proptest::prelude::*;

use crate::reader::Reader;
use crate::sample::{Sample, sample_and_encode};
use crate::wire::Message;

/// Decodes all of `bytes`.
fn decode<'a, M: Message<'a>>(bytes: &'a [u8], version: i16) -> M {
    let mut r = Reader::new(bytes, M::API.is_flexible(version));
    let value = M::read(&mut r, version).unwrap();
    assert!(
        r.rest().is_empty(),
        "{:?} version {version} leaves bytes",
        M::API
    );
    value
}

fn round_trip<M>(seed: u64)
where
    M: Message<'static> + Sample<'static> + PartialEq + std::fmt::Debug,
{
    for version in M::API.versions() {
        let (value, bytes) = sample_and_encode::<M>(seed, version);
        let bytes = bytes.leak();
        assert_eq!(
            decode::<M>(bytes, version),
            value,
            "{:?} version {version}",
            M::API
        );
    }
}

/// Truncated at every length, and with `damage` written over it: an error or a value, no panic.
fn survive<M: Message<'static> + Sample<'static>>(seed: u64, damage: &[(usize, u8)]) {
    for version in M::API.versions() {
        let (_, mut bytes) = sample_and_encode::<M>(seed, version);
        for &(position, byte) in damage {
            let len = bytes.len().max(1);
            if let Some(place) = bytes.get_mut(position % len) {
                *place = byte;
            }
        }
        let bytes: &'static [u8] = bytes.leak();
        for end in 0..bytes.len().min(200) {
            let _ = M::decode(&bytes[..end], version);
        }
        let _ = M::decode(bytes, version);
    }
}

macro_rules! tests_of {
    ($module:ident $($name:ident)*) => {
        mod $module {
            use super::*;
            use crate::messages::$module::*;

            proptest! {
                #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

                #[test]
                fn round_trips(seed: u64) {
                    $( round_trip::<$name>(seed); )*
                }

                #[test]
                fn damage_never_panics(
                    seed: u64,
                    damage in prop::collection::vec(any::<(usize, u8)>(), 0..4),
                ) {
                    $( survive::<$name>(seed, &damage); )*
                }

                #[test]
                fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
                    let bytes: &'static [u8] = bytes.leak();
                    $( for version in <$name as Message<'_>>::API.versions() {
                        let _ = <$name as Message<'_>>::decode(bytes, version);
                    } )*
                }
            }
        }
    };
}

each_message!(tests_of);

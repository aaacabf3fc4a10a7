//! The macro that turns a table of fields into a structure with its codec.
//!
//! A field is `name: Type [versions] = default`. Behind the versions may stand `null versions`
//! (versions in which null is allowed; the type is an `Option`) or `tag N` (a tagged field of a
//! flexible version, KIP-482: sent only when it differs from its default). A field that a version
//! lacks reads as its default. Tagged fields are listed in ascending order of their tags. The place
//! of a field `throttle_time_ms` is noted in what is encoded.

use core::ops::RangeBounds;

/// Whether a version of a message has a field.
#[inline]
pub(crate) fn has(versions: impl RangeBounds<i16>, version: i16) -> bool {
    versions.contains(&version)
}

/// Declares structures of a message; `for Api` after the name marks a request or response.
macro_rules! schema {
    () => {};
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(<$lt:lifetime>)? $(for $api:ident)? {
            $(
                $(#[$field_meta:meta])*
                $field:ident : $type:ty [ $($spec:tt)* ] $(= $default:expr)?
            ),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name $(<$lt>)? {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        impl $(<$lt>)? Default for $name $(<$lt>)? {
            fn default() -> Self {
                Self { $( $field: $crate::schema::schema_field!(@default $($default)?), )* }
            }
        }

        $crate::schema::schema_impl!(
            [$($lt)?] $name $(for $api)? { $( $field: $type [ $($spec)* ] )* }
        );
        $crate::schema::schema!($($rest)*);
    };
}

/// Gives structures without a lifetime one for the trait, so that one rule serves both.
macro_rules! schema_impl {
    ([] $name:ident $(for $api:ident)? { $($fields:tt)* }) => {
        $crate::schema::schema_impl!(@codec 'wire, $name, { $($fields)* });
        $( $crate::schema::schema_impl!(@message 'wire, $name, $api); )?
    };
    ([$lt:lifetime] $name:ident $(for $api:ident)? { $($fields:tt)* }) => {
        $crate::schema::schema_impl!(@codec $lt, $name<$lt>, { $($fields)* });
        $( $crate::schema::schema_impl!(@message $lt, $name<$lt>, $api); )?
    };
    (@message $lt:lifetime, $target:ty, $api:ident) => {
        impl<$lt> $crate::wire::Message<$lt> for $target {
            const API: $crate::api::ApiKey = $crate::api::ApiKey::$api;
        }
    };
    (@codec $lt:lifetime, $target:ty, { $( $field:ident : $type:ty [ $($spec:tt)* ] )* }) => {
        impl<$lt> $crate::wire::Wire<$lt> for $target {
            fn read(
                r: &mut $crate::reader::Reader<$lt>,
                version: i16,
            ) -> Result<Self, $crate::error::WireError> {
                let mut this = Self::default();
                $( $crate::schema::schema_field!(@read this r version $field $($spec)*); )*
                for _ in 0..r.tag_count()? {
                    let (tag, tail) = r.enter_tag()?;
                    $(
                        $crate::schema::schema_field!(
                            @read_tag this r version tag $field $($spec)*
                        );
                    )*
                    let _ = tag;
                    r.leave_tag(&tail);
                }
                Ok(this)
            }

            fn write(&self, w: &mut $crate::writer::Writer, version: i16) {
                let this = self;
                $( $crate::schema::schema_field!(@write this w version $field $($spec)*); )*
                if w.is_flexible() {
                    let tags = 0
                        $( + $crate::schema::schema_field!(@count this version $field $($spec)*) )*;
                    w.uvarint(tags);
                    $( $crate::schema::schema_field!(@write_tag this w version $field $($spec)*); )*
                }
            }
        }

        #[cfg(test)]
        impl<$lt> $crate::sample::Sample<$lt> for $target {
            fn sample(s: &mut $crate::sample::Sampler<$lt>, version: i16) -> Self {
                let mut this = Self::default();
                $( $crate::schema::schema_field!(@sample this s version $field $($spec)*); )*
                this
            }
        }
    };
}

/// What one field contributes to each function of its structure.
macro_rules! schema_field {
    (@default) => {
        Default::default()
    };
    (@default $default:expr) => {
        $default
    };

    (@read $this:ident $r:ident $v:ident $field:ident $versions:expr) => {
        if $crate::schema::has($versions, $v) {
            $this.$field = $crate::wire::Wire::read($r, $v)?;
        }
    };
    (@read $this:ident $r:ident $v:ident $field:ident $versions:expr, null $nulls:expr) => {
        if $crate::schema::has($versions, $v) {
            $this.$field = $crate::wire::Wire::read($r, $v)?;
            if $this.$field.is_none() && !$crate::schema::has($nulls, $v) {
                return Err($crate::error::WireError::UnexpectedNull(stringify!($field)));
            }
        }
    };
    (@read $this:ident $r:ident $v:ident $field:ident $versions:expr, tag $tag:literal) => {};

    (@read_tag
        $this:ident $r:ident $v:ident $t:ident $field:ident $versions:expr, tag $tag:literal
    ) => {
        if $t == $tag && $crate::schema::has($versions, $v) {
            $this.$field = $crate::wire::Wire::read($r, $v)?;
        }
    };
    (@read_tag $this:ident $r:ident $v:ident $t:ident $field:ident $($spec:tt)*) => {};

    // Known only after the rest of the answer: noted, so that it can be written again.
    (@write $this:ident $w:ident $v:ident throttle_time_ms $versions:expr) => {
        if $crate::schema::has($versions, $v) {
            $w.throttle_time(|w| $crate::wire::Wire::write(&$this.throttle_time_ms, w, $v));
        }
    };
    (@write $this:ident $w:ident $v:ident $field:ident $versions:expr) => {
        if $crate::schema::has($versions, $v) {
            $crate::wire::Wire::write(&$this.$field, $w, $v);
        }
    };
    (@write $this:ident $w:ident $v:ident $field:ident $versions:expr, null $nulls:expr) => {
        if $crate::schema::has($versions, $v) {
            if $this.$field.is_none() && !$crate::schema::has($nulls, $v) {
                $w.fail($crate::error::WireError::UnexpectedNull(stringify!($field)));
            }
            $crate::wire::Wire::write(&$this.$field, $w, $v);
        }
    };
    (@write $this:ident $w:ident $v:ident $field:ident $versions:expr, tag $tag:literal) => {};

    (@count $this:ident $v:ident $field:ident $versions:expr, tag $tag:literal) => {
        u32::from($crate::schema::has($versions, $v) && $this.$field != Self::default().$field)
    };
    (@count $this:ident $v:ident $field:ident $($spec:tt)*) => {
        0
    };

    (@write_tag $this:ident $w:ident $v:ident $field:ident $versions:expr, tag $tag:literal) => {
        if $crate::schema::has($versions, $v) && $this.$field != Self::default().$field {
            $w.tagged($tag, |w| $crate::wire::Wire::write(&$this.$field, w, $v));
        }
    };
    (@write_tag $this:ident $w:ident $v:ident $field:ident $($spec:tt)*) => {};

    (@sample $this:ident $s:ident $v:ident $field:ident $versions:expr, null $nulls:expr) => {
        if $crate::schema::has($versions, $v) {
            $this.$field = $crate::sample::Sample::sample($s, $v);
            while $this.$field.is_none() && !$crate::schema::has($nulls, $v) {
                $this.$field = $crate::sample::Sample::sample($s, $v);
            }
        }
    };
    (@sample $this:ident $s:ident $v:ident $field:ident $versions:expr $(, tag $tag:literal)?) => {
        if $crate::schema::has($versions, $v) {
            $this.$field = $crate::sample::Sample::sample($s, $v);
        }
    };
}

pub(crate) use {schema, schema_field, schema_impl};

//! One configuration key: its type, its default, what values it takes.
//!
//! The words of a refusal are those of Kafka's `ConfigDef`, because tools show them to people and
//! scripts match them.

use super::duration::is_time_back;

/// The type of a key's value, numbered as `DescribeConfigs` sends it (`ConfigResponse.ConfigType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigType {
    /// `true` or `false`, in any case.
    Boolean = 1,
    /// Text.
    String = 2,
    /// 32 bits, signed.
    Int = 3,
    /// 16 bits, signed.
    Short = 4,
    /// 64 bits, signed.
    Long = 5,
    /// A double.
    Double = 6,
    /// Elements separated by commas.
    List = 7,
    /// The name of a Java class; kept for the rows tools expect.
    Class = 8,
    /// A secret, never shown.
    Password = 9,
}

impl ConfigType {
    fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// What values a key takes beyond its type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Check {
    /// Any of its type.
    Any,
    /// This or above.
    AtLeast(i64),
    /// These two and what lies between.
    Between(i64, i64),
    /// A share of one.
    Ratio,
    /// 1 to 9, or -1 for the codec's own choice.
    GzipLevel,
    /// One of these words; of a list, each element.
    OneOf(&'static [&'static str]),
    /// The same, where small and large letters are one.
    OneOfAnyCase(&'static [&'static str]),
    /// Some text.
    NonEmpty,
    /// Where a share group begins: `latest`, `earliest`, or a time back from now.
    OffsetReset,
    /// `partition:broker` pairs, or a star for all.
    ThrottledReplicas,
}

/// One key of a configuration table.
#[derive(Debug, Clone, Copy)]
pub struct ConfigKey {
    /// Kafka's name.
    pub name: &'static str,
    /// Type of the value.
    pub kind: ConfigType,
    /// Value when nobody set one; none is shown as null.
    pub default: Option<&'static str>,
    /// Values accepted.
    pub check: Check,
    /// What it does, for people.
    pub doc: &'static str,
}

impl ConfigKey {
    /// The value in the form in which it is kept and shown, or Kafka's words of refusal.
    ///
    /// Kafka keeps what was written and parses at every use; kept in one form, a value reads the
    /// same in every tool.
    pub fn canonical(&self, raw: &str) -> Result<String, String> {
        let value = self.typed(raw)?;
        self.check(&value, raw.trim())?;
        Ok(value.text())
    }

    fn typed(&self, raw: &str) -> Result<Value, String> {
        let text = raw.trim();
        let number = |parsed: Option<i64>| {
            let why = || self.refusal(raw, &format!("Not a number of type {}", self.kind.name()));
            parsed.map(Value::Integer).ok_or_else(why)
        };
        match self.kind {
            ConfigType::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Value::Text("true".to_owned())),
                "false" => Ok(Value::Text("false".to_owned())),
                _ => Err(self.refusal(raw, "Expected value to be either true or false")),
            },
            ConfigType::Short => number(text.parse::<i16>().ok().map(i64::from)),
            ConfigType::Int => number(text.parse::<i32>().ok().map(i64::from)),
            ConfigType::Long => number(text.parse::<i64>().ok()),
            ConfigType::Double => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Value::Double(number)),
                _ => Err(self.refusal(raw, "Not a number of type DOUBLE")),
            },
            ConfigType::List => Ok(Value::List(elements(text).map(str::to_owned).collect())),
            ConfigType::String | ConfigType::Class | ConfigType::Password => {
                Ok(Value::Text(text.to_owned()))
            },
        }
    }

    fn check(&self, value: &Value, text: &str) -> Result<(), String> {
        match (self.check, value) {
            (Check::AtLeast(least), Value::Integer(number)) if *number < least => {
                Err(self.refusal(text, &format!("Value must be at least {least}")))
            },
            (Check::Between(least, _), Value::Integer(number)) if *number < least => {
                Err(self.refusal(text, &format!("Value must be at least {least}")))
            },
            (Check::Between(_, most), Value::Integer(number)) if *number > most => {
                Err(self.refusal(text, &format!("Value must be no more than {most}")))
            },
            (Check::GzipLevel, Value::Integer(number))
                if *number != -1 && !(1..=9).contains(number) =>
            {
                Err(self.refusal(text, "Value must be between 1 and 9 or equal to -1"))
            },
            (Check::Ratio, Value::Double(number)) if *number < 0.0 => {
                Err(self.refusal(&value.text(), "Value must be at least 0"))
            },
            (Check::Ratio, Value::Double(number)) if *number > 1.0 => {
                Err(self.refusal(&value.text(), "Value must be no more than 1"))
            },
            (Check::OneOf(words), Value::Text(word)) => self.one_of(words, word),
            (Check::OneOf(words), Value::List(list)) => {
                list.iter().try_for_each(|word| self.one_of(words, word))
            },
            (Check::ThrottledReplicas, Value::List(list)) => self.throttled_replicas(list),
            (_, Value::Text(word)) => self.check_text(word),
            _ => Ok(()),
        }
    }

    fn check_text(&self, text: &str) -> Result<(), String> {
        let refused = |why: &str| Err(self.refusal(text, why));
        match self.check {
            Check::OneOfAnyCase(words)
                if !words.iter().any(|word| word.eq_ignore_ascii_case(text)) =>
            {
                refused(&format!(
                    "String must be one of (case insensitive): {}",
                    words.join(", ")
                ))
            },
            Check::NonEmpty if text.is_empty() => refused("String must be non-empty"),
            Check::OffsetReset if !is_offset_reset(text) => {
                let name = self.name;
                refused(&format!(
                    "Invalid value `{text}` for configuration {name}. The value must be either \
                     'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
                ))
            },
            _ => Ok(()),
        }
    }

    fn one_of(&self, words: &[&str], word: &str) -> Result<(), String> {
        if words.contains(&word) {
            return Ok(());
        }
        Err(self.refusal(
            word,
            &format!("String must be one of: {}", words.join(", ")),
        ))
    }

    fn throttled_replicas(&self, list: &[String]) -> Result<(), String> {
        let all = matches!(list, [star] if star == "*");
        if all || list.iter().all(|element| is_replica(element)) {
            return Ok(());
        }
        let name = self.name;
        let rule = format!(
            "{name} must be the literal '*' or a list of replicas in the following format: \
             [partitionId]:[brokerId],[partitionId]:[brokerId],..."
        );
        Err(self.refusal(&format!("[{}]", list.join(", ")), &rule))
    }

    fn refusal(&self, value: &str, why: &str) -> String {
        format!(
            "Invalid value {value} for configuration {}: {why}",
            self.name
        )
    }
}

fn is_offset_reset(text: &str) -> bool {
    matches!(text, "latest" | "earliest")
        || text.strip_prefix("by_duration:").is_some_and(is_time_back)
}

fn is_replica(element: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    element.is_empty()
        || element
            .split_once(':')
            .is_some_and(|(partition, broker)| digits(partition) && digits(broker))
}

/// The elements of a list value; empty text is a list without any.
pub fn elements(list: &str) -> impl Iterator<Item = &str> {
    let list = list.trim();
    list.split(',')
        .map(str::trim)
        .filter(move |_| !list.is_empty())
}

/// A value read by its type.
enum Value {
    Text(String),
    Integer(i64),
    Double(f64),
    List(Vec<String>),
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Double(number) => java_double(*number),
            Self::List(list) => list.join(","),
        }
    }
}

/// The shortest form that reads back, as Java prints it: with a point, and with an exponent where
/// it is very large or very small.
fn java_double(number: f64) -> String {
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:E}");
    if text.contains('.') {
        text
    } else {
        text.replacen('E', ".0E", 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: ConfigType, check: Check) -> ConfigKey {
        ConfigKey {
            name: "k",
            kind,
            default: None,
            check,
            doc: "",
        }
    }

    #[test]
    fn values_are_kept_in_one_form() {
        for (kind, raw, kept) in [
            (ConfigType::Boolean, "TRUE", "true"),
            (ConfigType::Long, " +500 ", "500"),
            (ConfigType::Double, "0", "0.0"),
            (ConfigType::Double, "10000000", "1.0E7"),
            (ConfigType::Double, "0.00012", "1.2E-4"),
            (ConfigType::Double, "1e308", "1.0E308"),
            (ConfigType::Double, "9999999", "9999999.0"),
            (ConfigType::List, " compact , delete ", "compact,delete"),
            (ConfigType::List, "  ", ""),
            (ConfigType::String, " a b ", "a b"),
        ] {
            assert_eq!(
                key(kind, Check::Any).canonical(raw),
                Ok(kept.to_owned()),
                "{raw}"
            );
        }
    }

    const WORDS: &[&str] = &["compact", "delete"];

    /// Keys, values and text as a broker of Kafka 4.1.1 answered for the same.
    const REFUSALS: &[(ConfigType, Check, &str, &str)] = {
        use Check::*;
        use ConfigType::*;
        &[
            (
                Long,
                Any,
                "abc",
                "abc for configuration k: Not a number of type LONG",
            ),
            (
                Long,
                Any,
                "",
                " for configuration k: Not a number of type LONG",
            ),
            (
                Int,
                Any,
                "99999999999",
                "99999999999 for configuration k: Not a number of type INT",
            ),
            (
                Long,
                AtLeast(-1),
                "-2",
                "-2 for configuration k: Value must be at least -1",
            ),
            (
                Int,
                Between(1, 17),
                "18",
                "18 for configuration k: Value must be no more than 17",
            ),
            (
                Int,
                Between(1, 17),
                "0",
                "0 for configuration k: Value must be at least 1",
            ),
            (
                Int,
                GzipLevel,
                "0",
                "0 for configuration k: Value must be between 1 and 9 or equal to -1",
            ),
            (
                Boolean,
                Any,
                "maybe",
                "maybe for configuration k: Expected value to be either true or false",
            ),
            (
                Double,
                Ratio,
                "2",
                "2.0 for configuration k: Value must be no more than 1",
            ),
            (
                Double,
                Ratio,
                "x",
                "x for configuration k: Not a number of type DOUBLE",
            ),
            (
                String,
                OneOfAnyCase(WORDS),
                "foo",
                "foo for configuration k: String must be one of (case insensitive): compact, delete",
            ),
            (
                String,
                NonEmpty,
                "",
                " for configuration k: String must be non-empty",
            ),
            (
                String,
                OffsetReset,
                "none",
                "none for configuration k: Invalid value `none` for configuration k. The value must \
                 be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.",
            ),
            (
                List,
                OneOf(WORDS),
                "delete,foo",
                "foo for configuration k: String must be one of: compact, delete",
            ),
            (
                List,
                ThrottledReplicas,
                "x",
                "[x] for configuration k: k must be the literal '*' or a list of replicas in the \
                 following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
            ),
        ]
    };

    #[test]
    fn refusals_are_in_kafkas_words() {
        for (kind, check, raw, refusal) in REFUSALS {
            let expected = format!("Invalid value {refusal}");
            assert_eq!(key(*kind, *check).canonical(raw), Err(expected));
        }
    }

    #[test]
    fn words_are_found_as_kafka_finds_them() {
        let policy = key(ConfigType::String, Check::OneOfAnyCase(WORDS));
        assert_eq!(policy.canonical("Compact").as_deref(), Ok("Compact"));
        let reset = key(ConfigType::String, Check::OffsetReset);
        for text in [
            "latest",
            "earliest",
            "by_duration:P1D",
            "by_duration:pt1.5s",
        ] {
            assert_eq!(reset.canonical(text).as_deref(), Ok(text));
        }
        for text in ["LATEST", "BY_DURATION:PT0S", "by_duration:P1Y"] {
            assert!(reset.canonical(text).is_err(), "{text}");
        }
    }

    #[test]
    fn throttled_replicas_are_pairs_or_a_star() {
        let key = key(ConfigType::List, Check::ThrottledReplicas);
        for raw in ["", "*", "0:1", "0:1,1:1"] {
            assert!(key.canonical(raw).is_ok(), "{raw}");
        }
        for raw in ["*,0:1", "0", "0:", ":1", "0:1:2", "-1:1"] {
            assert!(key.canonical(raw).is_err(), "{raw}");
        }
    }
}

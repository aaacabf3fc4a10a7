//! One thing found, as a line of text or a line of JSON.

use std::fmt;

use serde_json::{Map, Value};

/// Where items go, in the order in which they are found.
pub type Sink<'a> = &'a mut dyn FnMut(Item);

/// One thing that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    kind: &'static str,
    fields: Vec<(&'static str, Value)>,
    fault: Option<String>,
}

impl Item {
    /// Something of this kind, sound so far.
    pub fn new(kind: &'static str) -> Self {
        Self {
            kind,
            fields: Vec::new(),
            fault: None,
        }
    }

    /// With a field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// With what is wrong with it; the first reason stays.
    #[must_use]
    pub fn faulty(mut self, why: impl Into<String>) -> Self {
        self.fault.get_or_insert_with(|| why.into());
        self
    }

    /// With what is wrong with it, if anything.
    #[must_use]
    pub fn judged(self, fault: Option<String>) -> Self {
        match fault {
            Some(why) => self.faulty(why),
            None => self,
        }
    }

    /// What it is.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// What is wrong with it.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// A field of it.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields
            .iter()
            .find(|field| field.0 == name)
            .map(|field| &field.1)
    }

    /// The line of JSON: its kind, its fields, and `fault`, null where it is sound.
    pub fn json(&self) -> String {
        let mut object = Map::new();
        object.insert("kind".to_owned(), self.kind.into());
        for (name, value) in &self.fields {
            object.insert((*name).to_owned(), value.clone());
        }
        object.insert("fault".to_owned(), self.fault.clone().into());
        Value::Object(object).to_string()
    }
}

/// The line of text.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10}", self.kind)?;
        for (name, value) in &self.fields {
            match value {
                Value::String(text) => write!(f, " {name}={text}")?,
                other => write!(f, " {name}={other}")?,
            }
        }
        match &self.fault {
            Some(why) => write!(f, "  BAD: {why}"),
            None => Ok(()),
        }
    }
}

/// A 128-bit identity as people compare it.
pub(crate) fn hex(id: u128) -> String {
    format!("{id:032x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_say_the_same() {
        let item = Item::new("batch").with("at", 4096).with("codec", "lz4");
        assert_eq!(item.to_string(), "batch      at=4096 codec=lz4");
        assert_eq!(
            item.json(),
            r#"{"at":4096,"codec":"lz4","fault":null,"kind":"batch"}"#
        );
        let bad = item.faulty("checksum").faulty("another reason");
        assert_eq!(
            bad.to_string(),
            "batch      at=4096 codec=lz4  BAD: checksum"
        );
        assert!(bad.json().contains(r#""fault":"checksum""#));
        assert_eq!(bad.field("at"), Some(&4096.into()));
    }
}

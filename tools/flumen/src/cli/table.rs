//! How lists and descriptions are printed: columns for people, JSON for programs, from one source.

use serde_json::{Map, Value};

use super::args::Format;
use super::output::Output;
use super::size;
use crate::errors::Failure;

/// What stands in a place of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// A word, a number, a list of numbers; nothing where it is not known.
    Value(Value),
    /// Bytes: people read them in their largest unit.
    Size(u64),
}

impl Cell {
    /// Nothing where there is none.
    pub(crate) fn known<T: Into<Value>>(value: Option<T>) -> Self {
        Self::Value(value.map_or(Value::Null, Into::into))
    }

    fn text(&self) -> String {
        match self {
            Self::Size(bytes) => size::human(*bytes),
            Self::Value(value) => text_of(value),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Size(bytes) => (*bytes).into(),
            Self::Value(value) => value.clone(),
        }
    }
}

impl<T: Into<Value>> From<T> for Cell {
    fn from(value: T) -> Self {
        Self::Value(value.into())
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(text_of).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// Rows below a head.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The word above each column; behind `+` it is for wide tables only.
    head: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

/// A mark before the head of a column for wide tables.
const WIDE: char = '+';

impl Table {
    /// Without rows.
    pub(crate) const fn new(head: &'static [&'static str]) -> Self {
        Self {
            head,
            rows: Vec::new(),
        }
    }

    /// Adds a row, a cell for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cells: Vec<Cell> = cells.into_iter().collect();
        assert_eq!(cells.len(), self.head.len(), "a cell for each column");
        self.rows.push(cells);
    }

    /// Prints it by itself.
    pub(crate) fn print(&self, format: Format) -> Result<(), Failure> {
        let mut out = Output::new();
        match format {
            Format::Table | Format::Wide => out.bytes(self.columns(format).as_bytes())?,
            Format::Json => out.line(self.objects().collect::<Value>())?,
            Format::Ndjson => {
                for row in self.objects() {
                    out.line(row)?;
                }
            },
        }
        out.flush()
    }

    /// The keys of objects: heads as programs write them.
    fn keys(&self) -> impl Iterator<Item = String> {
        let key = |head: &&str| {
            let head = head.trim_start_matches(WIDE);
            head.to_ascii_lowercase().replace('-', "_")
        };
        self.head.iter().map(key)
    }

    fn objects(&self) -> impl Iterator<Item = Value> {
        self.rows.iter().map(|row| {
            let values = row.iter().map(Cell::json);
            Value::Object(self.keys().zip(values).collect())
        })
    }

    /// Columns as wide as their widest word; numbers and words alike stand to the left.
    fn columns(&self, format: Format) -> String {
        let is_shown = |at: &usize| format == Format::Wide || !self.head[*at].starts_with(WIDE);
        let shown: Vec<usize> = (0..self.head.len()).filter(is_shown).collect();
        let head = shown
            .iter()
            .map(|at| self.head[*at].trim_start_matches(WIDE).to_owned());
        let body = self
            .rows
            .iter()
            .map(|row| shown.iter().map(|at| row[*at].text()).collect());
        let lines: Vec<Vec<String>> = std::iter::once(head.collect()).chain(body).collect();
        let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max();
        let widths: Vec<usize> = (0..shown.len()).filter_map(width).collect();
        let mut text = String::new();
        for line in &lines {
            let cells = line.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// A description: facts, and lists by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Description {
    facts: Vec<(&'static str, Cell)>,
    tables: Vec<(&'static str, Table)>,
}

impl Description {
    /// Adds a fact.
    pub(crate) fn fact(&mut self, name: &'static str, cell: impl Into<Cell>) {
        self.facts.push((name, cell.into()));
    }

    /// Adds a list.
    pub(crate) fn table(&mut self, name: &'static str, table: Table) {
        self.tables.push((name, table));
    }

    /// Prints it. Rows by themselves, one for each line, carry the facts.
    pub(crate) fn print(&self, format: Format) -> Result<(), Failure> {
        let mut out = Output::new();
        match format {
            Format::Table | Format::Wide => out.bytes(self.text(format).as_bytes())?,
            Format::Json => {
                let tables = self.tables.iter();
                let tables = tables.map(|(name, table)| {
                    let rows: Value = table.objects().collect();
                    ((*name).to_owned(), rows)
                });
                out.line(Value::Object(self.fields().chain(tables).collect()))?;
            },
            Format::Ndjson => {
                for row in self.rows() {
                    out.line(Value::Object(row))?;
                }
            },
        }
        out.flush()
    }

    fn fields(&self) -> impl Iterator<Item = (String, Value)> {
        let facts = self.facts.iter();
        facts.map(|(name, cell)| (name.replace(' ', "_"), cell.json()))
    }

    fn rows(&self) -> impl Iterator<Item = Map<String, Value>> {
        let alone = self.tables.is_empty().then(|| self.fields().collect());
        let rows = self.tables.iter().flat_map(|(_, table)| table.objects());
        let whole = rows.map(|row| {
            let mut object: Map<String, Value> = self.fields().collect();
            if let Value::Object(row) = row {
                object.extend(row);
            }
            object
        });
        alone.into_iter().chain(whole)
    }

    fn text(&self, format: Format) -> String {
        let facts = self.facts.iter();
        let facts: Vec<String> = facts
            .map(|(name, cell)| format!("{name} {}", cell.text()))
            .collect();
        let mut text = facts.join(", ");
        if !text.is_empty() {
            text.push('\n');
        }
        let tables = self.tables.iter();
        let tables: Vec<String> = tables.map(|(_, table)| table.columns(format)).collect();
        text + &tables.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "IN-SYNC", "SIZE", "+ID"]);
        table.row(["a".into(), vec![1, 2].into(), Cell::Size(2048), 7.into()]);
        table.row([
            "long".into(),
            Cell::known(None::<i32>),
            Cell::Size(5),
            8.into(),
        ]);
        table
    }

    #[test]
    fn people_get_columns_and_programs_get_values() {
        let narrow = "NAME  IN-SYNC  SIZE\na     1,2      2.0 KiB\nlong  -        5 B\n";
        assert_eq!(table().columns(Format::Table), narrow);
        let wide = table().columns(Format::Wide);
        assert!(wide.starts_with("NAME  IN-SYNC  SIZE     ID\n"), "{wide}");
        let rows: Vec<Value> = table().objects().collect();
        let first = json!({"name": "a", "in_sync": [1, 2], "size": 2048, "id": 7});
        assert_eq!(rows[0], first);
        assert_eq!(rows[1]["in_sync"], Value::Null);
    }

    #[test]
    fn rows_of_a_description_carry_its_facts() {
        let mut description = Description::default();
        description.fact("topic", "t");
        let alone: Vec<_> = description.rows().collect();
        assert_eq!(alone.len(), 1);
        description.table("rows", table());
        let rows: Vec<_> = description.rows().collect();
        assert_eq!((rows.len(), &rows[1]["topic"]), (2, &json!("t")));
        assert!(
            description
                .text(Format::Table)
                .starts_with("topic t\nNAME  IN-SYNC")
        );
    }
}

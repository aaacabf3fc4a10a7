//! Numbered errors: what an operator is told, with cause and remedy. The texts stand in
//! `catalogue.md`, once, for `flumen explain` and for people.

mod failure;
mod start;

pub(crate) use failure::{Exit, Failure};

/// The catalogue as it is written.
const CATALOGUE: &str = include_str!("catalogue.md");

/// One section of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The number with its letters, such as `FL1004`.
    pub(crate) code: &'static str,
    /// What it is, in a few words.
    pub(crate) title: &'static str,
    /// Cause and remedy.
    pub(crate) body: &'static str,
}

impl Page {
    /// The remedy.
    pub(crate) fn remedy(&self) -> &'static str {
        self.body
            .split_once("\nRemedy: ")
            .map_or("", |(_, remedy)| remedy)
    }
}

/// All sections, in the order of their numbers.
pub(crate) fn pages() -> impl Iterator<Item = Page> {
    CATALOGUE.split("\n## ").skip(1).filter_map(|section| {
        let (head, body) = section.split_once('\n')?;
        let (code, title) = head.split_once(": ")?;
        Some(Page {
            code,
            title,
            body: body.trim(),
        })
    })
}

/// The section of a code, whatever its case.
pub(crate) fn page(code: &str) -> Option<Page> {
    pages().find(|page| page.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_page_has_a_number_a_cause_and_a_remedy() {
        let codes: Vec<&str> = pages().map(|page| page.code).collect();
        assert!(
            codes.len() > 20 && codes.is_sorted_by(|a, b| a < b),
            "{codes:?}"
        );
        assert_eq!(codes.len(), CATALOGUE.matches("\n## ").count());
        for page in pages() {
            assert!(
                page.code.starts_with("FL") && page.code.len() == 6,
                "{page:?}"
            );
            assert!(page.body.starts_with("Cause: "), "{page:?}");
            assert!(!page.remedy().is_empty(), "{page:?}");
        }
    }

    #[test]
    fn pages_are_found_by_their_code() {
        assert_eq!(page("fl1004").map(|page| page.title), Some("cannot listen"));
        assert_eq!(page("FL9999"), None);
    }

    /// Codes in a text: `FL` and four digits.
    fn codes_in(text: &str) -> impl Iterator<Item = &str> {
        text.match_indices("FL").filter_map(|(at, _)| {
            let code = text.get(at..at + 6)?;
            code.bytes()
                .skip(2)
                .all(|byte| byte.is_ascii_digit())
                .then_some(code)
        })
    }

    fn used_in(dir: &Path, used: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                used_in(&path, used);
            } else if path.extension().is_some_and(|ending| ending == "rs")
                && path != Path::new(file!())
            {
                let text = std::fs::read_to_string(&path).unwrap();
                // What stands behind the tests of a file is not met by an operator.
                let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap();
                used.extend(codes_in(code).map(str::to_owned));
            }
        }
    }

    #[test]
    fn each_code_that_is_used_is_documented_and_the_other_way_round() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut used = BTreeSet::new();
        for room in [
            "engine",
            "net",
            "cluster",
            "tools/flumen/src",
            "tools/dump/src",
        ] {
            used_in(&root.join(room), &mut used);
        }
        // Named in documentation as an example only.
        let documented: BTreeSet<String> = pages().map(|page| page.code.to_owned()).collect();
        assert_eq!(used, documented);
    }
}

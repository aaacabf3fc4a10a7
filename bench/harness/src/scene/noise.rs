//! How quiet the machine was.

use crate::table::{CORES, Section, row};

pub(super) const SECTIONS: &[Section] = &[Section {
    title: "How quiet the machine was",
    rows: &[
        row("noise.idle", "cores in use before each case", CORES, 2),
        row(
            "noise.others",
            "cores used by others during the cases",
            CORES,
            2,
        ),
    ],
}];

//! What the figures were taken on, without what only concerns one machine.

use std::io;
use std::path::Path;

use engine_rt::ring::{probe, probe_storage};
use serde_json::{Value, json};

/// The machine's kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) kernel: String,
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) file_system: String,
}

impl Environment {
    pub(crate) fn look(data: &Path) -> io::Result<Self> {
        let found = probe();
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo")?;
        Ok(Self {
            kernel: found.kernel,
            cpu: cpu_kind(&cpuinfo),
            cpus: found.cpus.len(),
            file_system: probe_storage(data)?.file_system,
        })
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "kernel": self.kernel,
            "cpu": self.cpu,
            "cpus": self.cpus,
            "file_system": self.file_system,
        })
    }
}

/// The model's name, with family and model, since virtual machines shorten the name.
fn cpu_kind(cpuinfo: &str) -> String {
    let field = |name: &str| {
        let mut values = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        let found = values.find(|(key, _)| key.trim() == name);
        found.map_or("?", |(_, value)| value.trim()).to_owned()
    };
    format!(
        "{} (family {}, model {})",
        field("model name"),
        field("cpu family"),
        field("model")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_processor_names_the_kind() {
        let cpuinfo =
            "cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\nmodel name\t: other\n";
        assert_eq!(cpu_kind(cpuinfo), "AMD EPYC (family 25, model 17)");
    }
}

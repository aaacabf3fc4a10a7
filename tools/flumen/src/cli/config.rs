//! What a start is told, from four places: the command line, the environment, the file, the
//! defaults, in this order. A word that nobody knows is an error wherever it stands.

use std::collections::BTreeMap;
use std::path::Path;

use clap::{CommandFactory, ValueEnum};
use cluster_meta::config::{BROKER_KEYS, topic_key};
use flumen::broker::{OWN_SETTINGS, READ_PATH, Settings};
use toml::{Table, Value};

use super::args::{Cli, StartArgs};
use super::suggest::did_you_mean;
use crate::errors::{Exit, Failure};

/// Prefix of every variable of the environment that is meant for Flumen.
const ENV_PREFIX: &str = "FLUMEN_";

/// Settings that follow from options of the command line.
const BY_OPTION: [(&str, &str); 4] = [
    ("listeners", "--kafka-addr"),
    ("advertised.listeners", "--advertised-addr"),
    ("log.dirs", "--data"),
    ("log.dir", "--data"),
];

fn unknown(what: String, name: &str, known: &[&str]) -> Failure {
    let failure = Failure::new("FL1001", what).exit(Exit::Usage);
    match did_you_mean(name, known.iter().copied()) {
        Some(hint) => failure.help(hint),
        None => failure,
    }
}

/// Fills what the command line and the environment left open from the file that they name, and
/// gathers the settings of all places. `env` are the variables of the environment.
pub(crate) fn complete(
    args: &mut StartArgs,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, Failure> {
    let mut settings = Settings::default();
    if let Some(path) = args.config.clone() {
        let table = read_file(&path)?;
        for (name, value) in take_options(args, &path, table)? {
            set(
                &mut settings,
                &name,
                &value,
                &format!("{} in {}", name, path.display()),
            )?;
        }
    }
    for (variable, value) in env {
        if let Some(name) = setting_of(&variable)? {
            set(&mut settings, name, &value, &variable)?;
        }
    }
    for pair in &args.set {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Failure::invalid(format!("--set {pair}: KEY=VALUE is wanted")))?;
        set(&mut settings, name.trim(), value, &format!("--set {pair}"))?;
    }
    let checked = settings.fixed.check();
    checked.map_err(|error| Failure::invalid("settings that do not go together").because(error))?;
    Ok(settings)
}

/// Names of all settings.
fn setting_names() -> Vec<&'static str> {
    let kafka = BROKER_KEYS.iter().map(|row| row.key.name);
    let own = OWN_SETTINGS.iter().map(|setting| setting.name);
    kafka.chain(own).chain([READ_PATH.0]).collect()
}

fn set(settings: &mut Settings, name: &str, value: &str, place: &str) -> Result<(), Failure> {
    if let Some((_, option)) = BY_OPTION.iter().find(|(known, _)| *known == name) {
        return Err(Failure::invalid(place).help(format!("`{name}` follows from {option}")));
    }
    let names = setting_names();
    if !names.contains(&name) {
        return Err(no_setting(name, place, &names));
    }
    settings
        .set(name, value)
        .map_err(|error| Failure::invalid(place).because(error))
}

fn no_setting(name: &str, place: &str, names: &[&str]) -> Failure {
    let what = format!("{place}: there is no setting `{name}`");
    let synonyms = topic_key(name).map(|row| row.synonyms).unwrap_or_default();
    match synonyms {
        [] => unknown(what, name, names),
        _ => Failure::new("FL1001", what).exit(Exit::Usage).help(format!(
            "`{name}` is a topic's configuration; the broker's default for it is `{}`",
            synonyms.join("` or `")
        )),
    }
}

/// The variable of a setting: its name in capitals, without a doubled prefix.
fn variable_of(name: &str) -> String {
    let name = name.strip_prefix("flumen.").unwrap_or(name);
    format!(
        "{ENV_PREFIX}{}",
        name.to_ascii_uppercase().replace(['.', '-'], "_")
    )
}

/// Variables that stand for options.
fn option_variables() -> Vec<String> {
    let of = |command: &clap::Command| {
        let variables = command.get_arguments().filter_map(clap::Arg::get_env);
        variables
            .map(|name| name.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
    };
    let command = Cli::command();
    let nested = |command: &clap::Command| -> Vec<String> {
        of(command)
            .into_iter()
            .chain(command.get_subcommands().flat_map(of))
            .collect()
    };
    command.get_subcommands().flat_map(nested).collect()
}

/// The setting of a variable; `None` for one that is not ours or stands for an option.
fn setting_of(variable: &str) -> Result<Option<&'static str>, Failure> {
    if !variable.starts_with(ENV_PREFIX) {
        return Ok(None);
    }
    let settings: BTreeMap<String, &str> = setting_names()
        .into_iter()
        .map(|name| (variable_of(name), name))
        .collect();
    if let Some(name) = settings.get(variable) {
        return Ok(Some(name));
    }
    let options = option_variables();
    if options.iter().any(|option| option == variable) {
        return Ok(None);
    }
    let known: Vec<&str> = settings
        .keys()
        .map(String::as_str)
        .chain(options.iter().map(String::as_str))
        .collect();
    Err(unknown(
        format!("{variable} in the environment: there is no such key"),
        variable,
        &known,
    ))
}

fn read_file(path: &Path) -> Result<Table, Failure> {
    let failure =
        || Failure::new("FL1003", format!("{} cannot be read", path.display())).exit(Exit::Usage);
    let text = std::fs::read_to_string(path).map_err(|error| failure().because(error))?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error
            .span()
            .map(|span| text[..span.start].matches('\n').count() + 1);
        let place = line.map_or_else(String::new, |line| format!("line {line}: "));
        failure().because(format!("{place}{}", error.message()))
    })
}

/// Keys of the file, beside the table of settings.
const FILE_KEYS: [&str; 11] = [
    "data",
    "kafka-addr",
    "advertised-addr",
    "admin-addr",
    "console-host",
    "shards",
    "memory",
    "runtime",
    "log",
    "log-level",
    "settings",
];

/// Takes the options of a file where nothing else has set them, and gives its settings.
fn take_options(
    args: &mut StartArgs,
    path: &Path,
    table: Table,
) -> Result<Vec<(String, String)>, Failure> {
    let mut settings = Vec::new();
    for (key, value) in table {
        let place = format!("{key} in {}", path.display());
        let text = || text_of(&value, &place);
        match key.as_str() {
            "data" => fill(&mut args.data, || Ok(text()?.into()))?,
            "kafka-addr" => fill_list(&mut args.kafka_addr, &value, &place)?,
            "advertised-addr" => fill_list(&mut args.advertised_addr, &value, &place)?,
            "admin-addr" => fill(&mut args.admin_addr, text)?,
            "console-host" => fill_list(&mut args.console_host, &value, &place)?,
            "shards" => fill(&mut args.shards, text)?,
            "memory" => fill(&mut args.memory, text)?,
            "runtime" => fill(&mut args.runtime, || one_of(&text()?, &place))?,
            "log" => fill(&mut args.log, || one_of(&text()?, &place))?,
            "log-level" => fill(&mut args.log_level, text)?,
            "settings" => match value {
                Value::Table(table) => flatten("", table, &place, &mut settings)?,
                _ => return Err(Failure::invalid(format!("{place}: a table is wanted"))),
            },
            _ => {
                return Err(unknown(
                    format!("{place}: there is no such key"),
                    &key,
                    &FILE_KEYS,
                ));
            },
        }
    }
    Ok(settings)
}

fn fill<T>(
    option: &mut Option<T>,
    value: impl FnOnce() -> Result<T, Failure>,
) -> Result<(), Failure> {
    if option.is_none() {
        *option = Some(value()?);
    }
    Ok(())
}

fn fill_list(option: &mut Vec<String>, value: &Value, place: &str) -> Result<(), Failure> {
    if !option.is_empty() {
        return Ok(());
    }
    *option = match value {
        Value::Array(values) => values
            .iter()
            .map(|value| text_of(value, place))
            .collect::<Result<_, _>>()?,
        value => vec![text_of(value, place)?],
    };
    Ok(())
}

/// One of the words that the option of the same name takes.
fn one_of<T: ValueEnum>(text: &str, place: &str) -> Result<T, Failure> {
    T::from_str(text, false).map_err(|_| {
        let words = T::value_variants().iter().filter_map(T::to_possible_value);
        let words: Vec<String> = words.map(|word| word.get_name().to_owned()).collect();
        Failure::invalid(format!("{place}: {} is wanted", words.join(" or ")))
    })
}

fn text_of(value: &Value, place: &str) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        _ => Err(Failure::invalid(format!(
            "{place}: a word or a number is wanted"
        ))),
    }
}

/// Settings by their whole names: a key with dots may stand in quotes or as TOML's dotted key,
/// which is a table in a table.
fn flatten(
    prefix: &str,
    table: Table,
    place: &str,
    into: &mut Vec<(String, String)>,
) -> Result<(), Failure> {
    for (key, value) in table {
        let name = if prefix.is_empty() {
            key
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            Value::Table(inner) => flatten(&name, inner, place, into)?,
            Value::Array(values) => {
                let texts = values.iter().map(|value| text_of(value, &name));
                into.push((
                    name.clone(),
                    texts.collect::<Result<Vec<_>, _>>()?.join(","),
                ));
            },
            value => into.push((name.clone(), text_of(&value, place)?)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::args::{LogFormat, RuntimeChoice};
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn with_file(text: &str) -> (tempfile::NamedTempFile, StartArgs) {
        let file = file(text);
        let args = StartArgs {
            config: Some(file.path().to_owned()),
            ..StartArgs::default()
        };
        (file, args)
    }

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn refusal(args: &mut StartArgs, pairs: &[(&str, &str)]) -> String {
        complete(args, env(pairs)).unwrap_err().to_string()
    }

    #[test]
    fn the_command_line_wins_over_environment_file_and_default() {
        let text = "data = \"/file\"\nmemory = \"1GiB\"\n[settings]\n\"num.partitions\" = 2\n\
                    log.retention.ms = 5000\nlog.segment.bytes = 1048576\n";
        let (_file, mut args) = with_file(text);
        args.data = Some("/flag".into());
        args.set = vec!["num.partitions=4".to_owned()];
        let pairs = [
            ("FLUMEN_NUM_PARTITIONS", "3"),
            ("FLUMEN_LOG_RETENTION_MS", "6000"),
        ];
        let settings = complete(&mut args, env(&pairs)).unwrap();
        assert_eq!(args.data, Some("/flag".into()));
        assert_eq!(args.memory.as_deref(), Some("1GiB"));
        let value = |name| settings.fixed.get(name).map(str::to_owned);
        assert_eq!(value("num.partitions").as_deref(), Some("4"));
        assert_eq!(value("log.retention.ms").as_deref(), Some("6000"));
        assert_eq!(value("log.segment.bytes").as_deref(), Some("1048576"));
        assert_eq!(value("log.roll.ms"), None);
    }

    #[test]
    fn every_option_may_stand_in_the_file() {
        let text = "data = \"d\"\nkafka-addr = [\"A=h:1\", \"B=h:2\"]\nadvertised-addr = \"A=x:1\"\n\
                    admin-addr = \"h:3\"\nconsole-host = [\"c\"]\nshards = 2\nmemory = \"1G\"\nlog = \"json\"\n\
                    runtime = \"epoll\"\nlog-level = \"debug\"\n";
        let (_file, mut args) = with_file(text);
        complete(&mut args, env(&[])).unwrap();
        assert_eq!(args.kafka_addr, ["A=h:1", "B=h:2"]);
        assert_eq!(args.console_host, ["c"]);
        assert_eq!(args.advertised_addr, ["A=x:1"]);
        assert_eq!(
            (args.shards.as_deref(), args.log, args.runtime),
            (Some("2"), Some(LogFormat::Json), Some(RuntimeChoice::Epoll))
        );
        assert_eq!(args.log_level.as_deref(), Some("debug"));
    }

    #[test]
    fn unknown_words_are_errors_wherever_they_stand() {
        let (_file, mut args) = with_file("memroy = \"1GiB\"\n");
        let text = refusal(&mut args, &[]);
        assert!(
            text.contains("FL1001") && text.contains("did you mean `memory`?"),
            "{text}"
        );
        let (_file, mut args) = with_file("[settings]\nnum.partition = 1\n");
        let text = refusal(&mut args, &[]);
        assert!(text.contains("did you mean `num.partitions`?"), "{text}");
        let text = refusal(&mut StartArgs::default(), &[("FLUMEN_SHRADS", "1")]);
        assert!(text.contains("did you mean `FLUMEN_SHARDS`?"), "{text}");
        let mut args = StartArgs {
            set: vec!["log.retentoin.ms=1".into()],
            ..StartArgs::default()
        };
        assert!(refusal(&mut args, &[]).contains("did you mean `log.retention.ms`?"));
    }

    #[test]
    fn variables_of_options_and_of_others_are_left_alone() {
        let pairs = [
            ("FLUMEN_DATA", "x"),
            ("FLUMEN_BROKERS", "y"),
            ("HOME", "z"),
            ("FLUMENX", ""),
        ];
        complete(&mut StartArgs::default(), env(&pairs)).unwrap();
    }

    #[test]
    fn a_topics_key_is_told_from_the_brokers() {
        let mut args = StartArgs {
            set: vec!["retention.ms=1".into()],
            ..StartArgs::default()
        };
        let text = refusal(&mut args, &[]);
        assert!(
            text.contains("the broker's default for it is `log.retention.ms`"),
            "{text}"
        );
        let mut args = StartArgs {
            set: vec!["listeners=x".into()],
            ..StartArgs::default()
        };
        assert!(refusal(&mut args, &[]).contains("follows from --kafka-addr"));
    }

    #[test]
    fn wrong_values_and_files_name_their_place() {
        let mut args = StartArgs {
            set: vec!["num.partitions=0".into()],
            ..StartArgs::default()
        };
        let text = refusal(&mut args, &[]);
        assert!(
            text.contains("--set num.partitions=0") && text.contains("at least 1"),
            "{text}"
        );
        let (_file, mut args) = with_file("shards = [1]\n");
        assert!(refusal(&mut args, &[]).contains("a word or a number is wanted"));
        let (_file, mut args) = with_file("data = \"x\"\nshards =\n");
        let text = refusal(&mut args, &[]);
        assert!(
            text.contains("FL1003") && text.contains("line 2: "),
            "{text}"
        );
        let mut args = StartArgs {
            config: Some("/no/such".into()),
            ..StartArgs::default()
        };
        assert!(refusal(&mut args, &[]).contains("FL1003"));
    }

    #[test]
    fn no_two_keys_have_the_same_variable() {
        let settings = setting_names().into_iter().map(variable_of);
        let all: Vec<String> = settings.chain(option_variables()).collect();
        let mut distinct = BTreeSet::new();
        let own = |name: &&String| *name != "FLUMEN_BROKERS";
        for variable in all.iter().filter(own) {
            assert!(distinct.insert(variable), "{variable} means two things");
        }
    }
}

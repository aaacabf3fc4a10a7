//! Options of what writes and reads records.

use clap::{Args, ValueEnum};

use super::{BrokerArg, PartitionsArg, TopicArg};

/// When the broker answers a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Acks {
    /// When it is on the disk of all replicas in sync
    #[value(alias = "-1")]
    All,
    /// When it is on the disk of the leader
    #[value(name = "1")]
    One,
    /// Not at all
    #[value(name = "0")]
    None,
}

/// A codec of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CodecArg {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

#[derive(Debug, Args)]
#[command(after_help = INPUT_HELP)]
pub(crate) struct ProduceArgs {
    #[command(flatten)]
    pub(crate) topic: TopicArg,
    /// Key of every record [default: none]
    #[arg(short, long)]
    pub(crate) key: Option<String>,
    /// Header of every record; may be repeated
    #[arg(short = 'H', long = "header", value_name = "KEY:VALUE")]
    pub(crate) headers: Vec<String>,
    /// Partition of every record [default: by the key, or one after the other]
    #[arg(short, long, value_name = "N")]
    pub(crate) partition: Option<i32>,
    /// Compression
    #[arg(
        short = 'z',
        long,
        value_enum,
        value_name = "CODEC",
        default_value = "none",
        alias = "compression-codec",
        alias = "compression-type"
    )]
    pub(crate) compression: CodecArg,
    /// How records stand in the input
    #[arg(short, long, default_value = "%v\\n")]
    pub(crate) format: String,
    /// When the broker answers; with `all` the producer is idempotent
    #[arg(
        long,
        value_enum,
        default_value = "all",
        alias = "request-required-acks",
        allow_negative_numbers = true
    )]
    pub(crate) acks: Acks,
    /// Write an empty value as a tombstone
    #[arg(short = 'Z', long)]
    pub(crate) tombstone: bool,
    /// Say nothing about each batch
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

#[derive(Debug, Args)]
#[command(after_help = OUTPUT_HELP)]
pub(crate) struct ConsumeArgs {
    #[command(flatten)]
    pub(crate) topic: TopicArg,
    /// Where to begin: start, end, N, -N before the end, +N behind the start, @MS by timestamp;
    /// `:end` behind it stops where the topic ends now
    #[arg(
        short,
        long,
        value_name = "OFFSET",
        default_value = "start",
        allow_hyphen_values = true
    )]
    offset: String,
    #[arg(long, hide = true, conflicts_with = "offset")]
    from_beginning: bool,
    /// Records to read [default: all there will ever be]
    #[arg(short, long, value_name = "N", alias = "max-messages")]
    pub(crate) num: Option<u64>,
    /// How records are printed
    #[arg(short, long, default_value = "%v\\n")]
    pub(crate) format: String,
    #[command(flatten)]
    pub(crate) partitions: PartitionsArg,
    /// Read as a member of this consumer group, and commit what was printed; then `-o` is for
    /// partitions that it has committed nothing of
    #[arg(short, long, value_name = "GROUP", conflicts_with = "partitions")]
    pub(crate) group: Option<String>,
    #[command(flatten)]
    pub(crate) broker: BrokerArg,
}

impl ConsumeArgs {
    /// Where to begin. Kafka's own consumer has a flag for what is the default here.
    pub(crate) fn offset(&self) -> &str {
        if self.from_beginning {
            "start"
        } else {
            &self.offset
        }
    }
}

const INPUT_HELP: &str = "\
Escapes of the input's format, as in rpk:
  %k key        %v value          %p partition    %d timestamp in ms
  %K %V         length of the key or value that follows; without one, a field ends where the text
                behind it begins
  %H            number of headers, %h{...} reads so many with %k %v %K %V of each
  %%  %{  %}    the sign itself   \\n \\t \\r \\0 \\\\ \\xNN
Forms stand in braces behind a field:
  text          {hex} {base64}
  numbers       {ascii} {hex4} to {hex64}, {big8} to {big64}, {little8} to {little64}, {byte},
                or {N} for the number itself, which is not read";

const OUTPUT_HELP: &str = "\
Escapes of the output's format, as in rpk; the format json prints an object for each record:
  %t topic      %k key            %v value        %T %K %V their lengths
  %p partition  %o offset         %e leader epoch %d timestamp in ms
  %H number of headers, %h{...} prints each with %k %v %K %V of it
  %a{...}       attribute: compression, timestamp-type, transactional-bit, control-bit
  %x producer   %y its epoch      %i count from 1
  %[ log start  %| last stable    %] high watermark
  %%  %{  %}    the sign itself   \\n \\t \\r \\0 \\\\ \\xNN
Forms stand in braces behind a field:
  text          {hex} {base64} {base64raw}
  numbers       {ascii} {hex4} to {hex64}, {big8} to {big64}, {little8} to {little64}, {byte},
                {bool}
  %d            {strftime[%F %T]} in UTC, with %Y %m %d %H %M %S %F %T %s
  %a            {compression;number}";

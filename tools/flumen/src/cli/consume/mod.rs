//! `flumen consume`: a topic to standard output, alone or as a member of a consumer group.

mod member;
mod place;
mod reader;

use flumen::client::Cluster;

use super::args::ConsumeArgs;
use super::client::{connect, on_ring};
use super::format::OutputFormat;
use crate::errors::Failure;
use place::{From, Position, parse_offset};
use reader::{Positions, Reader, Source};

/// Does what the command says.
pub(crate) fn run(args: ConsumeArgs) -> Result<(), Failure> {
    let format = OutputFormat::parse(&args.format)?;
    let (from, is_bounded) = parse_offset(args.offset())?;
    on_ring(move || async move {
        let cluster = connect(&args.broker).await?;
        let mut reader = Reader::new(format, args.num.unwrap_or(u64::MAX), is_bounded);
        match &args.group {
            Some(group) => {
                member::read_as(&cluster, group, args.topic.name(), from, &mut reader).await
            },
            None => read_alone(&cluster, &args, from, &mut reader).await,
        }
    })
}

/// Reads the partitions that the command line names, or all there are.
async fn read_alone(
    cluster: &Cluster,
    args: &ConsumeArgs,
    from: From,
    reader: &mut Reader,
) -> Result<(), Failure> {
    let source = Source::find(cluster, args.topic.name()).await?;
    let mut positions = Positions::new();
    for partition in args.partitions.of(&source.topic) {
        let leader = source.leader(partition).await?;
        let position = Position::find(&leader, source.name(), partition, from, None).await?;
        positions.insert(partition, position);
    }
    reader.positions = positions;
    while !reader.is_done() {
        reader.read_on(&source).await?;
    }
    reader.flush()
}

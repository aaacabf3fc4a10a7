//! Compression of record batches: gzip, snappy, lz4 and zstd, as Kafka's clients frame them.
//!
//! Decompression is bounded: a few bytes of a hostile batch can stand for gigabytes.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use thiserror::Error;
use zstd::zstd_safe::{DCtx, ResetDirective};

use crate::batch::{BatchError, BatchView};

mod snappy;

/// A compression type; the discriminant is the number in a batch's attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum Codec {
    /// Not compressed.
    #[default]
    None = 0,
    /// RFC 1952.
    Gzip = 1,
    /// Snappy in the blocks of Java's library, or raw.
    Snappy = 2,
    /// LZ4 frames with independent blocks (KIP-57).
    Lz4 = 3,
    /// RFC 8878 (KIP-110).
    Zstd = 4,
}

impl Codec {
    /// Every codec, by number.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The number in a batch's attributes.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// The codec of a number.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its name as a value of `compression.type` of a producer.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The codec of a name; topics call no compression `uncompressed`.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "uncompressed" {
            return Some(Self::None);
        }
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }
}

/// Bytes are not what a codec writes, or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CodecError {
    /// More bytes than the caller allows.
    #[error("more than {max} bytes")]
    TooLarge {
        /// Bytes allowed.
        max: usize,
    },
    /// The codec cannot read the bytes, or not write them.
    #[error("{} fails: {}", .codec.name(), .kind)]
    Failed {
        /// The codec.
        codec: Codec,
        /// How.
        kind: io::ErrorKind,
    },
    /// LZ4 blocks that refer to each other, which Kafka's clients do not read.
    #[error("lz4 blocks depend on each other")]
    LinkedBlocks,
}

/// Memory and contexts of the codecs, kept from batch to batch. One for each shard.
#[derive(Default)]
pub struct Codecs {
    buffer: Vec<u8>,
    zstd_compressor: Option<zstd::bulk::Compressor<'static>>,
    zstd_context: Option<DCtx<'static>>,
    snappy: Option<snap::raw::Encoder>,
}

impl std::fmt::Debug for Codecs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Codecs")
            .field("buffer_bytes", &self.buffer.capacity())
            .finish_non_exhaustive()
    }
}

/// Above this the buffer is given back after use, so that one large batch does not stay in memory.
const BUFFER_BYTES_KEPT: usize = 4 * 1024 * 1024;

impl Codecs {
    /// Nothing allocated yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `input`, compressed, to `output`. Without a level the codec's default holds.
    ///
    /// Levels are for gzip and zstd; LZ4 knows only its fast mode here.
    pub fn compress(
        &mut self,
        codec: Codec,
        level: Option<i32>,
        input: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let done = match codec {
            Codec::None => output.write_all(input),
            Codec::Gzip => compress_gzip(level, input, output),
            Codec::Snappy => {
                let encoder = self.snappy.get_or_insert_with(snap::raw::Encoder::new);
                snappy::compress(encoder, input, output)
            },
            Codec::Lz4 => compress_lz4(input, output),
            Codec::Zstd => self.compress_zstd(level, input, output),
        };
        done.map_err(|error| CodecError::Failed {
            codec,
            kind: error.kind(),
        })
    }

    /// Appends `input`, decompressed, to `output`, which must not grow by more than `max` bytes.
    pub fn decompress(
        &mut self,
        codec: Codec,
        input: &[u8],
        max: usize,
        output: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let done = match codec {
            Codec::None => bounded(input, max, output),
            Codec::Gzip => bounded(MultiGzDecoder::new(input), max, output),
            Codec::Snappy => snappy::decompress(input, max, output),
            Codec::Lz4 => {
                check_lz4(input)?;
                bounded(FrameDecoder::new(input), max, output)
            },
            Codec::Zstd => self.decompress_zstd(input, max, output),
        };
        done.map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => CodecError::TooLarge { max },
            kind => CodecError::Failed { codec, kind },
        })
    }

    /// Calls `run` with the records of `batch`, decompressed into memory of this structure.
    pub fn with_decompressed<T>(
        &mut self,
        batch: &BatchView<'_>,
        max: usize,
        run: impl FnOnce(&[u8], &mut Self) -> Result<T, BatchError>,
    ) -> Result<T, BatchError> {
        let attributes = batch.header().attributes;
        match attributes.codec() {
            Some(Codec::None) => run(batch.payload(), self),
            None => Err(BatchError::UnknownCodec(attributes.codec_id())),
            Some(codec) => {
                let mut buffer = core::mem::take(&mut self.buffer);
                buffer.clear();
                let result = self
                    .decompress(codec, batch.payload(), max, &mut buffer)
                    .map_err(BatchError::from_decompress)
                    .and_then(|()| run(&buffer, self));
                buffer.clear();
                buffer.shrink_to(BUFFER_BYTES_KEPT);
                self.buffer = buffer;
                result
            },
        }
    }

    fn compress_zstd(
        &mut self,
        level: Option<i32>,
        input: &[u8],
        output: &mut Vec<u8>,
    ) -> io::Result<()> {
        let level = level.unwrap_or(zstd::DEFAULT_COMPRESSION_LEVEL);
        let compressor = match &mut self.zstd_compressor {
            Some(compressor) => compressor,
            none => none.insert(zstd::bulk::Compressor::new(level)?),
        };
        compressor.set_compression_level(level)?;
        let before = output.len();
        let bound = zstd::zstd_safe::compress_bound(input.len());
        output.resize(before + bound, 0);
        let room = output.get_mut(before..).unwrap_or_default();
        let written = compressor.compress_to_buffer(input, room)?;
        output.truncate(before + written);
        Ok(())
    }

    fn decompress_zstd(
        &mut self,
        input: &[u8],
        max: usize,
        output: &mut Vec<u8>,
    ) -> io::Result<()> {
        let context = self.zstd_context.get_or_insert_with(DCtx::create);
        // A frame that failed before must not leave its state to this one.
        let reset = context.reset(ResetDirective::SessionOnly);
        reset.map_err(|_| io::Error::from(io::ErrorKind::Other))?;
        bounded(
            zstd::stream::read::Decoder::with_context(input, context),
            max,
            output,
        )
    }
}

impl BatchError {
    const fn from_decompress(error: CodecError) -> Self {
        match error {
            CodecError::TooLarge { max } => Self::DecompressedTooLarge { max },
            other => Self::Decompress(other),
        }
    }
}

/// Reads to the end; fails with [`io::ErrorKind::FileTooLarge`] if it is behind `max` bytes.
fn bounded(reader: impl Read, max: usize, output: &mut Vec<u8>) -> io::Result<()> {
    let read = reader.take(max as u64 + 1).read_to_end(output)?;
    if read > max {
        Err(io::ErrorKind::FileTooLarge.into())
    } else {
        Ok(())
    }
}

fn compress_gzip(level: Option<i32>, input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    let level = level
        .and_then(|level| u32::try_from(level).ok())
        .map(|level| level.min(9));
    let mut encoder = GzEncoder::new(
        output,
        level.map_or_else(Compression::default, Compression::new),
    );
    encoder.write_all(input)?;
    encoder.finish().map(drop)
}

fn compress_lz4(input: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    let info = FrameInfo::new()
        .block_mode(BlockMode::Independent)
        .block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, output);
    encoder.write_all(input)?;
    encoder.finish().map(drop).map_err(io::Error::other)
}

/// Java's consumer reads independent blocks only: what it cannot read must not be stored.
fn check_lz4(input: &[u8]) -> Result<(), CodecError> {
    const FLAGS_AT: usize = 4;
    const INDEPENDENT_BLOCKS: u8 = 0x20;
    match input.get(FLAGS_AT) {
        Some(flags) if flags & INDEPENDENT_BLOCKS == 0 => Err(CodecError::LinkedBlocks),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

use super::*;
use proptest::prelude::*;

const MAX: usize = 1 << 20;

fn compress(codec: Codec, input: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    Codecs::new()
        .compress(codec, None, input, &mut output)
        .unwrap();
    output
}

fn decompress(codec: Codec, input: &[u8], max: usize) -> Result<Vec<u8>, CodecError> {
    let mut output = Vec::new();
    Codecs::new()
        .decompress(codec, input, max, &mut output)
        .map(|()| output)
}

#[test]
fn bombs_stop_at_the_bound() {
    let zeros = vec![0; 16 * MAX];
    for codec in Codec::ALL {
        let bomb = compress(codec, &zeros);
        assert_eq!(
            decompress(codec, &bomb, MAX),
            Err(CodecError::TooLarge { max: MAX }),
            "{codec:?}"
        );
        assert_eq!(
            decompress(codec, &bomb, zeros.len()),
            Ok(zeros.clone()),
            "{codec:?}"
        );
    }
}

#[test]
fn a_bound_met_exactly_is_met() {
    let input = [7; 1000];
    for codec in Codec::ALL {
        let bytes = compress(codec, &input);
        assert_eq!(
            decompress(codec, &bytes, 1000).as_deref(),
            Ok(&input[..]),
            "{codec:?}"
        );
        assert_eq!(
            decompress(codec, &bytes, 999),
            Err(CodecError::TooLarge { max: 999 })
        );
    }
}

#[test]
fn truncated_input_is_an_error() {
    let input: Vec<u8> = (0..5000_u32).flat_map(u32::to_be_bytes).collect();
    for codec in [Codec::Gzip, Codec::Lz4, Codec::Zstd] {
        let bytes = compress(codec, &input);
        let got = decompress(codec, &bytes[..bytes.len() / 2], MAX);
        assert!(
            matches!(got, Err(CodecError::Failed { .. })),
            "{codec:?}: {got:?}"
        );
    }
    // A frame of snappy has no end mark: it may only be cut within a block.
    let bytes = compress(Codec::Snappy, &input);
    assert!(decompress(Codec::Snappy, &bytes[..bytes.len() - 1], MAX).is_err());
}

#[test]
fn raw_snappy_is_read_too() {
    let raw = snap::raw::Encoder::new()
        .compress_vec(b"hello hello hello")
        .unwrap();
    assert_eq!(
        decompress(Codec::Snappy, &raw, MAX).unwrap(),
        b"hello hello hello"
    );
}

#[test]
fn a_lying_snappy_length_takes_no_memory() {
    // 2^32 - 1 bytes announced by five bytes.
    let got = decompress(
        Codec::Snappy,
        &[0xff, 0xff, 0xff, 0xff, 0x0f, 0],
        usize::MAX >> 1,
    );
    assert!(
        matches!(
            got,
            Err(CodecError::Failed {
                codec: Codec::Snappy,
                ..
            })
        ),
        "{got:?}"
    );
}

#[test]
fn linked_lz4_blocks_are_refused() {
    let info = FrameInfo::new().block_mode(BlockMode::Linked);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(b"linked").unwrap();
    let bytes = encoder.finish().unwrap();
    assert_eq!(
        decompress(Codec::Lz4, &bytes, MAX),
        Err(CodecError::LinkedBlocks)
    );
}

#[test]
fn contexts_survive_a_failure() {
    let mut codecs = Codecs::new();
    let good = compress(Codec::Zstd, &vec![1; 100_000]);
    for _ in 0..3 {
        let mut output = Vec::new();
        assert!(
            codecs
                .decompress(Codec::Zstd, &good[..good.len() - 3], MAX, &mut output)
                .is_err()
        );
        output.clear();
        codecs
            .decompress(Codec::Zstd, &good, MAX, &mut output)
            .unwrap();
        assert_eq!(output, vec![1; 100_000]);
    }
}

#[test]
fn names_and_numbers_are_kafkas() {
    for codec in Codec::ALL {
        assert_eq!(Codec::from_id(codec.id()), Some(codec));
        assert_eq!(Codec::from_name(codec.name()), Some(codec));
    }
    assert_eq!(Codec::from_id(5), None);
    assert_eq!(Codec::from_name("uncompressed"), Some(Codec::None));
    assert_eq!(Codec::from_name("producer"), None);
}

proptest! {
    #[test]
    fn codecs_round_trip(input: Vec<u8>, repeat in 1_usize..2000, level in prop::option::of(1..9)) {
        let input = input.repeat(repeat);
        let mut codecs = Codecs::new();
        for codec in Codec::ALL {
            // What is there already stays.
            let mut bytes = b"head".to_vec();
            codecs.compress(codec, level, &input, &mut bytes).unwrap();
            let mut output = b"head".to_vec();
            codecs.decompress(codec, &bytes[4..], input.len(), &mut output).unwrap();
            prop_assert_eq!(&output[..4], b"head");
            prop_assert_eq!(&output[4..], &input[..]);
        }
    }

    #[test]
    fn noise_never_panics(mut noise: Vec<u8>, framed: bool) {
        for codec in Codec::ALL {
            if framed {
                let mut bytes = compress(codec, b"some bytes, some bytes");
                bytes.truncate(20);
                bytes.append(&mut noise);
                noise = bytes;
            }
            let got = decompress(codec, &noise, MAX);
            prop_assert!(got.map_or(0, |output| output.len()) <= MAX);
        }
    }
}

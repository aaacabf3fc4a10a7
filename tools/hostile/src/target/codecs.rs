//! Compressed bytes of every codec: output and memory are bounded, and the bound is exact.

use net_wire::codec::{Codec, CodecError, Codecs};

use crate::input::Input;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let codec = Codec::ALL[usize::from(input.u8()) % Codec::ALL.len()];
    // From nothing to a mebibyte.
    let max = (1_usize << (input.u8() % 21)) - 1;
    let input = input.rest();
    let mut codecs = Codecs::new();
    let mut output = b"before".to_vec();
    let result = codecs.decompress(codec, input, max, &mut output);
    assert!(output.starts_with(b"before"));
    let grown = output.len() - b"before".len();
    // One byte more tells that there is more.
    assert!(
        grown <= max + 1,
        "{codec:?}: {grown} bytes where {max} were allowed"
    );
    // A buffer doubles, from the least that a reader takes at once.
    let bound = 2 * (max + 1) + (64 << 10);
    assert!(
        output.capacity() <= bound,
        "{codec:?}: {} of {bound}",
        output.capacity()
    );
    if result.is_ok() {
        assert!(grown <= max);
        the_bound_is_exact(&mut codecs, codec, input, grown);
        reads_back(&mut codecs, &output);
    }
}

fn the_bound_is_exact(codecs: &mut Codecs, codec: Codec, input: &[u8], len: usize) {
    let mut output = Vec::new();
    assert_eq!(codecs.decompress(codec, input, len, &mut output), Ok(()));
    if let Some(max) = len.checked_sub(1) {
        let refused = codecs.decompress(codec, input, max, &mut Vec::new());
        assert_eq!(refused, Err(CodecError::TooLarge { max }), "{codec:?}");
    }
}

fn reads_back(codecs: &mut Codecs, bytes: &[u8]) {
    for codec in Codec::ALL {
        let (mut small, mut back) = (Vec::new(), Vec::new());
        let written = codecs.compress(codec, None, bytes, &mut small);
        assert_eq!(written, Ok(()), "{codec:?}");
        let read = codecs.decompress(codec, &small, bytes.len(), &mut back);
        assert_eq!((read, &*back), (Ok(()), bytes), "{codec:?}");
    }
}

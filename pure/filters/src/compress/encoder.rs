//! The codings: bytes in, fewer bytes out.

use std::fmt;
use std::io::Write;

use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use steelyard_model::routing::filter::content::ContentCoding;

/// How hard it is tried: as nginx and Traefik's libraries do by default, or a little less.
const GZIP_LEVEL: u32 = 5;
const BROTLI_LEVEL: i32 = 5;
const ZSTD_LEVEL: i32 = 3;
/// Bytes that an encoder looks back, as a power of two: what each response costs in memory.
const BROTLI_WINDOW: i32 = 18;
const ZSTD_WINDOW: u32 = 18;
/// Bytes that brotli takes at once.
const BROTLI_BUFFER: usize = 4096;

type Out = Vec<u8>;

/// One response on its way through a coding.
pub(super) enum Encoder {
    Gzip(flate2::write::GzEncoder<Out>),
    Brotli(Box<brotli::CompressorWriter<Out>>),
    Zstd(zstd::stream::write::Encoder<'static, Out>),
    /// It has failed, which writing to memory does not.
    Broken,
}

impl Encoder {
    pub(super) fn new(coding: ContentCoding) -> Self {
        match coding {
            ContentCoding::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                Self::Gzip(flate2::write::GzEncoder::new(Out::new(), level))
            }
            ContentCoding::Brotli => {
                let params = BrotliEncoderParams {
                    quality: BROTLI_LEVEL,
                    lgwin: BROTLI_WINDOW,
                    ..BrotliEncoderParams::default()
                };
                let writer =
                    brotli::CompressorWriter::with_params(Out::new(), BROTLI_BUFFER, &params);
                Self::Brotli(Box::new(writer))
            }
            ContentCoding::Zstd => zstd(Out::new()).map_or(Self::Broken, Self::Zstd),
        }
    }

    /// Takes bytes in; what comes out of it so far.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Option<Bytes> {
        self.run(|writer| writer.write_all(bytes))
    }

    /// All that was taken in comes out.
    pub(super) fn flush(&mut self) -> Option<Bytes> {
        self.run(|writer| writer.flush())
    }

    /// The last of it.
    pub(super) fn finish(&mut self) -> Option<Bytes> {
        let out = match std::mem::replace(self, Self::Broken) {
            Self::Gzip(encoder) => encoder.finish().unwrap_or_default(),
            Self::Brotli(writer) => writer.into_inner(),
            Self::Zstd(encoder) => encoder.finish().unwrap_or_default(),
            Self::Broken => Out::new(),
        };
        some(out)
    }

    fn run(&mut self, act: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Option<Bytes> {
        let done = match self {
            Self::Gzip(encoder) => act(encoder),
            Self::Brotli(writer) => act(writer),
            Self::Zstd(encoder) => act(encoder),
            Self::Broken => return None,
        };
        if done.is_err() {
            *self = Self::Broken;
        }
        some(std::mem::take(self.out()?))
    }

    fn out(&mut self) -> Option<&mut Out> {
        Some(match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Brotli(writer) => writer.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
            Self::Broken => return None,
        })
    }
}

fn zstd(out: Out) -> std::io::Result<zstd::stream::write::Encoder<'static, Out>> {
    let mut encoder = zstd::stream::write::Encoder::new(out, ZSTD_LEVEL)?;
    encoder.window_log(ZSTD_WINDOW)?;
    Ok(encoder)
}

fn some(out: Out) -> Option<Bytes> {
    (!out.is_empty()).then(|| out.into())
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encoder")
    }
}

//! Zip archives written while they are read (APPNOTE 6.3.10): nothing is buffered, and the length is known beforehand.
//!
//! Entries are deflate streams of stored blocks: readers that stream can find their end (they can't with the method
//! "stored" when the checksum follows the data), large rasters mostly don't shrink anyway, and the size can be computed.
//! Large entries and archives use zip64.

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::TryStreamExt;
use jiff::{Timestamp, tz::TimeZone};
use rutter_core::results::ByteStream;

use super::flow::{Sink, Stop};

const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
/// Sizes in a descriptor, names in UTF-8.
const FLAGS: u16 = 1 << 3 | 1 << 11;
const DEFLATE: u16 = 8;
/// Most bytes of a stored block (RFC 1951, section 3.2.4).
const BLOCK: usize = 65_535;
const BLOCK_HEADER: u64 = 5;
const EXTRA_ID: u16 = 1;
/// What does not stay below it is told in 64 bits; low in tests, so that they need no 4 GiB.
const LARGE: u64 = if cfg!(test) { 500_000 } else { u32::MAX as u64 };

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Path in the archive, `/` between its parts.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

impl Entry {
    /// Bytes of the deflate stream.
    fn packed(&self) -> u64 {
        self.size + BLOCK_HEADER * (self.size.div_ceil(BLOCK as u64) + 1)
    }

    fn is_large(&self) -> bool {
        self.packed() >= LARGE
    }

    fn local_length(&self) -> u64 {
        let (header, descriptor) = if self.is_large() { (30 + 20, 24) } else { (30, 16) };
        header + self.name.len() as u64 + self.packed() + descriptor
    }

    fn central_length(&self, offset: u64) -> u64 {
        46 + self.name.len() as u64 + if needs_extra(self, offset) { 28 } else { 0 }
    }
}

/// Length of an archive of these files.
pub(crate) fn length(entries: &[Entry]) -> u64 {
    let (mut offset, mut central) = (0, 0);
    for entry in entries {
        central += entry.central_length(offset);
        offset += entry.local_length();
    }
    offset + central + 22 + if needs_end64(entries.len(), offset, central) { 56 + 20 } else { 0 }
}

/// An archive being written.
pub(crate) struct ZipWriter<'a> {
    sink: &'a Sink,
    time: (u16, u16),
    offset: u64,
    central: BytesMut,
    entries: usize,
}

impl<'a> ZipWriter<'a> {
    /// An archive whose files carry this time.
    pub(crate) fn new(sink: &'a Sink, time: Timestamp) -> Self {
        Self { sink, time: dos_time(time), offset: 0, central: BytesMut::new(), entries: 0 }
    }

    /// Write a file.
    pub(crate) async fn add(&mut self, entry: &Entry, pieces: ByteStream) -> Result<(), Stop> {
        self.sink.send(self.local_header(entry)).await?;
        let checksum = self.send_blocks(pieces).await?;
        let mut tail = BytesMut::new();
        tail.put_u32_le(DESCRIPTOR);
        tail.put_u32_le(checksum);
        for size in [entry.packed(), entry.size] {
            if entry.is_large() { tail.put_u64_le(size) } else { tail.put_u32_le(clipped(size)) }
        }
        self.sink.send(tail).await?;
        self.note(entry, checksum);
        self.offset += entry.local_length();
        self.entries += 1;
        Ok(())
    }

    /// Write the directory.
    pub(crate) async fn finish(self) -> Result<(), Stop> {
        let (start, length) = (self.offset, self.central.len() as u64);
        let mut tail = BytesMut::new();
        if needs_end64(self.entries, start, length) {
            tail.put_u32_le(END64);
            tail.put_u64_le(44);
            tail.put_u16_le(3 << 8 | 45);
            tail.put_u16_le(45);
            tail.put_u64_le(0);
            tail.put_u64_le(self.entries as u64);
            tail.put_u64_le(self.entries as u64);
            tail.put_u64_le(length);
            tail.put_u64_le(start);
            tail.put_u32_le(LOCATOR64);
            tail.put_u32_le(0);
            tail.put_u64_le(start + length);
            tail.put_u32_le(1);
        }
        let count = u16::try_from(self.entries).unwrap_or(u16::MAX);
        tail.put_u32_le(END);
        tail.put_u32_le(0);
        tail.put_u16_le(count);
        tail.put_u16_le(count);
        tail.put_u32_le(clipped(length));
        tail.put_u32_le(clipped(start));
        tail.put_u16_le(0);
        self.sink.send(self.central).await?;
        self.sink.send(tail).await
    }

    fn local_header(&self, entry: &Entry) -> BytesMut {
        let mut header = BytesMut::new();
        header.put_u32_le(LOCAL);
        self.put_common(&mut header, entry.is_large());
        header.put_u32_le(0);
        let size = if entry.is_large() { u32::MAX } else { 0 };
        header.put_u32_le(size);
        header.put_u32_le(size);
        header.put_u16_le(name_length(entry));
        header.put_u16_le(if entry.is_large() { 20 } else { 0 });
        header.put_slice(entry.name.as_bytes());
        if entry.is_large() {
            header.put_u16_le(EXTRA_ID);
            header.put_u16_le(16);
            header.put_bytes(0, 16);
        }
        header
    }

    fn put_common(&self, header: &mut BytesMut, large: bool) {
        header.put_u16_le(if large { 45 } else { 20 });
        header.put_u16_le(FLAGS);
        header.put_u16_le(DEFLATE);
        header.put_u16_le(self.time.0);
        header.put_u16_le(self.time.1);
    }

    async fn send_blocks(&self, mut pieces: ByteStream) -> Result<u32, Stop> {
        let mut checksum = crc32fast::Hasher::new();
        let mut kept = BytesMut::new();
        while let Some(piece) = pieces.try_next().await? {
            checksum.update(&piece);
            kept.extend_from_slice(&piece);
            while kept.len() >= BLOCK {
                self.send_block(kept.split_to(BLOCK).freeze()).await?;
            }
        }
        if !kept.is_empty() {
            self.send_block(kept.freeze()).await?;
        }
        self.sink.send(&[1, 0, 0, 0xff, 0xff][..]).await?;
        Ok(checksum.finalize())
    }

    async fn send_block(&self, block: Bytes) -> Result<(), Stop> {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        let mut header = BytesMut::new();
        header.put_u8(0);
        header.put_u16_le(length);
        header.put_u16_le(!length);
        self.sink.send(header).await?;
        self.sink.send(block).await
    }

    /// The file's line in the directory.
    fn note(&mut self, entry: &Entry, checksum: u32) {
        let extra = needs_extra(entry, self.offset);
        let mut line = BytesMut::new();
        line.put_u32_le(CENTRAL);
        line.put_u16_le(3 << 8 | 45);
        self.put_common(&mut line, extra);
        line.put_u32_le(checksum);
        for size in [entry.packed(), entry.size] {
            line.put_u32_le(if extra { u32::MAX } else { clipped(size) });
        }
        line.put_u16_le(name_length(entry));
        line.put_u16_le(if extra { 28 } else { 0 });
        line.put_bytes(0, 6);
        // A plain file that everybody may read, in the upper half where Unix looks.
        line.put_u32_le(0o100_644 << 16);
        line.put_u32_le(if extra { u32::MAX } else { clipped(self.offset) });
        line.put_slice(entry.name.as_bytes());
        if extra {
            line.put_u16_le(EXTRA_ID);
            line.put_u16_le(24);
            line.put_u64_le(entry.size);
            line.put_u64_le(entry.packed());
            line.put_u64_le(self.offset);
        }
        self.central.unsplit(line);
    }
}

fn needs_extra(entry: &Entry, offset: u64) -> bool {
    entry.is_large() || offset >= LARGE
}

fn needs_end64(entries: usize, start: u64, length: u64) -> bool {
    entries >= usize::from(u16::MAX) || start >= LARGE || length >= LARGE
}

fn clipped(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Names are ids and file names: far shorter than the format's limit.
fn name_length(entry: &Entry) -> u16 {
    u16::try_from(entry.name.len()).unwrap_or(u16::MAX)
}

/// MS-DOS time and date, UTC; the format begins in 1980 and counts two seconds.
fn dos_time(time: Timestamp) -> (u16, u16) {
    let time = time.to_zoned(TimeZone::UTC).datetime();
    let field = |number: i8| u16::try_from(number).unwrap_or(0);
    let year = u16::try_from(time.year() - 1980).unwrap_or(0).min(127);
    (
        field(time.hour()) << 11 | field(time.minute()) << 5 | (field(time.second()) / 2),
        year << 9 | field(time.month()) << 5 | field(time.day()),
    )
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use futures_util::{StreamExt, stream};

    use super::{super::flow::flow, *};

    async fn archive(files: Vec<(&'static str, Vec<u8>)>) -> (Vec<u8>, u64) {
        let entries: Vec<Entry> = files
            .iter()
            .map(|(name, bytes)| Entry { name: (*name).into(), size: bytes.len() as u64 })
            .collect();
        let expected = length(&entries);
        let pieces: Vec<Bytes> = flow(|sink| async move {
            let mut zip = ZipWriter::new(&sink, "2026-11-25T10:20:30Z".parse().unwrap());
            for (entry, (_, bytes)) in entries.iter().zip(files) {
                let chunks: Vec<_> = bytes.chunks(100_000).map(|it| Ok(Bytes::copy_from_slice(it))).collect();
                zip.add(entry, stream::iter(chunks).boxed()).await?;
            }
            zip.finish().await
        })
        .try_collect()
        .await
        .unwrap();
        (pieces.concat(), expected)
    }

    #[tokio::test]
    async fn another_reader_finds_the_same_files() {
        let big: Vec<u8> = (0..1_000_003u32).map(|n| (n * 31 % 251) as u8).collect();
        let files =
            vec![("a/empty", vec![]), ("b/é.bin", big.clone()), ("c/exact", vec![7; BLOCK]), ("d", vec![1])];
        let (bytes, expected) = archive(files.clone()).await;
        assert_eq!(bytes.len() as u64, expected);
        let mut zip = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
        assert_eq!(zip.len(), files.len());
        for (index, (name, content)) in files.iter().enumerate() {
            let mut file = zip.by_index(index).unwrap();
            assert_eq!(file.name().unwrap(), *name);
            let mut read = Vec::new();
            file.read_to_end(&mut read).unwrap();
            assert_eq!(&read, content);
        }
    }

    #[tokio::test]
    async fn an_archive_of_nothing_is_an_archive() {
        let (bytes, expected) = archive(vec![]).await;
        assert_eq!(bytes.len() as u64, expected);
        assert!(zip::ZipArchive::new(Cursor::new(&bytes)).unwrap().is_empty());
    }

    #[tokio::test]
    async fn large_files_and_those_behind_them_get_zip64_records() {
        let files = vec![("small", vec![1; 10]), ("large", vec![2; 600_000]), ("behind", vec![3; 10])];
        let (bytes, expected) = archive(files).await;
        assert_eq!(bytes.len() as u64, expected);
        let records =
            |signature: u32| bytes.windows(4).filter(|four| *four == signature.to_le_bytes()).count();
        assert_eq!((records(END64), records(LOCATOR64), records(CENTRAL)), (1, 1, 3));
        let extras = bytes.windows(4).filter(|four| *four == [1, 0, 24, 0]).count();
        assert_eq!(extras, 2, "the large file's sizes and the place of the one behind it");
        let mut zip = zip::ZipArchive::new(Cursor::new(&bytes)).unwrap();
        let mut read = Vec::new();
        zip.by_name("behind").unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, [3; 10]);
    }
}

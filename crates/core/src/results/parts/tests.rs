//! Objects that come in parts, over connections that break, to servers that end.

use futures_util::{StreamExt, stream};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::results::hex;
use sha2::{Digest, Sha256};

const DRAFT: &str = "jobs/j/uploads/1-a/map/0";
const KEY: &str = "jobs/j/attempts/1-a/outputs/map/0";

fn open(folder: &TempDir) -> Objects {
    Objects::in_folder(folder.path()).unwrap()
}

fn data(size: usize) -> Vec<u8> {
    (0..size).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

/// Bytes as they come: in pieces, perhaps with an end that is none.
fn body(bytes: &[u8], piece: usize, breaks: bool) -> ByteStream {
    let mut pieces: Vec<Result<Bytes, ObjectError>> =
        bytes.chunks(piece.max(1)).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    if breaks {
        pieces.push(Err(ObjectError::Source("the connection broke".into())));
    }
    stream::iter(pieces).boxed()
}

async fn put(
    objects: &Objects,
    whole: &[u8],
    offset: usize,
    end: usize,
    breaks: bool,
) -> Result<Received, ObjectError> {
    let part = Part { offset: offset as u64, size: whole.len() as u64 };
    let bytes = body(&whole[offset..end], 700, breaks);
    Ok(objects.put_part(DRAFT, KEY, part, bytes).await?.unwrap())
}

async fn at(objects: &Objects) -> Received {
    objects.received(DRAFT, KEY).await.unwrap().unwrap()
}

async fn is_whole(objects: &Objects, folder: &TempDir, whole: &[u8]) {
    let wanted = Received { offset: whole.len() as u64, sha256: Some(hex(&Sha256::digest(whole))) };
    assert_eq!(at(objects).await, wanted);
    assert_eq!(objects.get(KEY).await.unwrap().unwrap(), whole);
    assert_eq!(at(&open(folder)).await, wanted, "after another start");
    assert!(!folder.path().join(DRAFT).exists());
}

/// What happens to one part.
#[derive(Clone, Debug)]
struct Event {
    /// Bytes before what is expected next.
    back: usize,
    length: usize,
    breaks: bool,
    restarts: bool,
}

fn event() -> impl Strategy<Value = Event> {
    (0..4000_usize, 0..9000_usize, any::<bool>(), any::<bool>())
        .prop_map(|(back, length, breaks, restarts)| Event { back, length, breaks, restarts })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn whatever_breaks_the_object_is_what_was_sent(size in 1..40_000_usize, events in prop::collection::vec(event(), 0..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let (mut objects, whole) = (open(&folder), data(size));
            let mut kept = 0;
            for Event { back, length, breaks, restarts } in events {
                if restarts {
                    objects = open(&folder);
                }
                let now = usize::try_from(at(&objects).await.offset).unwrap();
                assert!(now >= kept, "what was told as kept is kept");
                let offset = now.saturating_sub(back);
                let end = (offset + length).min(size);
                let told = put(&objects, &whole, offset, end, breaks).await;
                assert_eq!(told.is_err(), breaks);
                kept = usize::try_from(at(&objects).await.offset).unwrap();
                assert_eq!(kept, now.max(end), "what came before the connection broke counts");
            }
            put(&objects, &whole, kept, size, false).await.unwrap();
            is_whole(&objects, &folder, &whole).await;
        });
    }
}

#[tokio::test]
async fn a_part_that_begins_too_late_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, whole) = (open(&folder), data(10_000));
    for _ in 0..2 {
        let told = put(&objects, &whole, 5000, 10_000, false).await.unwrap();
        assert_eq!(told, Received { offset: 0, sha256: None });
    }
    put(&objects, &whole, 0, 4000, false).await.unwrap();
    assert_eq!(put(&objects, &whole, 4001, 10_000, false).await.unwrap().offset, 4000);
    put(&objects, &whole, 4000, 10_000, false).await.unwrap();
    is_whole(&objects, &folder, &whole).await;
}

#[tokio::test]
async fn nothing_goes_beyond_what_was_told_of_the_object() {
    let folder = tempfile::tempdir().unwrap();
    let objects = open(&folder);
    for offset in [0, 5, u64::MAX] {
        let part = Part { offset, size: 10 };
        let told = objects.put_part(DRAFT, KEY, part, body(&data(11), 3, false)).await;
        assert!(matches!(told, Err(ObjectError::Beyond { size: 10 })), "{told:?}");
    }
    assert!(objects.get(KEY).await.unwrap().is_none());
}

#[tokio::test]
async fn two_writers_of_the_same_bytes_make_one_object() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, whole) = (open(&folder), data(5_000_000));
    let write = async |piece| {
        let part = Part { offset: 0, size: whole.len() as u64 };
        objects.put_part(DRAFT, KEY, part, body(&whole, piece, false)).await.unwrap().unwrap()
    };
    let (one, other) = tokio::join!(write(70_001), write(300_007));
    assert_eq!((one.offset, other.offset), (5_000_000, 5_000_000));
    is_whole(&objects, &folder, &whole).await;
}

#[tokio::test]
async fn what_is_whole_is_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, whole) = (open(&folder), data(3000));
    put(&objects, &whole, 0, 3000, false).await.unwrap();
    let other = vec![0; 3000];
    for objects in [objects, open(&folder)] {
        let told = put(&objects, &other, 0, 3000, false).await.unwrap();
        assert_eq!(told.sha256, Some(hex(&Sha256::digest(&whole))));
        is_whole(&objects, &folder, &whole).await;
    }
}

#[tokio::test]
async fn a_draft_that_is_removed_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, whole) = (open(&folder), data(3_000_000));
    put(&objects, &whole, 0, 1000, false).await.unwrap();
    // A writer that is in the middle of it.
    let (sender, coming) = tokio::sync::mpsc::channel::<Bytes>(1);
    let coming = stream::unfold(coming, |mut coming| async { Some((Ok(coming.recv().await?), coming)) });
    let part = Part { offset: 1000, size: 3_000_000 };
    let late = tokio::spawn({
        let objects = objects.clone();
        async move { objects.put_part(DRAFT, KEY, part, coming.boxed()).await }
    });
    for _ in 0..2 {
        // The second is sent when the first was taken.
        sender.send(Bytes::from(vec![1; 10])).await.unwrap();
    }
    objects.remove_all("jobs/j/uploads").await.unwrap();
    assert_eq!(at(&objects).await, Received { offset: 0, sha256: None });
    sender.send(Bytes::from(vec![1; 10])).await.unwrap();
    drop(sender);
    late.await.unwrap().unwrap_err();
    assert!(!folder.path().join("jobs/j/uploads").exists());
    put(&objects, &whole, 0, 3_000_000, false).await.unwrap();
    is_whole(&objects, &folder, &whole).await;
}

#[tokio::test]
async fn a_store_without_a_folder_takes_objects_at_once() {
    let objects = Objects::new(Arc::new(object_store::memory::InMemory::new()));
    assert_eq!(objects.received(DRAFT, KEY).await.unwrap(), None);
    let part = Part { offset: 0, size: 1 };
    assert_eq!(objects.put_part(DRAFT, KEY, part, body(b"x", 1, false)).await.unwrap(), None);
}

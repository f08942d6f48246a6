//! Outputs in parts, sent by agents that are cut off, late, wrong or hostile.

use axum::body::Body;
use http::{Method, StatusCode};
use rutter_core::results::hex;
use rutter_types::agent::{Received, VERSION, VERSION_HEADER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{io::AsyncWriteExt, net::UnixStream};

use crate::{
    agents::Desk,
    play::{asking, server_with_room},
};

const SIZE: usize = 3_000_000;

async fn desk() -> Desk {
    let desk = Desk::open(&asking(&["map"], json!({}))).await;
    desk.call(Method::POST, "order", Body::empty()).await;
    desk
}

fn data() -> Vec<u8> {
    (0..SIZE).map(|at| (at % 251) as u8).collect()
}

async fn received(desk: &Desk) -> Received {
    let (status, told) = desk.call(Method::GET, "outputs/map/0", Body::empty()).await;
    assert_eq!(status, 200);
    serde_json::from_slice(&told).unwrap()
}

async fn send(desk: &Desk, offset: usize, bytes: &[u8]) -> (StatusCode, Value) {
    let path = format!("outputs/map/0?offset={offset}&size={SIZE}");
    let (status, told) = desk.call(Method::POST, &path, bytes.to_vec()).await;
    (status, serde_json::from_slice(&told).unwrap_or_default())
}

fn drafts(desk: &Desk) -> bool {
    desk.server.folder.path().join(format!("objects/jobs/{}/uploads", desk.job)).exists()
}

#[tokio::test]
async fn an_output_in_parts_is_published_as_any_other() {
    let (desk, whole) = (desk().await, data());
    assert_eq!(received(&desk).await, Received { offset: 0, sha256: None });
    let (_, told) = send(&desk, 0, &whole[..1_000_000]).await;
    assert_eq!(told, json!({"offset": 1_000_000}));
    let (_, told) = send(&desk, 1_000_000, &whole[1_000_000..]).await;
    let sha256 = hex(&Sha256::digest(&whole));
    assert_eq!(told, json!({"offset": SIZE, "sha256": sha256}));
    assert_eq!(received(&desk).await.sha256.as_ref(), Some(&sha256), "as often as it is asked");
    let file = json!({"output": "map", "index": 0, "name": "map.tif", "size": SIZE, "sha256": sha256});
    let report = json!({"outcome": {"outcome": "exited", "code": 0}, "log_bytes": 0, "outputs": [file],
        "usage": {"cpu_seconds": 0.0, "peak_memory_bytes": 0, "staging_seconds": 0.0, "command_seconds": 0.0}});
    let (status, told) = desk.call(Method::POST, "report", report.to_string()).await;
    assert_eq!((status.as_u16(), &told[..]), (200, &br#"{"verdict":"done"}"#[..]));
    let got = desk.server.get(&format!("/jobs/{}/results/map", desk.job), &[]).await;
    assert!(got.bytes == whole);
    assert_eq!(send(&desk, 0, &whole[..1]).await.0, 410, "over is over");
}

/// What came before a connection broke stays, wherever that was.
#[tokio::test]
async fn a_cut_connection_costs_what_was_on_its_way() {
    let (desk, whole) = (desk().await, data());
    let mut at = 0;
    for cut in [1, 700_000, 1_048_576, 1_048_577] {
        let mut stream = UnixStream::connect(desk.socket()).await.unwrap();
        let head = format!(
            "POST /agent/v1/outputs/map/0?offset={at}&size={SIZE} HTTP/1.1\r\nhost: a\r\n{VERSION_HEADER}: {VERSION}\r\n\
             authorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
            desk.token(),
            SIZE - at
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&whole[at..(at + cut).min(SIZE)]).await.unwrap();
        drop(stream);
        let now = usize::try_from(received(&desk).await.offset).unwrap();
        assert!((at..=at + cut).contains(&now), "{now} after {at} and {cut}");
        at = now;
    }
    let (_, told) = send(&desk, at, &whole[at..]).await;
    assert_eq!(told["sha256"], hex(&Sha256::digest(&whole)));
}

#[tokio::test]
async fn wrong_places_and_sizes_are_refused() {
    let (desk, whole) = (desk().await, data());
    let limit = desk.server.state.engine.store().plan(desk.job).await.unwrap().unwrap().limits.output_bytes;
    for (query, status) in [
        ("offset=-1&size=10".to_owned(), 400),
        ("offset=0".to_owned(), 400),
        ("size=10".to_owned(), 400),
        ("offset=x&size=10".to_owned(), 400),
        (format!("offset={}&size=10", u64::MAX), 400),
        ("offset=0&size=99999999999999999999999".to_owned(), 400),
        (format!("offset={0}&size={0}", u64::MAX), 413),
        (format!("offset=0&size={}", limit + 1), 413),
        ("offset=11&size=10".to_owned(), 400),
        ("offset=5&size=10".to_owned(), 400),
    ] {
        let (told, _) = desk.call(Method::POST, &format!("outputs/map/0?{query}"), "more than that").await;
        assert_eq!(told, status, "{query}");
    }
    for path in [
        "outputs/text/0?offset=0&size=1",
        "outputs/..%2Fmap/0?offset=0&size=1",
        "outputs/map/x?offset=0&size=1",
    ] {
        assert_eq!(desk.call(Method::POST, path, "x").await.0, 400, "{path}");
    }
    for path in ["outputs/text/0", "outputs/..%2Fmap/0"] {
        assert_eq!(desk.call(Method::GET, path, Body::empty()).await.0, 400, "{path}");
    }
    assert!(!drafts(&desk), "nothing was kept of all this");
    assert_eq!(
        send(&desk, 1000, &whole[1000..]).await.1,
        json!({"offset": 0}),
        "a gap is not filled with nothing"
    );
}

/// A part that was given up comes after all, while another one goes on.
#[tokio::test]
async fn late_and_doubled_parts_do_no_harm() {
    let (desk, whole) = (desk().await, data());
    send(&desk, 0, &whole[..2_000_000]).await;
    assert_eq!(send(&desk, 0, &whole[..500_000]).await.1, json!({"offset": 2_000_000}));
    let (one, other) = tokio::join!(
        send(&desk, 1_500_000, &whole[1_500_000..]),
        send(&desk, 2_000_000, &whole[2_000_000..])
    );
    let sha256 = hex(&Sha256::digest(&whole));
    for (status, told) in [one, other] {
        assert_eq!((status.as_u16(), told), (200, json!({"offset": SIZE, "sha256": sha256})));
    }
}

#[tokio::test]
async fn half_an_output_goes_with_its_attempt() {
    let (desk, whole) = (desk().await, data());
    send(&desk, 0, &whole[..1000]).await;
    assert!(drafts(&desk));
    let report = json!({"outcome": {"outcome": "exited", "code": 3}, "log_bytes": 0,
        "usage": {"cpu_seconds": 0.0, "peak_memory_bytes": 0, "staging_seconds": 0.0, "command_seconds": 0.0}});
    desk.call(Method::POST, "report", report.to_string()).await;
    let folder = desk.server.folder.path().join(format!("objects/jobs/{}/uploads", desk.job));
    crate::play::eventually(|| {
        std::fs::read_dir(&folder).map_or(true, |mut it| it.next().is_none()).then_some(())
    })
    .await;
    assert_eq!(send(&desk, 1000, &whole[1000..2000]).await.0, 410);
    assert!(std::fs::read_dir(&folder).map_or(true, |mut it| it.next().is_none()));
}

/// Agents of earlier releases send every output at once.
#[tokio::test]
async fn an_output_at_once_takes_the_place_of_parts() {
    let (desk, whole) = (desk().await, data());
    send(&desk, 0, &whole[..1000]).await;
    let (status, told) = desk.call(Method::PUT, "outputs/map/0", whole.clone()).await;
    assert_eq!(status, 200);
    let told: Value = serde_json::from_slice(&told).unwrap();
    assert_eq!(told, json!({"size": SIZE, "sha256": hex(&Sha256::digest(&whole))}));
}

/// Whoever holds the token, the program among them, can't fill the store by dividing what it sends.
#[tokio::test]
async fn all_outputs_together_keep_to_the_limit() {
    let desk = Desk::of(server_with_room(0.004).await, &asking(&["map", "parts"], json!({}))).await;
    desk.call(Method::POST, "order", Body::empty()).await;
    let whole = data();
    let put = async |path: &str, bytes: &[u8]| desk.call(Method::PUT, path, bytes.to_vec()).await.0;
    assert_eq!(send(&desk, 0, &whole).await.0, 200);
    assert_eq!(send(&desk, 0, &whole).await.0, 200, "what is sent again counts once");
    assert_eq!(put("outputs/parts/0", &whole[..900_000]).await, 200);
    assert_eq!(put("outputs/parts/0", &whole[..900_000]).await, 200);
    assert_eq!(put("outputs/parts/1", &whole[..200_000]).await, 413);
    for index in 2..10 {
        let path = format!("outputs/parts/{index}?offset=0&size=200000");
        assert_eq!(desk.call(Method::POST, &path, whole[..200_000].to_vec()).await.0, 413);
    }
    assert_eq!(put("outputs/parts/200000", b"").await, 400, "nor by values without bytes");
}

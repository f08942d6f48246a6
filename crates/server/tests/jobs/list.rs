//! `GET /jobs`.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    common::Server,
    play::{EVERYTHING, server},
    schemas::{check, check_problem},
};

fn ids(list: &Value) -> Vec<String> {
    list["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect()
}

fn next(list: &Value) -> Option<String> {
    let link = list["links"].as_array().unwrap().iter().find(|link| link["rel"] == "next")?;
    Some(link["href"].as_str().unwrap().strip_prefix("http://127.0.0.1:8080").unwrap().to_owned())
}

async fn listed(server: &Server, query: &str) -> Vec<String> {
    let list = server.json(&format!("/jobs?{query}")).await;
    check("1.0/jobList.yaml", &list);
    check("2.0/processes-core/jobList.yaml", &list);
    ids(&list)
}

#[tokio::test]
async fn filters_choose_and_the_newest_comes_first() {
    let server = server().await;
    let done = server.done(&json!({}), &EVERYTHING).await.to_string();
    let waits = server.submit("async", &json!({})).await.to_string();
    let created = server.json(&format!("/jobs/{done}")).await["created"].as_str().unwrap().to_owned();
    let (both, only_done, only_waits) =
        (vec![waits.clone(), done.clone()], vec![done.clone()], vec![waits.clone()]);
    for (query, wanted) in [
        ("", &both),
        ("type=process", &both),
        ("processID=both", &only_done),
        ("processID=both&processID=async", &both),
        ("processID=both,async", &both),
        ("processID=../x", &vec![]),
        ("status=successful", &only_done),
        ("status=accepted,running", &only_waits),
        ("minDuration=0", &only_done),
        ("minDuration=3600", &vec![]),
        ("maxDuration=3600", &only_done),
        (&format!("datetime={created}"), &only_done),
        (&format!("datetime=../{created}"), &only_done),
        ("datetime=2020-01-01T00:00:00Z/2021-01-01T00:00:00Z", &vec![]),
        ("datetime=2020-01-01T00:00:00Z/..&status=successful&processID=both", &only_done),
        ("limit=1", &only_waits),
        ("limit=1000000", &both),
    ] {
        assert_eq!(&listed(&server, query).await, wanted, "{query}");
    }
}

#[tokio::test]
async fn bad_queries_are_refused_by_name() {
    let server = server().await;
    for query in
        ["limit=0", "status=done", "datetime=x", "minDuration=x", "maxDuration=-1", "type=x", "cursor=x"]
    {
        let answer = server.get(&format!("/jobs?{query}"), &[("accept", "application/json")]).await;
        assert_eq!(answer.status, 400, "{query}");
        check_problem(&answer.json());
        assert_eq!(answer.json()["parameter"], query.split('=').next().unwrap());
    }
}

#[tokio::test]
async fn a_walk_sees_each_untouched_job_once_while_others_come_and_go() {
    let server = server().await;
    let mut kept = Vec::new();
    let mut doomed = Vec::new();
    for number in 0..60 {
        let id = server.submit("both", &json!({})).await;
        if number % 3 == 0 { doomed.push(id) } else { kept.push(id.to_string()) }
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut page = Some("/jobs?limit=7&processID=both".to_owned());
    while let Some(path) = page {
        let list = server.json(&path).await;
        for id in ids(&list) {
            *seen.entry(id).or_default() += 1;
        }
        page = next(&list);
        server.submit("both", &json!({})).await;
        if let Some(id) = doomed.pop() {
            server.delete(&format!("/jobs/{id}")).await;
            server.delete(&format!("/jobs/{id}")).await;
        }
    }
    for id in &kept {
        assert_eq!(seen.get(id), Some(&1));
    }
    assert!(seen.values().all(|count| *count == 1));
}

//! Landing page and conformance.

use crate::common::Server;

#[tokio::test]
async fn the_landing_page_leads_everywhere() {
    let server = Server::start().await;
    let landing = server.json("/").await;
    insta::assert_json_snapshot!("landing", landing);
    for link in landing["links"].as_array().unwrap() {
        let path = link["href"].as_str().unwrap().trim_start_matches("http://127.0.0.1:8080");
        assert_eq!(server.get(path, &[]).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn conformance_names_what_works() {
    let server = Server::start().await;
    insta::assert_json_snapshot!("conformance", server.json("/conformance").await);
}

#[tokio::test]
async fn pages_have_the_links_of_the_json_and_no_foreign_resource() {
    let server = Server::start().await;
    for path in ["/", "/processes", "/processes/flood-extent"] {
        let page = server.get(&format!("{path}?f=html"), &[]).await;
        let csp = page.header("content-security-policy");
        assert!(csp.contains("default-src 'none'") && csp.contains("style-src 'self'"), "{csp}");
        let text = page.text();
        assert!(!text.contains("style=") && !text.contains("<script"), "{path}");
        for link in server.json(path).await["links"].as_array().unwrap() {
            // The page's own `self` and `alternate` are those of a page.
            let href = link["href"].as_str().unwrap().replace('/', "&#x2f;").replace("?f=html", "");
            assert!(text.contains(&href), "{path} has no link to {href}");
        }
    }
}

#[tokio::test]
async fn what_a_package_says_is_no_markup() {
    let folder = tempfile::tempdir().unwrap();
    let package = r#"
processDescription:
  process:
    id: evil
    version: 1.0.0
    title: <script>alert(1)</script>
    description: '"><img src=x onerror=alert(1)>'
    inputs: {x: {title: <b>, schema: {type: string, default: "</code><script>"}}}
    outputs: {y: {schema: {type: string}}}
executionUnit: [{type: command, command: [echo, $(inputs.x)], bindings: {outputBindings: {y: {stdout: true}}}}]
examples: [{title: "'; rm", inputs: {x: "it's"}}]
"#;
    std::fs::write(folder.path().join("evil.yaml"), package).unwrap();
    let server = Server::of(rutter_server::ServerConfig::default(), vec![folder.path().to_owned()]).await;
    for path in
        ["/processes?f=html", "/processes/evil?f=html", "/api?f=html", "/processes/%3Cscript%3E?f=html"]
    {
        let text = server.get(path, &[]).await.text();
        assert!(!text.contains("<script") && !text.contains("<img src=x"), "{path}: {text}");
    }
}

//! The files that a browser gets. They are part of the program: no file of the machine is served.

use axum::Router;
use axum::http::header;
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! files {
    ($($path:literal, $kind:ident, $file:literal;)*) => {
        /// Path, type and text of each.
        const FILES: &[(&str, &str, &str)] = &[
            $(($path, $kind, include_str!(concat!("../../console/", $file))),)*
        ];
    };
}

files! {
    "/", HTML, "index.html";
    "/console/style.css", CSS, "style.css";
    "/console/icon.svg", SVG, "icon.svg";
    "/console/main.js", JS, "main.js";
    "/console/dom.js", JS, "dom.js";
    "/console/api.js", JS, "api.js";
    "/console/format.js", JS, "format.js";
    "/console/chart.js", JS, "chart.js";
    "/console/history.js", JS, "history.js";
    "/console/overview.js", JS, "overview.js";
    "/console/topics.js", JS, "topics.js";
    "/console/topic.js", JS, "topic.js";
    "/console/messages.js", JS, "messages.js";
    "/console/configs.js", JS, "configs.js";
    "/console/groups.js", JS, "groups.js";
}

/// A route for each file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    FILES
        .iter()
        .fold(Router::new(), |router, (path, kind, text)| {
            router.route(
                path,
                get(move || async move { ([(header::CONTENT_TYPE, *kind)], *text) }),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_is_small_and_stands_alone() {
        let bytes: usize = FILES.iter().map(|(_, _, text)| text.len()).sum();
        assert!(bytes < 150 << 10, "{bytes}");
        for (path, _, text) in FILES {
            let without_namespace = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!without_namespace.contains("http://"), "{path}");
            assert!(!without_namespace.contains("https://"), "{path}");
        }
    }

    /// A policy of `default-src 'self'` lets neither run, and a missing module is a blank page.
    #[test]
    fn nothing_is_inline_and_every_import_is_served() {
        let paths: Vec<&str> = FILES.iter().map(|(path, ..)| *path).collect();
        for (path, kind, text) in FILES {
            for inline in [
                " style=",
                "<style",
                "<script>",
                "onclick=",
                "innerHTML",
                "eval(",
            ] {
                assert!(!text.contains(inline), "{path} has {inline}");
            }
            if *kind != JS {
                continue;
            }
            for line in text.lines().filter(|line| line.contains(" from \"./")) {
                let file = line.split("from \"./").nth(1).unwrap();
                let file = format!("/console/{}", file.trim_end_matches("\";"));
                assert!(paths.contains(&file.as_str()), "{path} imports {file}");
            }
        }
    }
}

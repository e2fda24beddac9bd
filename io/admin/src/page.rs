//! The page: files of the folder `dashboard`, built in.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;

/// Path, content type, content.
const FILES: [(&str, &str, &str); 6] = [
    ("/", "text/html; charset=utf-8", include_str!("../../../dashboard/index.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("../../../dashboard/page.css")),
    ("/page.js", SCRIPT, include_str!("../../../dashboard/page.js")),
    ("/rows.js", SCRIPT, include_str!("../../../dashboard/rows.js")),
    ("/source.js", SCRIPT, include_str!("../../../dashboard/source.js")),
    ("/icon.svg", "image/svg+xml", include_str!("../../../dashboard/icon.svg")),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// One route per file.
pub(crate) fn router() -> Router {
    FILES.into_iter().fold(Router::new(), |router, (path, kind, content)| {
        router.route(path, get(async move || ([(CONTENT_TYPE, kind)], content).into_response()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_never_becomes_markup_and_nothing_comes_from_elsewhere() {
        let banned = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "<script>",
            "style=",
            "onclick=",
            "//cdn",
            "src=\"http",
            "href=\"http",
            "@import",
            "url(",
        ];
        for (path, _, content) in FILES {
            for word in banned {
                assert!(!content.contains(word), "{word} in {path}");
            }
        }
    }
}

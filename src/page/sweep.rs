//! The page of a sweep: its runs as a table to sort and to filter, any of their numbers over any other, and its figures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::math::escaped;
use super::{PLOT, document};

const SWEEP: &str = include_str!("sweep.js");

/// Bytes of pictures that a page holds; further ones are read from beside it.
const MOST_BYTES: usize = 1_200_000;

/// A figure beside the page.
pub struct Picture {
    /// Its file's name.
    pub name: String,
    /// The file.
    pub png: Vec<u8>,
}

/// What a sweep combines, by names.
pub struct Axes<'a> {
    /// All of its axes.
    pub all: Vec<&'a str>,
    /// The one along which its figures run.
    pub across: Option<&'a str>,
    /// The one whose values they compare.
    pub compared: Option<&'a str>,
}

/// The page of a sweep over `axes`: `runs` are rows whose cells have names, the same in all, `links` say where the page of each
/// run is, if it has one, and `about` is a line for its reader.
pub fn sweep(
    title: &str,
    about: &str,
    axes: &Axes<'_>,
    runs: &[Map<String, Value>],
    links: &[Option<String>],
    pictures: &[Picture],
) -> String {
    let title = if title.is_empty() { "Sweep" } else { title };
    let mut room = MOST_BYTES;
    let figure = |picture: &Picture| {
        let source = match room.checked_sub(picture.png.len()) {
            Some(left) => {
                room = left;
                format!("data:image/png;base64,{}", STANDARD.encode(&picture.png))
            }
            None => escaped(&picture.name),
        };
        let name = escaped(picture.name.trim_end_matches(".png"));
        // Panels side by side would be too small in one column.
        let wide = if is_wide(&picture.png) { " class=\"wide\"" } else { "" };
        format!(
            "<figure{wide}><img src=\"{source}\" alt=\"{name}\"><figcaption class=\"note\">{name}</figcaption></figure>\n"
        )
    };
    let figures: String = pictures.iter().map(figure).collect();
    let figures = if figures.is_empty() {
        String::new()
    } else {
        format!(
            "<section id=\"figures\"><h2>Figures</h2>\n<div class=\"figures\">\n{figures}</div></section>\n"
        )
    };
    let body = format!(
        "<header><h1>{}</h1><p class=\"lead\">{}</p></header>\n\
         <section id=\"compare\"><h2>Compare</h2><div class=\"controls\" id=\"compare-controls\"></div>\
         <p class=\"note\" id=\"compare-count\"></p><div class=\"plot\" id=\"compare-plot\"></div></section>\n{figures}\
         <section id=\"runs\"><h2>Runs</h2><div class=\"controls\" id=\"run-controls\"></div>\
         <p class=\"note\" id=\"run-count\" role=\"status\"></p><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"runs\">\
         <table id=\"run-table\"></table></div></section>\n",
        escaped(title),
        escaped(about)
    );
    let Axes { all, across, compared } = axes;
    // Names of columns once, and not in every row.
    let columns: Vec<&String> = runs.first().map(|run| run.keys().collect()).unwrap_or_default();
    let rows: Vec<Vec<&Value>> = runs.iter().map(|run| run.values().collect()).collect();
    let links = if links.iter().any(Option::is_some) { links } else { &[] };
    let data = json!({
        "axes": all, "across": across, "compared": compared, "columns": columns, "rows": rows, "links": links,
    });
    document(title, &body, &data, "null", &[PLOT, SWEEP])
}

/// Is a picture, a PNG, much wider than high? Its first block holds both sizes.
fn is_wide(png: &[u8]) -> bool {
    let size = |at: usize| {
        png.get(at..at + 4).map(|bytes| bytes.iter().fold(0, |n, &byte| 256 * n + u64::from(byte)))
    };
    matches!((size(16), size(20)), (Some(width), Some(height)) if 2 * width > 3 * height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_its_runs_and_no_text_of_theirs_ends_a_script() {
        let run = json!({ "run": "a</script><b>", "scale": 0.5, "best_loss": null });
        let runs = [run.as_object().expect("an object").clone()];
        let picture = Picture { name: "loss.png".into(), png: vec![0; 30] };
        let large = Picture { name: "large.png".into(), png: vec![0; MOST_BYTES] };
        let axes = Axes { all: vec!["scale"], across: Some("scale"), compared: None };
        let page = sweep("<Heat>", "1 run", &axes, &runs, &[None], &[picture, large]);
        assert!(page.contains("&lt;Heat&gt;") && !page.contains("<Heat>"));
        assert!(page.contains("a\\u003c/script>") && !page.contains("a</script>"));
        assert!(page.contains("src=\"data:image/png;base64,AAAA") && page.contains("src=\"large.png\""));
        assert!(!page.contains("{{"));
    }
}

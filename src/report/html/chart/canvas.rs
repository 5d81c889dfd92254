//! What plotters draws, as SVG that belongs to this page: it scales, and its colors are the page's.

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::style::RGBColor;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, TextStyle};

/// plotters counts in whole pixels: it draws at so many times the size, so that a curve is smooth.
const FINE: u32 = 4;
/// Text as plotters writes its size, which divides what it is given by 1.24.
const FONT_SIZE: f64 = 62.0;
const FONT_WRITTEN: &str = " font-family=\"sans-serif\" font-size=\"50\"";

pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub type DrawError = DrawingAreaErrorKind<std::io::Error>;

/// Colors are drawn as stand-ins, for which the page's own are put in: they differ in light, dark and print.
pub const SERIES: [RGBColor; 4] = [RGBColor(1, 1, 11), RGBColor(1, 1, 12), RGBColor(1, 1, 13), RGBColor(1, 1, 14)];
pub const REFERENCE: RGBColor = RGBColor(1, 1, 15);
pub const INK: RGBColor = RGBColor(1, 1, 16);
pub const SOFT: RGBColor = RGBColor(1, 1, 17);
pub const GRID: RGBColor = RGBColor(1, 1, 18);
pub const AXIS: RGBColor = RGBColor(1, 1, 19);

/// As plotters writes a stand-in, and what the page says. Curves differ in their dashes as well: not all
/// readers see the colors.
const PAINTS: [(&str, &str); 9] = [
    ("\"#01010B\"", "\"var(--series-1)\""),
    ("\"#01010C\"", "\"var(--series-2)\" stroke-dasharray=\"28 14\""),
    ("\"#01010D\"", "\"var(--series-3)\" stroke-dasharray=\"6 12\""),
    ("\"#01010E\"", "\"var(--series-4)\" stroke-dasharray=\"28 12 6 12\""),
    ("\"#01010F\"", "\"var(--mute)\" stroke-dasharray=\"12 14\""),
    ("\"#010110\"", "\"var(--ink)\""),
    ("\"#010111\"", "\"var(--soft)\""),
    ("\"#010112\"", "\"var(--line)\""),
    ("\"#010113\"", "\"var(--mute)\""),
];

/// A length in the page's pixels as plotters must be told it.
pub fn px(pixels: f64) -> i32 {
    (pixels * f64::from(FINE)).round() as i32
}

/// Text of the page's size.
pub fn text(color: RGBColor, across: HPos, down: VPos) -> TextStyle<'static> {
    let font = ("sans-serif", FONT_SIZE).into_font();
    TextStyle { font, color: color.to_backend_color(), pos: Pos::new(across, down) }
}

/// The inside of an SVG of the view box that [`view_box`] gives; `None` where plotters could not draw.
pub fn draw(width: f64, height: f64, paint: impl FnOnce(&Area<'_>) -> Result<(), DrawError>) -> Option<String> {
    let mut svg = String::new();
    {
        let size = (px(width).unsigned_abs(), px(height).unsigned_abs());
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        paint(&area).and_then(|()| area.present()).ok()?;
    }
    let inside = svg.split_once('>').and_then(|(_, rest)| rest.trim_end().strip_suffix("</svg>"))?;
    Some(themed(inside))
}

/// The coordinates of a drawing of that size.
pub fn view_box(width: f64, height: f64) -> String {
    format!("0 0 {} {}", px(width), px(height))
}

/// With the page's colors, and without what its style sheet says anyway. Names in it are safe: plotters has
/// escaped their quotation marks, so none of them looks like an attribute.
fn themed(svg: &str) -> String {
    let mut svg = svg.replace('\n', "").replace(" opacity=\"1\"", "").replace(FONT_WRITTEN, "");
    for (written, paint) in PAINTS {
        svg = svg.replace(written, paint);
    }
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(name: &str) -> String {
        let paint = |area: &Area<'_>| area.draw_text(name, &text(INK, HPos::Left, VPos::Top), (0, 0));
        draw(100.0, 50.0, paint).unwrap()
    }

    #[test]
    fn colors_are_the_pages_and_sizes_those_of_its_style_sheet() {
        assert_eq!(drawn("x"), r#"<text x="0" y="0" dy="0.76em" text-anchor="start" fill="var(--ink)">x</text>"#);
        assert_eq!(view_box(100.0, 50.0), "0 0 400 200");
    }

    #[test]
    fn names_stay_text() {
        let evil = "</text><script>alert('&')</script>\" fill=\"#010110\" opacity=\"1\"";
        let svg = drawn(evil);
        assert!(!svg.contains("<script") && svg.matches("</text>").count() == 1, "{svg}");
        assert!(svg.contains("&lt;script&gt;alert(&apos;&amp;&apos;)"), "{svg}");
        // What looks like an attribute in a name is neither taken for one nor taken away.
        assert!(svg.contains("fill=&quot;#010110&quot; opacity=&quot;1&quot;"), "{svg}");
    }
}

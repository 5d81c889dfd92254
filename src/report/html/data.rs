//! The section on what came in and what went out.

use chrono::NaiveDate;
use maud::{Markup, html};

use super::parts::{self, CELL_MAX, Head, ROWS_MAX};
use super::{checks, features};
use crate::report::content::{DeliveryReport, PublicationReport, Report, SourceReport};
use crate::report::format::{self, bytes, clip, thousands};

pub fn section(report: &Report) -> Markup {
    html! {
        section aria-labelledby="data" {
            h2 #data { "Data" }
            h3 #published { "Published" }
            (published(&report.publications))
            h3.after #sources { "Read" }
            (read(&report.sources, report.run_date))
            h3.after #checks { "Checks" }
            (checks::tables(&report.checks))
            (checks::set_aside(&report.nodes))
            (features::tables(&report.profiles))
        }
    }
}

/// Where each table went, and whether it is new.
fn published(publications: &[PublicationReport]) -> Markup {
    let row = |publication: &PublicationReport| {
        html! {
            th scope="row" { (parts::breakable(&clip(&publication.name, CELL_MAX))) }
            td.n { (thousands(publication.rows)) }
            td.n { (thousands(publication.files)) }
            td.n { (bytes(publication.bytes)) }
            td { @if publication.changed { "new version" } @else { "unchanged" } }
            td {
                code { (clip(&publication.to, CELL_MAX)) }
                @if let Some(delivery) = &publication.delivery { (delivered(delivery)) }
            }
        }
    };
    let rows: Vec<Markup> = publications.iter().take(ROWS_MAX).map(row).collect();
    let heads = [
        Head::Text("Table"),
        Head::Number("Rows"),
        Head::Number("Files"),
        Head::Number("Size"),
        Head::Text("This run"),
        Head::Text("Where"),
    ];
    html! {
        @if publications.is_empty() {
            p.soft { "This run published nothing." }
        } @else {
            (parts::table("Tables that went out", &heads, &rows, publications.len()))
        }
    }
}

/// Which table of a database has the rows, too.
fn delivered(delivery: &DeliveryReport) -> Markup {
    let verb = match (delivery.skipped, delivery.changed) {
        (true, _) => "not delivered in this environment: ",
        (false, true) => "delivered: ",
        (false, false) => "delivered before: ",
    };
    let place = format!("{}: {}", delivery.database, delivery.table);
    html! { br; span.soft { (verb) } code { (clip(&place, CELL_MAX)) } }
}

/// What was read, how fresh it is, and what was set aside.
fn read(sources: &[SourceReport], run_date: NaiveDate) -> Markup {
    let row = |source: &SourceReport| {
        html! {
            th scope="row" { (parts::breakable(&clip(&source.name, CELL_MAX))) }
            td.n { (thousands(source.rows)) }
            td.n { (thousands(source.quarantined_rows)) }
            td.n { (thousands(source.later_rows)) }
            td.n { (thousands(source.files)) }
            td.n { (bytes(source.bytes)) }
            td { (fresh(source.watermark, run_date)) }
        }
    };
    let rows: Vec<Markup> = sources.iter().take(ROWS_MAX).map(row).collect();
    let heads = [
        Head::Text("Source"),
        Head::Number("Rows"),
        Head::Number("Set aside"),
        Head::Number("Too late"),
        Head::Number("Files"),
        Head::Number("Size"),
        Head::Text("Newest event"),
    ];
    html! {
        @if sources.is_empty() {
            p.soft { "This run read no source." }
        } @else {
            (parts::table("Tables that came in", &heads, &rows, sources.len()))
        }
    }
}

/// How long before the run date the events end. The watermark is the midnight after the newest.
fn fresh(watermark: Option<NaiveDate>, run_date: NaiveDate) -> Markup {
    let Some(watermark) = watermark else {
        return html! { span.soft { "has no event time" } };
    };
    let newest = watermark.pred_opt().unwrap_or(watermark);
    let behind = (run_date - watermark).num_days();
    html! {
        time datetime=(newest) { (newest) }
        span.range {
            @if behind <= 0 { "up to the run date" } @else { (format::count(behind.unsigned_abs(), "day", "days")) " missing" }
        }
    }
}

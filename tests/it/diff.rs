//! `patronage diff`: two runs over members whose moves are counted by hand.

use serde_json::{Value, json};

use super::support::{Project, floats, integers, texts};

const MEMBERS: &str = r#"name: members
sources:
  members:
    path: ${lake}/members.parquet
    columns:
      customer: {type: int64, class: direct_id}
      level: string
      tier: int64
      probability: float64
      amount: float64
stages:
  - id: kept
    stage: sql
    inputs: {members: members}
    with: {query: "SELECT customer, level, tier, probability, amount FROM members WHERE customer >= 0", key: [customer]}
  - id: joined
    stage: scores
    inputs: {entities: kept, tables: [kept]}
    with: {entity: customer}
publish:
  joined: {from: joined, to: "${warehouse}/joined"}
"#;

/// Members `from..to`, each with its level, tier and probability; the amount is the number ten times.
fn members(project: &Project, from: i64, to: i64, of: impl Fn(i64) -> (&'static str, i64, f64)) {
    let rows: Vec<(&str, i64, f64)> = (from..to).map(of).collect();
    let customers: Vec<i64> = (from..to).collect();
    let column = |of: fn(&(&'static str, i64, f64)) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
    let columns = vec![
        integers("customer", &customers),
        texts("level", &rows.iter().map(|row| row.0).collect::<Vec<_>>()),
        integers("tier", &rows.iter().map(|row| row.1).collect::<Vec<_>>()),
        floats("probability", &column(|row| row.2)),
        floats("amount", &customers.iter().map(|customer| *customer as f64 * 10.0).collect::<Vec<_>>()),
    ];
    project.write_parquet("data/members.parquet", columns);
}

/// Two nights. Members 0 to 4 leave level a, 100 to 104 come to it; 5 to 11 go from a to b, 50 to 58 from
/// b to a; 5, 7 and 9 go from tier 1 to 0; 5 to 14 rise across one half, 80 to 82 fall below it.
fn two_nights() -> Project {
    let project = Project::new(MEMBERS);
    let level = |a: bool| if a { "a" } else { "b" };
    members(&project, 0, 100, |id| (level(id < 50), id % 2, if id < 80 { 0.4 } else { 0.6 }));
    project.run(0, &["--run-date", "2024-06-01"]);
    members(&project, 5, 105, |id| {
        let a = (12..59).contains(&id) || id >= 100;
        let tier = if [5, 7, 9].contains(&id) { 0 } else { id % 2 };
        let probability = match id {
            5..15 => 0.7,
            80..83 => 0.3,
            id if id < 80 => 0.4,
            _ => 0.6,
        };
        (level(a), tier, probability)
    });
    project.edit("customer >= 0", "customer > -1");
    project.run(0, &["--run-date", "2024-06-02"]);
    project
}

fn diff(project: &Project, arguments: &[&str]) -> Value {
    let said = project.patronage(&[&["diff", "--format", "json"], arguments].concat()).ends(0);
    serde_json::from_str(&said.stdout).expect("JSON")
}

/// The entry of a list with these values.
#[track_caller]
fn find<'a>(list: &'a Value, wanted: &[(&str, &str)]) -> &'a Value {
    let fits = |entry: &&Value| wanted.iter().all(|(key, value)| entry[*key] == *value);
    list.as_array().expect("a list").iter().find(fits).unwrap_or_else(|| panic!("no {wanted:?} in {list:#}"))
}

#[test]
fn moves_are_those_counted_by_hand() {
    let project = two_nights();
    let found = diff(&project, &["2024-06-01", "2024-06-02"]);
    let level = find(&found["migrations"], &[("table", "kept"), ("column", "level")]);
    assert_eq!((&level["both"], &level["moved"]), (&json!(95), &json!(16)));
    let matrix = &level["matrix"];
    assert_eq!(matrix["rows"], json!(["a", "b"]));
    // Who stays and goes, then who is gone; the last row is who is new.
    assert_eq!(matrix["counts"], json!([[38, 7, 5], [9, 41, 0], [5, 0, 0]]));
    assert_eq!(matrix["row_totals"], json!([50, 50, 5]));
    assert_eq!(matrix["column_totals"], json!([52, 48, 5]));
    assert_eq!(level["flows"][0], json!({"from": "b", "to": "a", "entities": 9}));

    let probability = find(&found["scores"], &[("column", "probability")]);
    let shift = &probability["shift"];
    assert_eq!((&shift["crossed_up"], &shift["crossed_down"]), (&json!(10), &json!(3)));
    assert_eq!((&shift["rose"], &shift["fell"], &probability["both"]), (&json!(10), &json!(3), &json!(95)));
    let amount = find(&found["scores"], &[("column", "amount")]);
    assert_eq!((&amount["shift"]["rose"], &amount["shift"]["fell"]), (&json!(0), &json!(0)));
    assert_eq!(amount["shift"]["before"]["mean"], json!(495.0));
    assert_eq!(amount["shift"]["now"]["mean"], json!(545.0));

    let entities = &find(&found["tables"], &[("table", "kept")])["entities"];
    assert_eq!(*entities, json!({"column": "customer", "both": 95, "new": 5, "gone": 5}));
    assert_eq!(found["movers"][0]["column"], "level");
    assert_eq!(find(&found["configuration"], &[("node", "stage.kept")])["details"], json!(["with.query"]));
    assert_eq!(found["configuration"].as_array().unwrap().len(), 1, "{:#}", found["configuration"]);
    // The table that joins `kept` says nothing new.
    assert!(found["migrations"].as_array().unwrap().iter().all(|one| one["table"] == "kept"));
}

#[test]
fn small_counts_are_hidden_unless_asked_for() {
    let project = two_nights();
    let tier = |arguments: &[&str]| {
        let found = diff(&project, arguments);
        find(&found["migrations"], &[("column", "tier")])["matrix"]["counts"].clone()
    };
    assert_eq!(tier(&["--unmask"]), json!([[47, 0, 3], [3, 45, 2], [3, 2, 0]]));
    let masked = tier(&[]);
    let shown: Vec<u64> =
        masked.as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap()).filter_map(Value::as_u64).collect();
    assert!(shown.iter().all(|count| *count == 0 || *count >= 5), "{masked}");
    for arguments in [&[][..], &["--format", "markdown"], &["--format", "html"]] {
        let text = project.patronage(&[&["diff"], arguments].concat()).ends(0).stdout;
        assert!(text.contains("* is 1 to 4") || text.contains("\\* is 1 to 4"), "{text}");
    }
}

#[test]
fn every_format_says_the_same() {
    let project = two_nights();
    let text = project.patronage(&["diff"]).ends(0).stdout;
    assert!(text.starts_with("members: 2024-06-02 against 2024-06-01\n"), "{text}");
    for wanted in ["kept.level: 16 of 95 moved (16.8 %)", "Defined differently: stage.kept.", "kept.probability"] {
        assert!(text.contains(wanted), "{wanted} in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no escape codes");
    for (file, start) in
        [("out.md", "## members"), ("out.html", "<!DOCTYPE html>"), ("out.json", "{"), ("out.txt", "members")]
    {
        let said = project.patronage(&["diff", "last~1", "last", "--out", file]).ends(0);
        assert_eq!(said.stdout, "");
        let written = std::fs::read_to_string(project.path(file)).unwrap();
        assert!(written.starts_with(start), "{file}: {written}");
        assert!(written.contains("16 of 95 moved") || file == "out.json", "{file}");
    }
    // The same twice, to the byte.
    assert_eq!(project.patronage(&["diff"]).stdout, text);
}

#[test]
fn a_run_is_named_in_several_ways_or_refused_with_what_there_is() {
    let project = two_nights();
    let found = diff(&project, &[]);
    let id = found["before"]["run_id"].as_str().unwrap().to_owned();
    let directory = format!("target/patronage/{id}");
    for word in [id.as_str(), directory.as_str(), "2024-06-01", "last~1"] {
        assert_eq!(diff(&project, &[word, "last"])["before"]["run_id"], id.as_str(), "{word}");
    }
    let file = diff(&project, &["--pipeline", "pipeline.yaml"]);
    assert_eq!(file["before"]["run_id"], id.as_str());

    let missing = project.patronage(&["diff", "2024-06-11", "last"]).ends(66).stderr;
    assert!(missing.contains("R205") && missing.contains("no run of 2024-06-11"), "{missing}");
    assert!(missing.contains("did you mean `2024-06-01`?"), "{missing}");
    project.patronage(&["diff", "last~7", "last"]).ends(66);
    project.patronage(&["diff", "--pipeline", "other", "last~1", "last"]).ends(66);
    project.patronage(&["diff", "some/where", "last"]).ends(66);
    let unclear = project.patronage(&["diff", id.get(..4).unwrap(), "last"]).ends(2).stderr;
    assert!(unclear.contains("the ids of 2 runs start with"), "{unclear}");
    project.patronage(&["diff", "--format", "pdf"]).ends(2);
    std::fs::remove_file(project.path(&directory).join("report.json")).unwrap();
    let unfinished = project.patronage(&["diff", &id, "last"]).ends(66).stderr;
    assert!(unfinished.contains("the run did not finish"), "{unfinished}");
}

#[test]
fn what_is_gone_is_said_and_the_rest_compared() {
    let project = two_nights();
    let all = diff(&project, &[]);
    let tables = project.path("target/patronage/tables/members/joined");
    for entry in std::fs::read_dir(tables).unwrap() {
        std::fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    let rest = diff(&project, &[]);
    let joined = find(&rest["tables"], &[("table", "joined")]);
    assert_eq!(joined["unavailable"], "the table of 2024-06-01 is gone");
    assert_eq!((&joined["rows_before"], &joined["rows_now"]), (&json!(100), &json!(100)), "the report knows them");
    assert_eq!(rest["migrations"], all["migrations"]);

    // The same run twice: everything is the same, nobody moved.
    let same = project.patronage(&["diff", "last", "last"]).ends(0).stdout;
    assert!(same.contains("Nobody moved.") && same.contains("The pipeline is defined as it was."), "{same}");
}

/// A pseudo-terminal by `script` of util-linux, which every Debian has.
#[cfg(target_os = "linux")]
#[test]
fn live_lines_are_drawn_on_a_terminal_only() {
    let project = Project::shop();
    let run = |term: &str, arguments: &str| {
        let _ = std::fs::remove_dir_all(project.path("target"));
        let command = format!("{} run pipeline.yaml {arguments}", env!("CARGO_BIN_EXE_patronage"));
        let mut script = std::process::Command::new("script");
        script.args(["-qec", &command, "/dev/null"]).current_dir(project.root()).env("TERM", term).env("NO_COLOR", "1");
        script.env("COLUMNS", "80").stdin(std::process::Stdio::null());
        let output = script.output().expect("script runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(text.contains("of 6 steps done"), "{text}");
        text
    };
    let live = run("xterm", "");
    // A line: the node, as wide as the longest name that is shown whole, and how long it has been running.
    let line = regex::Regex::new(r"(?:source|stage|publish)\.[a-z]+ {2,}\d+\.\d\d s").unwrap();
    assert!(live.contains("\u{1b}[") && line.is_match(&live), "{live:?}");
    // Whatever was drawn is gone before the summary, which is the last thing said.
    let (_, summary) = live.split_once("of 6 steps done").unwrap();
    assert!(!summary.contains('\u{1b}'), "{summary:?}");
    for (term, arguments) in [("dumb", ""), ("xterm", "--progress never"), ("xterm", "--log-format json")] {
        let plain = run(term, arguments);
        assert!(!plain.contains('\u{1b}') && !line.is_match(&plain), "{plain:?}");
    }
}

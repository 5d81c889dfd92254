use proptest::prelude::*;
use serde_yaml::Value as Yaml;

use super::{Mark, NESTING_MAX, NODES_MAX, Node, Resolver, TEXT_BYTES_MAX, Value, interpolate, parse, render, to_json};
use crate::problem::{Place, Problem, Step};

fn failures(text: &str) -> Vec<String> {
    let failures = parse(text).expect_err(text);
    let line = |failure: super::ParseFailure| {
        let Mark { line, column } = failure.mark;
        let help = failure.problem.help.map(|help| format!(" | {help}")).unwrap_or_default();
        format!("{line}:{column} {} {}{help}", failure.problem.code.id(), failure.problem.message)
    };
    failures.into_iter().map(line).collect()
}

fn place(path: &[&str], within: Option<(usize, usize)>) -> Place {
    let step = |step: &&str| step.parse().map_or(Step::Key((*step).to_owned()), Step::Index);
    Place { path: path.iter().map(step).collect(), at_key: false, within }
}

/// Where `needle`, which the text at `path` holds, is found to be in the file.
fn locate(text: &str, path: &[&str], needle: &str) -> (usize, usize) {
    let root = parse(text).unwrap();
    let node = path.iter().fold(&root, |node, step| match step.parse::<usize>() {
        Ok(index) => &node.items()[index],
        Err(_) => node.get(step).unwrap(),
    });
    let before = node.as_str().unwrap().split_once(needle).unwrap().0;
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    let mark = root.locate(&place(path, Some((line, column))));
    (mark.line, mark.column)
}

#[test]
fn every_value_knows_its_place() {
    let root = parse("# first\na: 1\nbé: 'x'\nc:\n  - é: 2\n    d: [3, null]\n").unwrap();
    for (path, line, column) in [
        (&[][..], 2, 1),
        (&["a"], 2, 4),
        (&["bé"], 3, 5),
        (&["c"], 5, 3),
        (&["c", "0"], 5, 5),
        (&["c", "0", "d", "1"], 6, 12),
        (&["c", "0", "nothing", "x"], 5, 5),
        (&["c", "9"], 5, 3),
    ] {
        assert_eq!(root.locate(&place(path, None)), Mark::new(line, column), "{path:?}");
    }
    let key = Place { at_key: true, ..place(&["c", "0", "d"], None) };
    assert_eq!(root.locate(&key), Mark::new(6, 5));
}

#[test]
fn a_position_within_a_text_is_found_in_the_file() {
    for (text, path, needle, expected) in [
        ("q: |\n  SELECT a\n  FROM t\n", &["q"][..], "FROM", (3, 3)),
        ("q: |\n  SELECT a\n    FROM t\n", &["q"], "FROM", (3, 5)),
        ("q: |-\n\n\n    a\n     b", &["q"], "b", (5, 6)),
        ("q: |+  # why\n  a\n\n  b\n\n", &["q"], "b", (4, 3)),
        ("q: |2\n     a\n   b\n", &["q"], "a", (2, 6)),
        ("q: |2-\n     a\n   b\n", &["q"], "b", (3, 4)),
        ("- q: |\n   a\n   b\n- c\n", &["0", "q"], "b", (3, 4)),
        ("- |\n a\n é b\n", &["0"], "b", (3, 4)),
        ("q: |\r\n  a\r\n  b\r\n", &["q"], "b", (3, 3)),
        ("q: &x |\n  a\n  b\n", &["q"], "b", (3, 3)),
        ("q: !!str |\n\n    a\n   \n     b\n", &["q"], "b", (5, 6)),
        ("q: |\n  &a |\n  !b\n", &["q"], "b", (3, 4)),
        ("q: >\n  a\n  b\n\n  c\n", &["q"], "c", (5, 3)),
        ("q: a b > c # d", &["q"], "c", (1, 10)),
        ("q: a b\n   c d", &["q"], "d", (2, 6)),
        ("q: &x  a b", &["q"], "b", (1, 10)),
        ("q: 'a ''b'' c'", &["q"], "c", (1, 13)),
        ("q: \"a \\\"\\u00e9\\\" c\"", &["q"], "c", (1, 18)),
        ("q: \"a\\\n   b c\"", &["q"], "c", (2, 6)),
        ("q: \"a\n\n   b c\"", &["q"], "c", (3, 6)),
        ("{q: \"é b\"}", &["q"], "b", (1, 8)),
    ] {
        assert_eq!(locate(text, path, needle), expected, "{text:?}");
    }
    let root = parse("q: |\n  ab\n  c\nr: xy").unwrap();
    for (path, within, expected) in [
        ("q", (1, 3), (2, 5)),
        ("q", (2, 2), (3, 4)),
        ("r", (1, 3), (4, 6)),
        ("r", (9, 9), (4, 4)),
        ("r", (0, 0), (4, 4)),
    ] {
        let mark = root.locate(&place(&[path], Some(within)));
        assert_eq!((mark.line, mark.column), expected, "{path} {within:?}");
    }
}

#[test]
fn anchors_aliases_and_merge_keys_are_resolved() {
    let text = "x-a: &a {b: 1, c: 2}\nd: {<<: *a, c: 3}\ne: *a\nf: {<<: [{b: 7}, *a], '<<': q}\n";
    let root = parse(text).unwrap();
    let json = serde_json::json!({
        "x-a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}, "e": {"b": 1, "c": 2},
        "f": {"b": 7, "c": 2, "<<": "q"},
    });
    // A quoted `<<` is a key like any other.
    assert_eq!(to_json(&root), json);
    assert_eq!(root.locate(&place(&["e", "c"], None)), Mark::new(1, 19));
    assert_eq!(root.locate(&place(&["d", "c"], None)), Mark::new(2, 16));
}

#[test]
fn what_is_not_yaml_is_told() {
    for (text, expected) in [
        ("", &["1:1 P100 the file is empty"][..]),
        ("# nothing\n", &["1:1 P100 the file is empty"]),
        ("---\n", &["1:1 P100 the file is empty"]),
        ("\u{feff}", &["1:1 P100 the file is empty"]),
        (
            "a: 1\n---\nb: 2\n",
            &[
                "2:1 P100 a second document starts here; a file holds one | remove the `---`, or move what follows into a file of its own",
            ],
        ),
        (
            "a: 1\na: 2\nb: {c: 1, c: 1}\n",
            &[
                "2:1 P107 the key `a` is given twice | it is first given on line 1",
                "3:11 P107 the key `c` is given twice | it is first given on line 3",
            ],
        ),
        (
            "4: a\ntrue: b\n~: c\n1.5: d\n",
            &[
                "1:1 P103 a key must be a text; found the number 4 | put it in quotes",
                "2:1 P103 a key must be a text; found `true` | put it in quotes",
                "3:1 P103 a key must be a text; found nothing before the colon | write `\"\"` or `\"null\"`",
                "4:1 P103 a key must be a text; found the number 1.5 | put it in quotes",
            ],
        ),
        (
            "{{a: 1}: 2}",
            &["1:2 P103 a key must be a text; found a value in brackets | text with `${…}` or `{…}` needs quotes"],
        ),
        ("a: b\u{0}\nc: d", &["1:5 P100 the character U+0000 is not allowed in YAML"]),
        ("a:\n\tb: 1", &["2:1 P100 a tab where YAML wants spaces | indent with spaces"]),
        (
            "a: b: c",
            &["1:5 P100 a `:` where no key can be | text with `: ` needs quotes; or the line is indented too far"],
        ),
        ("a: 'b", &["1:4 P100 a quote is not closed | close it, and double a quote within single quotes"]),
    ] {
        assert_eq!(failures(text), expected, "{text:?}");
    }
    let help = "inside `{…}` and `[…]`, a text that holds `${…}` needs quotes";
    assert!(failures("a: {to: ${x}/y}")[0].ends_with(help));
}

#[test]
fn aliases_and_tags_that_mean_nothing_are_told() {
    for (text, expected) in [
        ("a: *b", &["1:4 P100 an alias to an anchor that does not exist | define it above as `&name`"][..]),
        ("a: &a [*a]", &["1:8 P100 the alias stands for a value that it is itself a part of"]),
        ("a: {<<: 1}", &["1:9 P103 `<<` merges a mapping or a list of mappings, such as `<<: *defaults`"]),
        (
            "a: 99999999999999999999",
            &["1:4 P104 the number `99999999999999999999` does not fit in 64 bits | put it in quotes if it is a text"],
        ),
        (
            "a: !secret b\nc: !!int x",
            &[
                "1:4 P100 the tag `!secret` cannot be used here | remove it; the kind of a value follows from how it is written",
                "2:4 P100 the tag `!!int` cannot be used here | remove it; the kind of a value follows from how it is written",
            ],
        ),
    ] {
        assert_eq!(failures(text), expected, "{text:?}");
    }
}

#[test]
fn hostile_documents_are_refused_soon() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&deep(NESTING_MAX)).is_ok());
    assert!(failures(&deep(NESTING_MAX + 1))[0].contains("deeper than 64"));
    for hostile in ["[", "{", "{a: ", "- ", "? ", "- a: "] {
        assert!(parse(&hostile.repeat(20_000)).is_err(), "{hostile}");
    }
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 9].join(", "));
    }
    assert!(failures(&bomb)[0].contains(&NODES_MAX.to_string()));
    let long = format!("a: &a {}\nb:\n{}", "x".repeat(TEXT_BYTES_MAX / 100), "- *a\n".repeat(100));
    assert!(failures(&long)[0].contains("more than 4 MiB of text"));
    let mut tower = String::from("a0: &a0 [x]\n");
    for level in 1..200 {
        tower += &format!("a{level}: &a{level} [*a{}]\n", level - 1);
    }
    assert!(failures(&tower)[0].contains("deeper than 64"));
}

#[test]
fn byte_order_mark_and_line_ends_do_not_shift() {
    let root = parse("\u{feff}a: 1\r\nb: x\r\n").unwrap();
    assert_eq!(root.locate(&place(&["a"], None)), Mark::new(1, 4));
    assert_eq!(root.locate(&place(&["b"], None)), Mark::new(2, 4));
}

struct Variables;

impl Resolver for Variables {
    fn is_unreadable(&self, _: &str) -> bool {
        false
    }

    fn is_of_process(&self, _: &str) -> bool {
        false
    }

    fn variable(&self, name: &str) -> Option<String> {
        let found = match name {
            "lake" => "s3://bucket",
            "count" => "12",
            "tricky" => "${lake}: [a]",
            _ => return None,
        };
        Some(found.to_owned())
    }

    fn process(&self, name: &str) -> Option<String> {
        match name {
            "SHARE" => Some("0.5".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn names(&self) -> Vec<String> {
        vec!["lake".to_owned(), "count".to_owned()]
    }
}

fn filled(text: &str) -> (Node, Vec<Problem>) {
    let mut root = parse(text).unwrap();
    let problems = interpolate(&mut root, &Variables);
    (root, problems)
}

#[test]
fn variables_are_filled_in() {
    for (text, expected) in [
        ("${count}", "12"),
        ("'${count}'", "\"12\""),
        ("${count}0", "\"120\""),
        ("${env.SHARE}", "0.5"),
        ("${env.EMPTY}", "null"),
        ("\"${env.EMPTY:-x}\"", "\"x\""),
        ("${env.NONE:-false}", "false"),
        ("${lake}/a/${count}", "\"s3://bucket/a/12\""),
        ("${tricky}", "\"${lake}: [a]\""),
        ("$${count} costs $5", "\"${count} costs $5\""),
        ("|-\n    a\n    ${count}", "\"a\\n12\""),
    ] {
        let (root, problems) = filled(&format!("v: {text}\n${{count}}: 1"));
        assert_eq!(problems, [], "{text}");
        assert_eq!(to_json(root.get("v").unwrap()).to_string(), expected, "{text}");
        assert!(root.get("${count}").is_some(), "keys stay as they are");
    }
}

#[test]
fn variables_that_have_no_value_are_told_once_each() {
    let text = "x-a: &a\n  q: |\n    SELECT ${count}, ${lak}\n    ${env.SHAR:?set SHAR} ${\n\
        b: *a\nc: ['${env.EMPTY:?}', \"${SHARE}\"]\nd: ${env.NONE}\n";
    let (root, problems) = filled(text);
    let told: Vec<String> = problems
        .iter()
        .map(|problem| {
            let mark = root.locate(&problem.place);
            let help = problem.help.clone().unwrap_or_default();
            format!("{}:{} {} {} | {help}", mark.line, mark.column, problem.code.id(), problem.message)
        })
        .collect();
    assert_eq!(
        told,
        [
            "3:22 P106 the environment file gives no `lak` | did you mean `lake`?",
            "4:5 P106 the process has no `SHAR`: set SHAR | ",
            "4:27 P108 `${` without its `}` | the forms are `${name}`, `${env.VAR}`, `${env.VAR:-default}`, `${env.VAR:?message}`; write `$$` for a dollar",
            "6:6 P106 the process has no `EMPTY`, or it is empty | ",
            "6:24 P106 the environment file gives no `SHARE` | the process has one; did you mean `${env.SHARE}`?",
            "7:4 P106 the process has no variable `NONE` | export it, or give a default: `${env.NONE:-…}`",
        ]
    );
    assert!(root.get("b").unwrap().get("q").unwrap().as_str().unwrap().contains("${count}"));
}

#[test]
fn positions_hold_behind_a_filled_in_variable() {
    let (root, _) = filled("q: |\n  a ${lake} b\n  $$c\n");
    let text = root.get("q").unwrap().as_str().unwrap();
    assert_eq!(text, "a s3://bucket b\n$c\n");
    for (within, expected) in [((1, 5), (2, 5)), ((1, 15), (2, 13)), ((2, 2), (3, 5))] {
        let mark = root.locate(&place(&["q"], Some(within)));
        assert_eq!((mark.line, mark.column), expected, "{within:?}");
    }
}

#[test]
fn what_the_process_gives_is_not_repeated_in_messages() {
    let (root, _) = filled("v: a${env.SHARE}");
    let schema = serde_json::json!({"properties": {"v": {"type": "integer"}}});
    let problems = super::validate(&root, &schema);
    assert_eq!(problems[0].message, "expected a whole number, found a text from `${env.…}`");
}

fn yaml() -> impl Strategy<Value = Yaml> {
    let leaf = prop_oneof![
        Just(Yaml::Null),
        any::<bool>().prop_map(Yaml::Bool),
        any::<i64>().prop_map(|value| Yaml::Number(value.into())),
        (-1e9..1e9f64).prop_map(|value| Yaml::Number(value.into())),
        "[ -~éß\\n\\t]{0,12}".prop_map(Yaml::String),
        "(true|null|~|1e3|0x1f|yes|\\.inf|- a|a: b|#c|<<|12|!x|&y|\\*z| |\\|)".prop_map(Yaml::String),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Yaml::Sequence),
            prop::collection::btree_map("[a-z0-9 ]{0,6}|<|true|1", inner, 0..5).prop_map(|map| {
                let pairs = map.into_iter().map(|(key, value)| (Yaml::String(key), value));
                Yaml::Mapping(pairs.collect())
            }),
        ]
    })
}

/// Every mark lies within the file, and a text has one for each of its characters.
fn assert_marks(node: &Node, lines: usize) {
    assert!(node.start <= node.end, "{node:?}");
    assert!(node.end.line <= lines + 1, "{node:?}");
    if let Value::String(text) = &node.value {
        assert_eq!(text.marks.len(), text.text.chars().count());
        assert!(text.marks.windows(2).all(|pair| pair[0] <= pair[1]), "{text:?}");
    }
    node.items().iter().for_each(|item| assert_marks(item, lines));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn parsing_never_panics(text in "(?s).{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn parsing_near_yaml_never_panics(text in "([a-c]|[-:?|>+&*!%@'\"{}\\[\\],# \n\r\t]|: |- |\n  |<<|\\$\\{|\\\\|é|---|\\|2-\n){0,40}") {
        if let Ok(mut root) = parse(&text) {
            assert_marks(&root, text.split(['\n', '\r']).count());
            interpolate(&mut root, &Variables);
        }
    }

    #[test]
    fn what_is_written_is_read_back(value in yaml()) {
        let text = serde_yaml::to_string(&value).unwrap();
        let root = parse(&text).map_err(|failures| TestCaseError::fail(format!("{failures:?}")))?;
        let again: Yaml = serde_yaml::from_str(&render(&root).unwrap()).unwrap();
        prop_assert_eq!(again, value);
    }
}

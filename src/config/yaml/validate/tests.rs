use schemars::{JsonSchema, schema_for};
use serde_json::{Value as Json, json};

use super::super::parse;
use super::validate;

/// `line:column code message`, and the help behind `|` if there is any.
fn problems(yaml: &str, schema: &Json) -> Vec<String> {
    let root = parse(yaml).expect("the test's YAML is sound");
    let line = |problem: crate::problem::Problem| {
        let mark = root.locate(&problem.place);
        let help = problem.help.map(|help| format!(" | {help}")).unwrap_or_default();
        format!("{}:{} {} {}{help}", mark.line, mark.column, problem.code.id(), problem.message)
    };
    validate(&root, schema).into_iter().map(line).collect()
}

fn check(cases: &[(&str, Json, &[&str])]) {
    for (yaml, schema, expected) in cases {
        assert_eq!(problems(yaml, schema), *expected, "{yaml}");
    }
}

fn field(schema: Json) -> Json {
    json!({"type": "object", "properties": {"v": schema}, "additionalProperties": false})
}

#[expect(dead_code, reason = "only its schema is used")]
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Spec {
    /// How many groups
    /// each score has.
    ///
    /// More text.
    bins: u32,
    recency: Option<String>,
    penalty: Option<Penalty>,
    #[schemars(extend("x-not-yet" = true))]
    calibrate: Option<By>,
    by: Option<By>,
    #[schemars(range(min = 0.0, max = 1.0))]
    share: Option<f64>,
    tags: Option<Vec<Tagged>>,
}

#[expect(dead_code, reason = "only its schema is used")]
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum Penalty {
    None,
    L2(f64),
    L1(f64),
    #[schemars(extend("x-not-yet" = true))]
    Elastic {
        ratio: f64,
    },
}

#[expect(dead_code, reason = "only its schema is used")]
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
enum By {
    /// The default.
    Elbow,
    Inertia,
    #[schemars(extend("x-not-yet" = true))]
    Silhouette,
}

#[expect(dead_code, reason = "only its schema is used")]
#[derive(JsonSchema)]
#[schemars(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Tagged {
    Fixed { count: i64 },
    Range(Range),
    Auto,
}

#[expect(dead_code, reason = "only its schema is used")]
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Range {
    from: u8,
    to: Option<u8>,
}

fn spec(yaml: &str) -> Vec<String> {
    problems(yaml, schema_for!(Spec).as_value())
}

#[test]
fn what_is_right_has_no_problems() {
    for yaml in [
        "{bins: 5}",
        "{bins: 5, recency: null, penalty: {l2: 1.0}, by: elbow, share: 1}",
        "{bins: 5, penalty: none, recency: }",
        "{bins: 5, tags: [{kind: auto}, {kind: fixed, count: 3}, {kind: range, from: 1, to: 2}]}",
    ] {
        assert_eq!(spec(yaml), Vec::<String>::new(), "{yaml}");
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    let yaml = "\
bin: 5
recency: 4
penalty: {l3: 1.0}
by: elbo
share: 1.5
tags:
  - {kind: fixed, count: four}
  - {kind: rnge, from: 1}
  - kind: range
    form: 1
  - {kind: auto, count: 1}
  - {count: 1}
calibrate: elbow
";
    assert_eq!(
        spec(yaml),
        [
            "1:1 P101 unknown key `bin`; expected one of `bins`, `recency`, `penalty`, `by`, `share`, `tags` | did you mean `bins`?",
            "2:10 P103 expected a text, found the number 4 | put it in quotes to make it a text",
            "3:11 P101 unknown key `l3`; expected one of `l2`, `l1` | did you mean `l2`?",
            "4:5 P104 expected one of `inertia`, `elbow`, found the text \"elbo\" | did you mean `elbow`?",
            "5:8 P104 expected at least 0 and at most 1, found the number 1.5",
            "7:26 P103 expected a whole number, found the text \"four\"",
            "8:12 P104 expected one of `fixed`, `range`, `auto`, found the text \"rnge\" | did you mean `range`?",
            "10:5 P101 unknown key `form`; expected one of `kind`, `from`, `to` | did you mean `from`?",
            "11:18 P101 unknown key `count`; expected `kind`",
            "12:5 P102 missing key `kind`; expected one of `fixed`, `range`, `auto`",
            "13:1 P140 `calibrate` is not available yet",
        ]
    );
}

#[test]
fn a_missing_key_is_explained() {
    assert_eq!(spec("recency: a"), ["1:1 P102 missing key `bins` | `bins`: How many groups each score has."]);
}

#[test]
fn what_comes_later_is_refused_by_name() {
    let later = json!({"type": "string", "enum": ["a", "b"], "x-not-yet": ["b"]});
    assert_eq!(spec("{bins: 1, by: silhouette}"), ["1:15 P140 `silhouette` is not available yet"]);
    assert_eq!(spec("{bins: 1, penalty: {elastic: {ratio: x}}}"), ["1:20 P140 `elastic` is not available yet"]);
    check(&[
        ("v: b", field(later.clone()), &["1:4 P140 `b` is not available yet"]),
        ("v: c", field(later), &["1:4 P104 expected `a`, found the text \"c\""]),
    ]);
}

#[test]
fn types_are_told_in_words() {
    let kind = |kind: &str| field(json!({"type": kind}));
    check(&[
        ("v: four", kind("integer"), &["1:4 P103 expected a whole number, found the text \"four\""]),
        ("v: 4.0", kind("integer"), &["1:4 P103 expected a whole number, found the number 4.0"]),
        ("v: '4'", kind("integer"), &["1:4 P103 expected a whole number, found the text \"4\" | remove the quotes"]),
        ("v: 4", kind("number"), &[]),
        ("v: .nan", kind("number"), &["1:4 P104 expected a finite number, found `.nan`"]),
        ("v: -.inf", kind("number"), &["1:4 P104 expected a finite number, found `-.inf`"]),
        (
            "v: yes",
            kind("boolean"),
            &["1:4 P103 expected `true` or `false`, found the text \"yes\" | YAML 1.2 knows `true` and `false` only"],
        ),
        ("v:", kind("string"), &["1:2 P103 expected a text, found nothing"]),
    ]);
}

#[test]
fn types_are_told_in_words_for_more_than_scalars() {
    let kind = |kind: &str| field(json!({"type": kind}));
    check(&[
        ("v: [a]", kind("string"), &["1:4 P103 expected a text, found a list"]),
        ("v: {a: 1}", kind("array"), &["1:4 P103 expected a list, found a mapping"]),
        ("v: ''", kind("object"), &["1:4 P103 expected a mapping, found an empty text"]),
        ("[1]", kind("object"), &["1:1 P103 expected a mapping, found a list"]),
        (
            "v: true",
            field(json!({"type": ["string", "null"]})),
            &["1:4 P103 expected a text, found `true` | put it in quotes to make it a text"],
        ),
        (
            "v: x",
            field(json!({"type": ["integer", "array"]})),
            &["1:4 P103 expected a whole number or a list, found the text \"x\""],
        ),
        (
            "v: 300",
            field(json!({"type": "integer", "format": "uint8"})),
            &["1:4 P104 expected at most 255, found the number 300"],
        ),
    ]);
}

#[test]
fn values_are_held_to_their_limits() {
    check(&[
        (
            "v: 0",
            field(json!({"type": "integer", "minimum": 1})),
            &["1:4 P104 expected at least 1, found the number 0"],
        ),
        (
            "v: 0",
            field(json!({"exclusiveMinimum": 0.0, "exclusiveMaximum": 2})),
            &["1:4 P104 expected above 0 and below 2, found the number 0"],
        ),
        ("v: 7", field(json!({"const": 8})), &["1:4 P103 expected `8`, found the number 7"]),
        (
            "v: ''",
            field(json!({"type": "string", "minLength": 1})),
            &["1:4 P104 expected a text of at least 1 character, found an empty text"],
        ),
        (
            "v: A",
            field(json!({"type": "string", "pattern": "^[a-z]+$"})),
            &["1:4 P104 expected a text of the form `^[a-z]+$`, found the text \"A\""],
        ),
        (
            "v: A",
            field(json!({"type": "string", "pattern": "^[a-z]+$", "x-expected": "small letters"})),
            &["1:4 P104 expected small letters, found the text \"A\""],
        ),
    ]);
}

#[test]
fn lists_and_mappings_are_held_to_their_limits() {
    check(&[
        (
            "v: []",
            field(json!({"type": "array", "minItems": 1})),
            &["1:4 P104 expected at least 1 item, found an empty list"],
        ),
        ("v: [1, 2, 3]", field(json!({"minItems": 2, "maxItems": 2})), &["1:4 P104 expected 2 items, found 3 items"]),
        (
            "v: [a, b, a]",
            field(json!({"uniqueItems": true})),
            &["1:11 P104 `a` is listed twice | it is item 1 already"],
        ),
        (
            "v: [1, x]",
            field(json!({"prefixItems": [{"type": "string"}], "items": {"type": "integer"}})),
            &[
                "1:5 P103 expected a text, found the number 1 | put it in quotes to make it a text",
                "1:8 P103 expected a whole number, found the text \"x\"",
            ],
        ),
        (
            "v: {a: 1, b: x}",
            field(json!({"additionalProperties": {"type": "integer"}})),
            &["1:14 P103 expected a whole number, found the text \"x\""],
        ),
        (
            "v: {Ab: 1}",
            field(json!({"propertyNames": {"format": "name"}})),
            &[
                "1:5 P116 expected a snake_case name, found the text \"Ab\" | a lowercase letter, then lowercase letters, digits and `_`",
            ],
        ),
        (
            "{x-a: 1, y: 2}",
            json!({"patternProperties": {"^x-": true}, "additionalProperties": false}),
            &["1:10 P101 unknown key `y`; no keys are expected here"],
        ),
        ("v: {}", field(json!({"minProperties": 1})), &["1:4 P104 expected at least 1 key, found 0"]),
    ]);
}

#[test]
fn durations_and_dates() {
    let duration = || field(json!({"type": "string", "format": "duration"}));
    let date = || field(json!({"type": "string", "format": "date"}));
    for sound in ["90d", "12w"] {
        assert!(problems(&format!("v: {sound}"), &duration()).is_empty(), "{sound}");
    }
    for wrong in ["0d", "-1d", "1.5d", "d", "90", "1y", "90 d", "6h", "+9d", "99999999999d", "''", "9é"] {
        let found = problems(&format!("v: {wrong}"), &duration());
        assert!(
            matches!(&*found, [one] if one.starts_with("1:4 P105 expected a duration such as `90d`")),
            "{wrong}: {found:?}"
        );
    }
    check(&[
        (
            "v: 90",
            duration(),
            &["1:4 P105 expected a duration such as `90d`, found the number 90 | write `90d` for 90 days"],
        ),
        ("v: 2011-12-10", date(), &[]),
        ("v: 2011-02-29", date(), &["1:4 P105 expected a date written YYYY-MM-DD, found the text \"2011-02-29\""]),
        ("v: 2011-1-1", date(), &["1:4 P105 expected a date written YYYY-MM-DD, found the text \"2011-1-1\""]),
    ]);
}

#[test]
fn the_branch_that_was_meant_is_found() {
    let column = || {
        let long = json!({"type": "object", "properties": {"type": {"type": "string"}, "nullable": {"type": "boolean"}}, "required": ["type"], "additionalProperties": false});
        field(json!({"anyOf": [{"type": "string"}, long]}))
    };
    let rule = || {
        let one = json!({"type": "object", "properties": {"not_null": {"type": "array"}}, "required": ["not_null"], "additionalProperties": false});
        let two = json!({"type": "object", "properties": {"range": {"type": "string"}, "min": {"type": "number"}}, "required": ["range"], "additionalProperties": false});
        field(json!({"oneOf": [one, two]}))
    };
    check(&[
        ("v: a", column(), &[]),
        ("v: 1", column(), &["1:4 P103 expected a text or a mapping, found the number 1"]),
        (
            "v: {type: 1, nulable: true}",
            column(),
            &[
                "1:11 P103 expected a text, found the number 1 | put it in quotes to make it a text",
                "1:14 P101 unknown key `nulable`; expected one of `type`, `nullable` | did you mean `nullable`?",
            ],
        ),
        ("v: {range: a, min: b}", rule(), &["1:20 P103 expected a number, found the text \"b\""]),
        (
            "v: {rnge: a}",
            rule(),
            &["1:5 P101 unknown key `rnge`; expected one of `not_null`, `range` | did you mean `range`?"],
        ),
        ("v: {min: 0}", rule(), &["1:4 P102 expected a key, one of `not_null`, `range`"]),
        ("v: {range: a, not_null: [b]}", rule(), &["1:15 P104 `range` and `not_null` cannot be given together"]),
    ]);
    assert_eq!(spec("{bins: 1, penalty: ridge}"), ["1:20 P104 expected `none`, found the text \"ridge\""]);
    assert_eq!(spec("{bins: 1, penalty: 3}"), ["1:20 P103 expected `none` or a mapping, found the number 3"]);
    assert_eq!(spec("{bins: 1, penalty: {l2: x}}"), ["1:25 P103 expected a number, found the text \"x\""]);
}

#[test]
fn parts_of_one_mapping_know_each_other() {
    let schema = json!({
        "$defs": {"Base": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false}},
        "$ref": "#/$defs/Base",
        "allOf": [{"properties": {"b": true}}],
    });
    check(&[
        ("{a: 1, b: 2}", schema.clone(), &[]),
        ("{b: 2, c: 3}", schema, &["1:8 P101 unknown key `c`; expected one of `a`, `b`", "1:1 P102 missing key `a`"]),
    ]);
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let schema =
        json!({"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"anyOf": [{"$ref": "#/$defs/A"}]}}, "$ref": "#/$defs/A"});
    check(&[("a: 1", schema, &[])]);
}

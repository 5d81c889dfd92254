//! Mistakes in a pipeline, drawn at random: of typing, of copying, and of malice.

use rand::prelude::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

type Chance = Xoshiro256PlusPlus;

/// The text with one to four mistakes, which ones the number decides.
pub fn mutated(text: &[u8], number: u64) -> Vec<u8> {
    let mut chance = Chance::seed_from_u64(number);
    let mut text = text.to_vec();
    for _ in 0..chance.gen_range(1..=4) {
        text = match chance.gen_range(0..20) {
            0..=9 => in_lines(&text, &mut chance),
            10..=13 => scalar(&text, &mut chance),
            14..=15 => sql(&text, &mut chance),
            16..=17 => bytes(text, &mut chance),
            18 => cut(text, &mut chance),
            _ => bomb(text, &mut chance),
        };
    }
    text
}

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// A line's place at random; there is always one.
fn place(lines: &[Vec<u8>], chance: &mut Chance) -> usize {
    chance.gen_range(0..lines.len())
}

fn indentation(line: &[u8]) -> usize {
    line.iter().take_while(|byte| **byte == b' ').count()
}

/// Lines that are lost, doubled, moved, indented otherwise; keys that change places.
fn in_lines(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut lines = lines(text);
    let (one, other) = (place(&lines, chance), place(&lines, chance));
    match chance.gen_range(0..8) {
        0 => {
            lines.remove(one);
        }
        1 => lines.insert(other, lines[one].clone()),
        2 => lines.swap(one, other),
        3 => lines[one] = [&vec![b' '; chance.gen_range(1..5)], lines[one].as_slice()].concat(),
        4 => {
            let fewer = chance.gen_range(0..=indentation(&lines[one]));
            lines[one].drain(..fewer);
        }
        5 => {
            // The keys of two lines.
            let key = |line: &[u8]| line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let (a, b) = (key(&lines[one]), key(&lines[other]));
            let swapped = [&lines[other][..b], &lines[one][a..]].concat();
            lines[other] = [&lines[one][..a], &lines[other][b..]].concat();
            lines[one] = swapped;
        }
        6 => {
            // A block, twice.
            let end = (one + chance.gen_range(2..12)).min(lines.len());
            let block = lines[one.min(end)..end].to_vec();
            lines.splice(other..other, block);
        }
        _ => {
            lines[one] =
                lines[one].iter().flat_map(|byte| if *byte == b' ' { vec![b'\t'] } else { vec![*byte] }).collect()
        }
    }
    lines.join(&b'\n')
}

/// What is written where something else should be.
const ODD: &[&str] = &[
    "",
    "~",
    "null",
    "true",
    "yes",
    "[]",
    "{}",
    "''",
    "\"\"",
    "-1",
    "0",
    "1e400",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "4294967295",
    "4294967296",
    "1e308",
    "0.1",
    "-0.0",
    ".nan",
    ".inf",
    "-.inf",
    "0x7fffffffffffffff",
    "0o17",
    "1_000",
    "\"4\"",
    "2024-02-30",
    "0000-01-01",
    "9999-12-31",
    "262143-12-31",
    "+262142-12-31",
    "-3d",
    "0d",
    "1d",
    "1.5d",
    "99999999d",
    "4294967295d",
    "99999999999999999999w",
    "9223372036854775807d",
    "名前",
    "e\u{301}\u{202e}txt",
    "🎁",
    "\"\\0\"",
    "\"\\x07\"",
    "\"\\ud800\"",
    "\"a\\nb\"",
    "${lake}",
    "${",
    "${}",
    "${a.b.c}",
    "${env.NO_SUCH_VARIABLE}",
    "${env.X:-${lake}}",
    "${env.X:?}",
    "$$$",
    "*unknown",
    "&a *a",
    "&a [*a]",
    "&a {<<: *a}",
    "!!binary eA==",
    "!tag x",
    "!!int x",
    "|",
    ">",
    ">-\n",
    "? x",
    "- - - - x",
    "'",
    "\"",
    "{a: {b: {c: ",
    "[[[[",
    "@x",
    "`x`",
    "%x",
    "x: y: z",
    "# x",
    "...",
    "---",
    "decimal(38,9)",
    "decimal(99,99)",
    "decimal(-1,5)",
    "decimal(,)",
    "list(string)",
    "list(list(list(float32)))",
    "list(",
    "string????",
    "datetime?",
    "string",
    "int64?",
    "s3://",
    "s3://b/../x",
    "file://x/y",
    "gs://x",
    "/",
    "../../../etc",
    "**/*.parquet",
    "[a-",
    "{a,b",
    "customers",
    "customers.nothing",
    "sql",
    "features",
    "kmeans",
    "source.x",
    ".",
    "a.b.c",
    "COUNT(*)",
    "SUM(SUM(x))",
    "MAX(at)",
    "SELECT",
    "SELECT 1",
    "SELECT * FROM x",
    "DAYS_SINCE(1)",
    "(",
    "1/0",
    "NULL",
    "''",
    "all",
    "quarantine",
];

/// One value that becomes an odd, a very long or a very deep one.
fn scalar(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut lines = lines(text);
    let valued: Vec<usize> = (0..lines.len()).filter(|index| value_start(&lines[*index]).is_some()).collect();
    let Some(&index) = valued.choose(chance) else { return text.to_vec() };
    let start = value_start(&lines[index]).unwrap_or_default();
    let odd = match chance.gen_range(0..30) {
        0 => "x".repeat(100_000),
        1 => "9".repeat(5_000),
        2 => format!("{}{}", "[".repeat(200), "]".repeat(200)),
        3 => format!("{}1{}", "{a: ".repeat(60), "}".repeat(60)),
        4 => "[".repeat(20_000),
        5 => format!("[{}]", "x, ".repeat(5_000)),
        6 => {
            let depth = *[10, 3_000, 50_000].choose(chance).unwrap_or(&10);
            format!("{}string{}", "list(".repeat(depth), ")".repeat(depth))
        }
        _ => (*ODD.choose(chance).unwrap_or(&"")).to_owned(),
    };
    let line = &lines[index];
    // The whole value, or one word inside of it.
    let words: Vec<usize> = (start..line.len()).filter(|at| line[*at].is_ascii_alphanumeric()).collect();
    let from = if chance.gen_bool(0.5) { start } else { *words.choose(chance).unwrap_or(&start) };
    let inside = line[from..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    let until = if from == start { line.len() } else { from + inside };
    lines[index] = [&line[..from], odd.as_bytes(), &line[until..]].concat();
    lines.join(&b'\n')
}

fn value_start(line: &[u8]) -> Option<usize> {
    let colon = line.windows(2).position(|pair| pair == b": ").map(|at| at + 2);
    colon.or_else(|| line.trim_ascii_start().starts_with(b"- ").then(|| indentation(line) + 2))
}

const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "OVER (",
    "PARTITION BY",
    "FILTER (WHERE",
    "CASE WHEN",
    "END",
    "AND NOT",
    "NULL",
    "IS NOT NULL",
    "COUNT(DISTINCT",
    "SUM(",
    ")",
    "((",
    ",",
    ";",
    "--",
    "/*",
    "'",
    "\"",
    "*",
    "1/0",
    "9223372036854775808",
    "1e999",
    "-",
    "||",
    "::",
    "INTERVAL '1' DAY",
    "DATE '2024-13-01'",
    "EXISTS (SELECT",
    "JOIN",
    "UNION ALL",
    "WITH x AS (",
    "QUALIFY",
    "NTILE(0)",
    "x.y.z",
    "$1",
    "?",
    "@x",
    "ARRAY[",
    "LATERAL",
    "VALUES (1)",
];

/// SQL that gains or loses a word, or becomes very long or very deep.
fn sql(text: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut lines = lines(text);
    let is_sql =
        |line: &[u8]| ["SELECT", "FROM", "WHERE", "SUM(", "COUNT(", "MAX("].iter().any(|word| contains(line, word));
    let found: Vec<usize> = (0..lines.len()).filter(|index| is_sql(&lines[*index])).collect();
    let Some(&index) = found.choose(chance) else { return text.to_vec() };
    let line = &lines[index];
    let from = value_start(line).unwrap_or_else(|| indentation(line)).min(line.len());
    let at = chance.gen_range(from..=line.len());
    let times = *[10, 100, 1_000, 20_000].choose(chance).unwrap_or(&10);
    let inserted = match chance.gen_range(0..16) {
        0 => " + 1".repeat(times),
        1 => "(".repeat(times),
        2 => format!("{}1{}", "(".repeat(times), ")".repeat(times)),
        3 => format!("{} TRUE", " NOT".repeat(times)),
        4 => " OR amount > 1".repeat(times),
        5 => format!("{}1{}", "CASE WHEN TRUE THEN ".repeat(times), " END".repeat(times)),
        6 => format!("{}1{}", "ABS(".repeat(times), ")".repeat(times)),
        7 => " - ".repeat(times),
        8 => format!("{}1{}", "(SELECT ".repeat(times), ")".repeat(times)),
        9 => " || 'x'".repeat(times),
        _ => format!(" {} ", WORDS.choose(chance).unwrap_or(&"")),
    };
    let rest = if chance.gen_bool(0.2) { line.len() } else { at };
    lines[index] = [&line[..at], inserted.as_bytes(), &line[rest..]].concat();
    lines.join(&b'\n')
}

fn contains(line: &[u8], word: &str) -> bool {
    line.windows(word.len()).any(|window| window == word.as_bytes())
}

/// Single bytes that are lost, doubled or foreign: control characters, broken UTF-8, other line ends.
fn bytes(mut text: Vec<u8>, chance: &mut Chance) -> Vec<u8> {
    const FOREIGN: &[&[u8]] = &[
        b"\0",
        b"\x07",
        b"\x1b[31m",
        b"\x7f",
        b"\xc2\x85",
        b"\xef\xbf\xbe",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf5\x80",
        b"\r",
        b"\r\n",
        b"\t",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
        b"\xc2\xa0",
        b":",
        b"#",
        b"&",
        b"*",
        b"!",
        b"|",
        b">",
        b"'",
        b"\"",
        b"%",
        b"@",
        b"`",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"?",
        b"-",
        b"$",
        b"${",
        b"\\",
    ];
    let at = chance.gen_range(0..=text.len());
    match chance.gen_range(0..4) {
        0 if at < text.len() => {
            text.remove(at);
        }
        1 if at < text.len() => text.insert(at, text[at]),
        _ => {
            let foreign = FOREIGN.choose(chance).copied().unwrap_or_default();
            text.splice(at..at, foreign.iter().copied());
        }
    }
    text
}

fn cut(mut text: Vec<u8>, chance: &mut Chance) -> Vec<u8> {
    text.truncate(chance.gen_range(0..=text.len()));
    text
}

/// A few lines that stand for very much.
fn bomb(text: Vec<u8>, chance: &mut Chance) -> Vec<u8> {
    let mut bomb = String::new();
    match chance.gen_range(0..5) {
        // Each level is nine times the one before.
        0 => {
            bomb.push_str("x-0: &b0 [1, 2, 3]\n");
            for level in 1..30 {
                let of = vec![format!("*b{}", level - 1); 9].join(", ");
                bomb.push_str(&format!("x-{level}: &b{level} [{of}]\n"));
            }
        }
        // A long text, many times.
        1 => {
            bomb.push_str(&format!("x-long: &long {}\nx-many:\n", "y".repeat(100_000)));
            bomb.push_str(&"- *long\n".repeat(50_000));
        }
        // Mappings that merge mappings.
        2 => {
            bomb.push_str("x-0: &m0 {a0: 1}\n");
            for level in 1..200 {
                bomb.push_str(&format!("x-{level}: &m{level} {{<<: [*m{0}, *m{0}], a{level}: 1}}\n", level - 1));
            }
        }
        3 => bomb.push_str(&format!("x-deep: {}\n", "- ".repeat(50_000))),
        _ => (0..20_000).for_each(|key| bomb.push_str(&format!("x-{key}: {key}\n"))),
    }
    if chance.gen_bool(0.5) { [bomb.as_bytes(), &text].concat() } else { [&text, bomb.as_bytes()].concat() }
}

use super::*;
use crate::algorithms::sparse::Csr;
use proptest::prelude::*;

const CORPUS: [&str; 17] = [
    "WHITE HANGING HEART T-LIGHT HOLDER",
    "white metal lantern",
    "Cream cupid hearts coat hanger",
    "RED WOOLLY HOTTIE WHITE HEART.",
    "set 7 babushka nesting boxes",
    "Glass star frosted T-light holder",
    "Café crème mug, red",
    "CAFÉ crème set of 6 mugs",
    "Set of 6 red spice tin café",
    "",
    "hand warmer red heart heart heart",
    "box of 72 retrospot cake cases 72",
    "PACK OF 72 RETROSPOT CAKE CASES",
    "Jumbo bag red retrospot",
    "jumbo BAG pink polkadot 2011",
    "Straße Größe 2011 red heart holder",
    "naïve façade mug red",
];

fn plain() -> Options {
    Options {
        ngrams: (1, 1),
        min_document_frequency: Frequency::Count(1),
        max_document_frequency: Frequency::Share(1.0),
        sublinear: false,
        ..Options::default()
    }
}

fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-11, "{found} is not {expected}");
}

fn assert_row(matrix: &Csr, row: usize, expected: &[(u32, f64)]) {
    assert_eq!(matrix.row(row).0.len(), expected.len(), "row {row}");
    for (found, expected) in matrix.pairs(row).zip(expected) {
        assert_eq!(found.0, expected.0, "row {row}");
        assert_near(found.1, expected.1);
    }
}

/// scikit-learn 1.9.1, TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_df=.5, sublinear_tf=True).
#[test]
fn agrees_with_scikit_learn() {
    let options = Options { ngrams: (1, 2), min_document_frequency: Frequency::Count(2), ..Options::default() };
    let vocabulary = Vocabulary::fit(CORPUS, &options).unwrap();
    let terms = "2011,72,72 retrospot,bag,café,café crème,cake,cake cases,cases,crème,heart,holder,jumbo,jumbo bag,light,\
        light holder,mug,mug red,of,of 72,red,red heart,retrospot,retrospot cake,set,set of,white";
    assert_eq!(vocabulary.terms().join(","), terms);
    let idf = [(0, 2.791_759_469_228), (4, 2.504_077_396_776), (10, 2.280_933_845_462), (20, 1.810_930_216_216)];
    idf.iter().for_each(|(term, expected)| assert_near(vocabulary.idf()[*term], *expected));
    let matrix = vocabulary.transform(CORPUS).unwrap();
    assert_eq!((matrix.rows(), matrix.columns(), matrix.entries()), (17, 27, 68));
    let light = 0.483_561_613_017;
    assert_row(
        &matrix,
        0,
        &[(10, 0.395_081_331_918), (11, 0.433_732_102_802), (14, light), (15, light), (26, 0.433_732_102_802)],
    );
    assert_row(&matrix, 1, &[(26, 1.0)]);
    assert_row(&matrix, 2, &[]);
    assert_row(&matrix, 9, &[]);
    assert_row(&matrix, 10, &[(10, 0.821_088_071_293), (20, 0.310_632_260_35), (21, 0.478_875_743_81)]);
    let rare = 0.311_003_251_9;
    let cakes = [
        (1, 0.526_574_279_099),
        (2, rare),
        (6, rare),
        (7, rare),
        (8, rare),
        (18, 0.254_097_049_236),
        (19, rare),
        (22, 0.278_955_340_526),
        (23, rare),
    ];
    assert_row(&matrix, 11, &cakes);
    assert_row(&matrix, 16, &[(16, 0.642_721_760_441), (17, 0.642_721_760_441), (20, 0.416_914_232_559)]);
}

/// The same with min_df=.1, max_df=8, stop_words=["of", "set"], and with the defaults, of which the
/// checksum is Σ (row + 1) (1 + column mod 7) value.
#[test]
fn agrees_with_scikit_learn_on_other_options() {
    let options = Options {
        stop_words: vec!["OF".into(), "Set".into()],
        min_document_frequency: Frequency::Share(0.1),
        max_document_frequency: Frequency::Count(8),
        ngrams: (1, 2),
        ..plain()
    };
    let vocabulary = Vocabulary::fit(CORPUS, &options).unwrap();
    assert_eq!(vocabulary.terms().len(), 23);
    let matrix = vocabulary.transform(CORPUS).unwrap();
    assert_row(&matrix, 10, &[(10, 0.899_300_233), (18, 0.237_997_544_826), (19, 0.366_900_885_231)]);
    assert_row(&matrix, 8, &[(4, 0.810_305_853_13), (18, 0.586_007_187_996)]);

    let vocabulary = Vocabulary::fit(CORPUS, &plain()).unwrap();
    assert_eq!(vocabulary.terms().len(), 46);
    assert_near(vocabulary.idf().iter().sum::<f64>(), 136.738_532_856_824_66);
    let matrix = vocabulary.transform(CORPUS).unwrap();
    let checked = |row: usize| matrix.pairs(row).map(move |(j, v)| (row + 1) as f64 * f64::from(1 + j % 7) * v);
    assert_near((0..17).flat_map(checked).sum::<f64>() / 1000.0, 1_135.498_915_929_631_7 / 1000.0);
}

/// Python's jieba 0.42.1, cut() of the text in upper case, without what is no word.
#[test]
fn cuts_chinese_as_jieba_does() {
    let cases = [
        ("南京市长江大桥", "南京市 长江大桥"),
        ("纯棉男士T恤 加厚 100%纯棉", "纯棉 男士 t恤 加厚 100 纯棉"),
        ("苹果iPhone15手机壳透明防摔", "苹果 iphone15 手机 壳 透明 防 摔"),
        ("3.5米加长数据线", "3.5 米 加长 数据线"),
        ("小明硕士毕业于中国科学院计算所", "小明 硕士 毕业 于 中国科学院 计算所"),
        ("红色连衣裙，女，夏季新款2024！", "红色 连衣裙 女 夏季 新款 2024"),
        ("保温杯 不锈钢 大容量500ml", "保温杯 不锈钢 大容量 500ml"),
    ];
    cases.iter().for_each(|(text, expected)| assert_eq!(words(text).join(" "), *expected));
}

#[test]
fn words_are_those_of_unicode() {
    let cases = [
        ("Don't pay 1,000 or 3.5 -- really!?", "don't pay 1,000 or 3.5 really"),
        ("a T-shirt x 6 _ __ é & 12", "shirt 12"),
        ("ÉCLAIR Straße ΣΊΣΥΦΟΣ", "éclair straße σίσυφος"),
        ("カタカナ ひら", "カタカナ ひ ら"),
        ("서울 хлеб", "서울 хлеб"),
        (" …！🎉 ", ""),
    ];
    for (text, expected) in cases {
        assert_eq!(words(text).join(" "), expected, "{text}");
    }
    // Thai has no spaces; UAX #29 gives its letters with their marks.
    assert!(words("กาแฟ").len() > 1);
}

#[test]
fn stop_words_and_the_most_terms() {
    let options = Options { languages: vec![Language::English, Language::Chinese], max_terms: 3, ..plain() };
    let texts =
        [Some("the cup and the plate"), None, Some("cup of tea"), Some("我们的茶杯"), Some("plate"), Some("zebra")];
    let vocabulary = Vocabulary::fit(texts, &options).unwrap();
    // Of those in one text the first by code points.
    assert_eq!(vocabulary.terms(), ["cup", "plate", "tea"]);
    let matrix = vocabulary.transform(texts).unwrap();
    let sizes: Vec<usize> = (0..6).map(|row| matrix.row(row).0.len()).collect();
    assert_eq!(sizes, [2, 0, 2, 0, 1, 0]);
    assert!(Language::English.stop_words().all(|word| word.to_lowercase() == word));
}

#[test]
fn says_why_there_is_no_vocabulary() {
    let fit = |texts: &[&str], options: Options| Vocabulary::fit(texts.iter().copied(), &options).unwrap_err();
    assert_eq!(fit(&["", "!"], plain()), TextError::NoTerms { texts: 2, found: 0 });
    assert_eq!(fit(&[], plain()), TextError::NoTerms { texts: 0, found: 0 });
    assert_eq!(fit(&["one two"], Options { max_terms: 0, ..plain() }), TextError::NoTerms { texts: 1, found: 2 });
    let few = Options { min_document_frequency: Frequency::Count(2), ..plain() };
    assert_eq!(fit(&["one", "two"], few), TextError::NoTerms { texts: 2, found: 2 });
    for ngrams in [(0, 1), (2, 1), (1, MOST_WORDS + 1)] {
        let refused = TextError::Ngrams { min: ngrams.0, max: ngrams.1 };
        assert_eq!(fit(&["one"], Options { ngrams, ..plain() }), refused);
    }
    for share in [-0.1, 1.1, f64::NAN] {
        let options = Options { max_document_frequency: Frequency::Share(share), ..plain() };
        assert!(matches!(fit(&["one"], options), TextError::Share(_)));
    }
}

#[test]
fn is_the_same_after_saving_and_refuses_what_is_damaged() {
    let least = Frequency::Count(2);
    let options = Options { languages: vec![Language::English], min_document_frequency: least, ..Options::default() };
    let vocabulary = Vocabulary::fit(CORPUS, &options).unwrap();
    let saved = serde_json::to_string(&vocabulary).unwrap();
    let read: Vocabulary = serde_json::from_str(&saved).unwrap();
    assert_eq!(read.terms(), vocabulary.terms());
    let (before, after) = (vocabulary.transform(CORPUS).unwrap(), read.transform(CORPUS).unwrap());
    assert_eq!(before.row(11).0, after.row(11).0);
    assert_eq!(before.entries(), after.entries());
    for (right, wrong) in
        [("\"2011\",", ""), ("\"2011\",\"72\"", "\"72\",\"2011\""), ("\"ngrams\":[1,2]", "\"ngrams\":[3,2]")]
    {
        assert!(saved.contains(right));
        assert!(serde_json::from_str::<Vocabulary>(&saved.replacen(right, wrong, 1)).is_err(), "{wrong}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn threads_change_nothing_and_rows_have_length_one(
        texts in proptest::collection::vec("([a-d]{1,2} |茶杯|é1 ){0,6}", 1..1200),
    ) {
        let options = Options { ngrams: (1, 3), ..plain() };
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let vocabulary = Vocabulary::fit(texts.iter().map(String::as_str), &options).ok()?;
                let matrix = vocabulary.transform(texts.iter().map(String::as_str)).ok()?;
                Some((vocabulary, matrix))
            })
        };
        let one = run(1);
        prop_assert_eq!(&one, &run(3));
        if let Some((vocabulary, matrix)) = one {
            prop_assert!(vocabulary.idf().iter().all(|idf| *idf >= 1.0));
            for (row, text) in texts.iter().enumerate() {
                let length: f64 = matrix.row(row).1.iter().map(|v| v * v).sum();
                prop_assert!(words(text).is_empty() && length == 0.0 || (length - 1.0).abs() < 1e-12);
            }
        }
    }
}

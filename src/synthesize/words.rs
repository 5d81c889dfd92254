//! The words of which product descriptions are made, in English and in Chinese.

/// Number of product categories.
pub const CATEGORIES: usize = 12;

/// Number of styles; a product has one, a customer prefers some.
pub const STYLES: usize = 4;

/// A list of words in both languages, separated by commas, in the same order.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    english: &'static str,
    chinese: &'static str,
}

/// A category, the median of its base prices in cents, and eight things in it.
#[derive(Debug)]
pub struct Category {
    pub name: &'static str,
    pub price_cents: f64,
    things: Words,
}

const fn category(name: &'static str, price_cents: f64, english: &'static str, chinese: &'static str) -> Category {
    Category { name, price_cents, things: Words { english, chinese } }
}

pub const ALL: [Category; CATEGORIES] = [
    category(
        "Kitchen",
        780.0,
        "mug, mixing bowl, apron, tea towel, cutting board, storage jar, whisk, teapot",
        "马克杯, 搅拌碗, 围裙, 茶巾, 砧板, 储物罐, 打蛋器, 茶壶",
    ),
    category(
        "Bath",
        640.0,
        "soap dish, hand towel, bath mat, sponge, shower caddy, bathrobe, toothbrush cup, laundry bag",
        "肥皂碟, 擦手巾, 浴室垫, 沐浴海绵, 淋浴置物架, 浴袍, 牙刷杯, 洗衣袋",
    ),
    category(
        "Decoration",
        990.0,
        "picture frame, wall clock, vase, cushion, mirror, doorstop, bookend, wall hook",
        "相框, 挂钟, 花瓶, 靠垫, 镜子, 门挡, 书挡, 壁钩",
    ),
    category(
        "Gift wrap",
        310.0,
        "gift bag, ribbon, wrapping paper, gift box, gift tag, tissue paper, bow, card holder",
        "礼品袋, 丝带, 包装纸, 礼品盒, 礼品吊牌, 薄棉纸, 蝴蝶结, 卡片夹",
    ),
    category(
        "Garden",
        1150.0,
        "watering can, plant pot, seed tin, bird feeder, trowel, lantern, garden gloves, plant marker",
        "洒水壶, 花盆, 种子罐, 喂鸟器, 小铲子, 提灯, 园艺手套, 植物标牌",
    ),
    category(
        "Toys",
        890.0,
        "puzzle, building blocks, toy train, doll, kite, spinning top, board game, skittles",
        "拼图, 积木, 玩具火车, 娃娃, 风筝, 陀螺, 桌游, 玩具保龄球",
    ),
    category(
        "Candles",
        560.0,
        "candle, candle holder, scented candle, tealight, incense, reed diffuser, snuffer, wax melt",
        "蜡烛, 烛台, 香薰蜡烛, 茶蜡, 线香, 藤条香薰, 灭烛罩, 香薰蜡块",
    ),
    category(
        "Storage",
        720.0,
        "basket, storage box, shelf, hanger, drawer divider, crate, key rack, letter tray",
        "收纳篮, 收纳盒, 置物架, 衣架, 抽屉隔板, 板条箱, 钥匙架, 信件托盘",
    ),
    category(
        "Jewelry",
        1350.0,
        "necklace, bracelet, ring dish, brooch, earrings, hair clip, jewelry box, charm",
        "项链, 手链, 戒指碟, 胸针, 耳环, 发夹, 首饰盒, 吊坠",
    ),
    category(
        "Children",
        930.0,
        "lunch box, backpack, night light, growth chart, blanket, rain hat, water bottle, bib",
        "午餐盒, 儿童背包, 小夜灯, 身高贴, 毯子, 雨帽, 水壶, 围兜",
    ),
    category(
        "Stationery",
        420.0,
        "notebook, pencil case, calendar, fountain pen, sticker set, postcard set, eraser, ruler",
        "笔记本, 笔袋, 日历, 钢笔, 贴纸套装, 明信片套装, 橡皮, 尺子",
    ),
    category(
        "Dining",
        860.0,
        "dinner plate, tablecloth, napkin set, coaster, serving tray, salad bowl, glass, egg cup",
        "餐盘, 桌布, 餐巾套装, 杯垫, 托盘, 沙拉碗, 玻璃杯, 蛋杯",
    ),
];

/// Each style has its own six looks, so that text alone tells what a customer may like. They are
/// colors and patterns, which suit any thing.
const LOOKS: [Words; STYLES] = [
    Words {
        english: "ivory, gold-trimmed, floral, heritage, lace-patterned, rose",
        chinese: "象牙白, 金边, 碎花, 复古, 蕾丝纹, 玫瑰色",
    },
    Words {
        english: "matte black, geometric, minimalist, silver, slate gray, monochrome",
        chinese: "哑光黑, 几何纹, 极简, 银色, 石板灰, 黑白",
    },
    Words {
        english: "botanical, sand, olive green, fern, pebble, honey",
        chinese: "植物纹, 沙色, 橄榄绿, 蕨叶纹, 卵石色, 蜜色",
    },
    Words {
        english: "rainbow, polka-dot, neon, striped, glittery, starry",
        chinese: "彩虹, 波点, 霓虹色, 条纹, 闪光, 星空",
    },
];

/// Told apart by size once things and looks are used up; the first has none.
const SIZES: Words =
    Words { english: ", small, large, mini, extra large", chinese: ", 小号, 大号, 迷你, 加大" };

/// A description in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub english: String,
    pub chinese: String,
}

/// The description of the `place`th product of a category and style, in words that no other
/// product of it shares up to 240.
pub fn describe(category: usize, style: usize, place: usize) -> Description {
    const NONE: Words = Words { english: "", chinese: "" };
    let things = ALL.get(category).map_or(NONE, |category| category.things);
    let looks = LOOKS.get(style).copied().unwrap_or(NONE);
    // The shift keeps (thing, look) from repeating after lcm(8, 6) = 24 places.
    let parts = [(SIZES, place / 48), (looks, place + place / 24), (things, place)];
    let english: Vec<&str> =
        parts.iter().map(|(words, at)| pick(words.english, *at)).filter(|word| !word.is_empty()).collect();
    let english = english.join(" ");
    let mut letters = english.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    Description {
        english: first.chain(letters).collect(),
        chinese: parts.iter().map(|(words, at)| pick(words.chinese, *at)).collect(),
    }
}

/// The word at a place of a list that starts again when it ends.
fn pick(list: &'static str, at: usize) -> &'static str {
    let count = list.split(", ").count();
    list.split(", ").nth(at % count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn descriptions_name_size_look_and_thing_in_both_languages() {
        let first = describe(0, 2, 0);
        assert_eq!((first.english.as_str(), first.chinese.as_str()), ("Botanical mug", "植物纹马克杯"));
        let sized = describe(0, 2, 48);
        assert_eq!((sized.english.as_str(), sized.chinese.as_str()), ("Small olive green mug", "小号橄榄绿马克杯"));
    }

    #[test]
    fn every_word_has_one_counterpart_and_belongs_to_one_list() {
        let lists = ALL.iter().map(|category| (category.things, 8)).chain(LOOKS.map(|looks| (looks, 6)));
        let mut seen = HashSet::new();
        for (words, count) in lists.chain([(SIZES, 5)]) {
            assert_eq!(words.english.split(", ").count(), count);
            assert_eq!(words.chinese.split(", ").count(), count);
            for word in words.english.split(", ").chain(words.chinese.split(", ")).filter(|word| !word.is_empty()) {
                assert!(seen.insert(word), "{word} twice");
            }
        }
    }
}

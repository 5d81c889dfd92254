//! The words of which product descriptions are made.

use super::segment::CATEGORIES;

/// Number of styles; a product has one, a customer prefers some.
pub const STYLES: usize = 4;

/// A category: the things in it, and the median list price in cents.
pub struct Category {
    /// Eight things, separated by commas.
    pub things: &'static str,
    pub price_cents: f64,
}

const fn category(price_cents: f64, things: &'static str) -> Category {
    Category { things, price_cents }
}

pub const ALL: [Category; CATEGORIES] = [
    // Kitchen
    category(780.0, "mug, mixing bowl, apron, tea towel, cutting board, storage jar, whisk, teapot"),
    // Bath
    category(640.0, "soap dish, hand towel, bath mat, sponge, shower caddy, bathrobe, toothbrush cup, laundry bag"),
    // Decoration
    category(990.0, "picture frame, wall clock, vase, cushion, mirror, doorstop, bookend, wall hook"),
    // Gift wrap
    category(310.0, "gift bag, ribbon, wrapping paper, gift box, gift tag, tissue paper, bow, card holder"),
    // Garden
    category(1150.0, "watering can, plant pot, seed tin, bird feeder, trowel, lantern, garden gloves, plant marker"),
    // Toys
    category(890.0, "puzzle, building blocks, toy train, doll, kite, spinning top, board game, skittles"),
    // Candles
    category(560.0, "candle, candle holder, scented candle, tealight, incense, reed diffuser, snuffer, wax melt"),
    // Storage
    category(720.0, "basket, storage box, shelf, hanger, drawer divider, crate, key rack, letter tray"),
    // Jewelry
    category(1350.0, "necklace, bracelet, ring dish, brooch, earrings, hair clip, jewelry box, charm"),
    // Children
    category(930.0, "lunch box, backpack, night light, growth chart, blanket, rain hat, water bottle, bib"),
    // Stationery
    category(420.0, "notebook, pencil case, calendar, fountain pen, sticker set, postcard set, eraser, ruler"),
    // Dining
    category(860.0, "dinner plate, tablecloth, napkin set, coaster, serving tray, salad bowl, glass, egg cup"),
];

/// Each style has its own six looks, so that text alone tells what a customer may like.
pub const LOOKS: [&str; STYLES] = [
    "ivory, gilded, floral, heritage, porcelain, velvet",
    "matte black, geometric, minimal, chrome, slate, monochrome",
    "oak, woven, linen, earthenware, driftwood, terracotta",
    "rainbow, polka dot, neon, striped, glitter, star-spangled",
];

/// Told apart by size once things and looks are used up; the first has none.
const SIZES: &str = ", small, large, mini, extra large";

/// The description of the `place`th product of a category and style, in words that no other
/// product of it shares up to 240.
pub fn describe(category: usize, style: usize, place: usize) -> String {
    let things = ALL.get(category).map_or("", |category| category.things);
    let looks = LOOKS.get(style).copied().unwrap_or_default();
    // The shift keeps (thing, look) from repeating after lcm(8, 6) = 24 places.
    let phrase = [pick(SIZES, place / 48), pick(looks, place + place / 24), pick(things, place)];
    let words: Vec<&str> = phrase.into_iter().filter(|word| !word.is_empty()).collect();
    let words = words.join(" ");
    let mut letters = words.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

/// The word at a place of a list that starts again when it ends.
fn pick(list: &'static str, at: usize) -> &'static str {
    let count = list.split(", ").count();
    list.split(", ").nth(at % count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_name_size_look_and_thing() {
        assert_eq!(describe(0, 2, 0), "Oak mug");
        assert_eq!(describe(0, 2, 48), "Small linen mug");
    }

    #[test]
    fn no_word_belongs_to_two_styles() {
        let mut looks: Vec<&str> = LOOKS.iter().flat_map(|looks| looks.split(", ")).collect();
        looks.sort_unstable();
        looks.dedup();
        assert_eq!(looks.len(), 24);
    }

    #[test]
    fn every_category_has_eight_things_and_none_is_shared() {
        let lists = ALL.iter().map(|category| category.things.split(", "));
        assert!(lists.clone().all(|things| things.count() == 8));
        let mut things: Vec<&str> = lists.flatten().collect();
        things.sort_unstable();
        things.dedup();
        assert_eq!(things.len(), 96);
    }
}

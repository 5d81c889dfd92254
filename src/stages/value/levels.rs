//! How much customers respond to prices, in words.

pub const LEVELS: [&str; 4] = ["low", "medium", "high", "unknown"];

//! The stage kinds and the contract they keep. A new kind is one new file and its two lines here.

pub mod contract;
mod engine;
mod files;
#[cfg(test)]
mod fixture;
mod ids;
pub mod lineage;
pub mod model;
mod ports;
pub mod profile;
pub mod protocol;
mod watch;

pub mod deliver {
    pub mod actions;
    pub mod scores;
}
pub mod prediction {
    #[macro_use]
    mod options;
    pub mod boosted_trees;
    mod calibration;
    pub mod compare;
    pub mod design;
    #[cfg(test)]
    mod edges;
    #[cfg(test)]
    mod fixture;
    mod judge;
    mod learner;
    pub mod linear;
    pub mod logistic;
    mod material;
    mod output;
    mod parts;
    mod penalty;
    mod problems;
    mod reasons;
    mod run;
    mod scoring;
    pub mod svm;
    mod task;
    mod threshold;
    mod tune;
}
pub mod prepare {
    pub mod features;
    pub mod sql;
}
pub mod recommendation {
    #[macro_use]
    mod options;
    #[macro_use]
    mod recommender;
    pub mod als;
    mod baselines;
    mod beside;
    pub mod content;
    mod diversify;
    pub mod ease;
    #[cfg(test)]
    mod fixture;
    mod history;
    pub mod hybrid;
    mod interactions;
    pub mod item_cf;
    mod judge;
    mod limits;
    mod lists;
    mod neighbors;
    #[cfg(test)]
    mod point_in_time;
    pub mod popular;
    mod probability;
    mod serve;
    mod trial;
    pub mod user_cf;
    mod weights;
}
pub mod segmentation {
    pub mod dbscan;
    mod identity;
    mod input;
    mod judge;
    pub mod kmeans;
    mod migration;
    mod names;
    mod pictures;
    mod preparation;
    mod profiles;
    pub mod rfm;
}
pub mod value {
    pub mod clv;
    mod days;
    mod levels;
    pub mod price_sensitivity;
    pub mod tiers;
}

pub use contract::{
    Failure, InputPort, InputSchemas, Inputs, Kind, NamedTable, Outputs, Stage, StageConfig, StageContext,
};

/// Every stage kind, in the order of the documentation.
pub const KINDS: &[Kind] = &[
    Kind::of::<prepare::sql::Sql>(),
    Kind::of::<prepare::features::Features>(),
    Kind::of::<segmentation::rfm::Rfm>(),
    Kind::of::<segmentation::kmeans::KMeans>(),
    Kind::of::<segmentation::dbscan::Dbscan>(),
    Kind::of::<recommendation::popular::Popular>(),
    Kind::of::<recommendation::user_cf::UserCf>(),
    Kind::of::<recommendation::item_cf::ItemCf>(),
    Kind::of::<recommendation::als::Als>(),
    Kind::of::<recommendation::ease::Ease>(),
    Kind::of::<recommendation::content::Content>(),
    Kind::of::<recommendation::hybrid::Hybrid>(),
    Kind::of::<prediction::linear::Linear>(),
    Kind::of::<prediction::logistic::Logistic>(),
    Kind::of::<prediction::svm::Svm>(),
    Kind::of::<prediction::boosted_trees::BoostedTrees>(),
    Kind::of::<prediction::compare::Compare>(),
    Kind::of::<value::clv::Clv>(),
    Kind::of::<value::price_sensitivity::PriceSensitivity>(),
    Kind::of::<value::tiers::Tiers>(),
    Kind::of::<deliver::scores::Scores>(),
    Kind::of::<deliver::actions::Actions>(),
];

/// The kind of this name.
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

use std::collections::BTreeMap;

use polars::prelude::{DataFrame, DataType, IntoColumn, NamedFrom, Series};

use super::beside;
use super::interactions::{Decay, Interactions};
use super::recommender::{Recommender, Scene, Scored};
use crate::algorithms::popular;
use crate::algorithms::wanted::Wanted;
use crate::config::Span;
use crate::format;
use crate::metrics::evaluation::Fact;
use crate::problem::{Code, Problem};
use crate::stages::contract::{Failure, InputSchemas, StageConfig, StageContext};
use crate::stages::files;
use crate::stages::ids;
use crate::stages::model::Model;
use crate::table::midnight_us;

recommender! {
    /// The most popular items: what everyone is shown, or everyone of a group.
    ///
    /// An item's score is the number of users who met it in the last `window`, or ever. With `half_life` each of them
    /// counts less the longer ago that was. With `by` the users of a group come first: the score is that of the group,
    /// plus the popularity among all that `smoothing` further users of the group would show, so that small groups are
    /// not led by chance.
    ///
    /// Users without any interaction get lists if a table at `users` names them. It is judged like every recommender,
    /// beside the strongest of the simple lists, which it may itself be.
    pub struct Popular {
        /// Only the newest past counts.
        #[serde(default)]
        window: Option<Span>,
        /// The column of the table at `users` that names a user's group, such as a country or a segment.
        #[serde(default)]
        by: Option<String>,
        /// With `by`: of how many users of the group the popularity among all stands in; 20 by default.
        #[serde(default)]
        #[schemars(range(min = 0, max = 1_000_000))]
        smoothing: Option<f64>,
    }
}
recommender_stage!(Popular, requires: [], outputs: []);

impl StageConfig for Popular {
    const KIND: &'static str = "popular";
    const FAMILY: &'static str = "recommendation";
}

const SMOOTHING: f64 = 20.0;
const FILE: &str = "popularity.parquet";
/// Items of all rankings together, each of 16 bytes.
const RANKED_MAX: usize = 100_000_000;

/// Items by popularity, among all and in each group.
pub struct Rankings {
    all: Vec<(u32, f64)>,
    groups: BTreeMap<String, Vec<(u32, f64)>>,
}

impl Recommender for Popular {
    type Fitted = Rankings;

    fn name(&self) -> String {
        let by = self.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let window = self.window.map(|window| format!(" of the last {} days", window.in_days())).unwrap_or_default();
        format!("popularity{window}{by}")
    }

    fn own_problems(&self) -> Vec<Problem> {
        let needs_time = self.window.is_some() && self.time.is_none();
        let problem = Problem::new(Code::MissingKey, "a window needs `time`").at(["with", "window"]);
        let is_idle = self.smoothing.is_some() && self.by.is_none();
        let idle = Problem::new(Code::BadValue, "only groups (`by`) are smoothed").at(["with", "smoothing"]);
        needs_time.then_some(problem).into_iter().chain(is_idle.then_some(idle)).collect()
    }

    fn table_problems(&self, inputs: &InputSchemas) -> Vec<Problem> {
        let Some(by) = &self.by else { return vec![] };
        let place = ["with", "by"];
        let Some((_, schema)) = inputs.many(beside::USERS).first() else {
            let message = format!("there is no table at `{}` that could name a user's `{by}`", beside::USERS);
            return vec![Problem::new(Code::MissingInput, message).at(place)];
        };
        let message = format!("the table at `{}` has no column `{by}`", beside::USERS);
        let lacks = schema.column(by).is_none();
        let problem = Problem::new(Code::UnknownColumn, message).nearest(by, schema.names()).at(place);
        lacks.then_some(problem).into_iter().collect()
    }

    fn fit(&self, scene: &Scene<'_>, _: &StageContext) -> Result<Rankings, Failure> {
        let all = self.scores(scene, 0..scene.known.weights.rows());
        let known = &scene.known.weights;
        let users = (0..known.rows()).filter(|user| !known.row(*user).0.is_empty()).count().max(1) as f64;
        let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (user, group) in self.groups(scene)?.into_iter().enumerate() {
            if let Some(group) = group {
                members.entry(group).or_default().push(user);
            }
        }
        let ranked = members.len().saturating_mul(all.len());
        if ranked > RANKED_MAX {
            return Err(Failure::TooLarge(format!(
                "ranking {} for each of {} groups is more than the {} places allowed: name a column with fewer groups",
                format::count(all.len() as u64, "item", "items"),
                format::thousands(members.len() as u64),
                format::thousands(RANKED_MAX as u64)
            )));
        }
        let blended = |own: Vec<f64>| -> Vec<f64> {
            own.into_iter()
                .zip(&all)
                .map(|(own, all)| own + self.smoothing.unwrap_or(SMOOTHING) * all / users)
                .collect()
        };
        let ranking = |own: Vec<usize>| popular::rank(&blended(self.scores(scene, own.into_iter())));
        let found = members.into_iter().map(|(group, own)| (group, ranking(own))).collect();
        Ok(Rankings { all: popular::rank(&all), groups: found })
    }

    fn recommend(
        &self,
        fitted: &Rankings,
        scene: &Scene<'_>,
        count: usize,
        wanted: &Wanted<'_>,
    ) -> Result<Scored, Failure> {
        let groups = self.groups(scene)?;
        let named = scene.as_of.named_users(scene.interactions, self.user.as_str())?;
        let list = |user: usize| {
            let is_served = !scene.histories.weights.row(user).0.is_empty() || named.get(user) == Some(&true);
            if !is_served {
                return vec![];
            }
            let own = groups.get(user).and_then(Option::as_ref).and_then(|group| fitted.groups.get(group));
            popular::first(own.unwrap_or(&fitted.all), user, count, wanted)
        };
        Ok((0..scene.histories.weights.rows()).map(list).collect())
    }

    fn because(
        &self,
        _: &Rankings,
        _: &Scene<'_>,
        lists: &[Vec<(u32, f64)>],
    ) -> Result<Vec<Vec<Option<u32>>>, Failure> {
        Ok(lists.iter().map(|list| vec![None; list.len()]).collect())
    }

    fn facts(&self, fitted: &Rankings, _: &Scene<'_>) -> Result<Vec<Fact>, Failure> {
        let mut facts = vec![Fact::new("ranked", format::count(fitted.all.len() as u64, "item", "items"))];
        if let Some(by) = &self.by {
            let groups = format::count(fitted.groups.len() as u64, "group", "groups");
            facts.push(Fact::new("groups", format!("{groups} by `{by}`; users without one get the ranking of all")));
        }
        Ok(facts)
    }

    fn files(&self, fitted: &Rankings, interactions: &Interactions) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let (mut groups, mut items, mut scores) = (Vec::new(), Vec::new(), Vec::new());
        let named = fitted.groups.iter().map(|(name, ranking)| (Some(name.as_str()), ranking));
        for (name, ranking) in std::iter::once((None, &fitted.all)).chain(named) {
            for (item, score) in ranking {
                groups.push(name);
                items.push(*item);
                scores.push(*score);
            }
        }
        let frame = DataFrame::new_infer_height(vec![
            Series::new("group".into(), groups).into_column(),
            interactions.items.take_slice(&items)?.with_name("item".into()).into_column(),
            Series::new("score".into(), scores).into_column(),
        ])?;
        Ok(BTreeMap::from([(FILE.to_owned(), files::to_parquet(frame)?)]))
    }

    fn load(&self, model: &Model, scene: &Scene<'_>, _: &StageContext) -> Result<Rankings, Failure> {
        let frame = files::from_parquet(model, FILE)?;
        let groups = frame.column("group")?.str()?.clone();
        let items = ids::places(frame.column("item")?.as_materialized_series(), &scene.interactions.items)?;
        let mut found = Rankings { all: vec![], groups: BTreeMap::new() };
        for ((group, item), score) in groups.iter().zip(&items).zip(frame.column("score")?.f64()?.iter()) {
            let (Some(item), Some(score)) = (*item, score) else { continue };
            match group {
                Some(group) => found.groups.entry(group.to_owned()).or_default().push((item, score)),
                None => found.all.push((item, score)),
            }
        }
        Ok(found)
    }
}

impl Popular {
    /// For each item how many of these users met it in the window, by how long ago.
    fn scores(&self, scene: &Scene<'_>, users: impl Iterator<Item = usize>) -> Vec<f64> {
        let now = midnight_us(scene.moment);
        let since = self.window.map_or(i64::MIN, |window| now.saturating_sub(window.in_microseconds()));
        let decay = Decay { moment_us: now, half_life_us: self.half_life.map(Span::in_microseconds) };
        let known = scene.known;
        let mut scores = vec![0.0; known.weights.columns()];
        for user in users {
            let latest = known.latest.iter().skip(known.weights.start(user));
            for (item, latest) in known.weights.row(user).0.iter().zip(latest) {
                if let Some(score) = scores.get_mut(*item as usize).filter(|_| *latest >= since) {
                    *score += decay.factor(*latest);
                }
            }
        }
        scores
    }

    /// The group of each user, where the table tells it.
    fn groups(&self, scene: &Scene<'_>) -> Result<Vec<Option<String>>, Failure> {
        let (Some(by), Some(frame)) = (&self.by, &scene.as_of.users) else { return Ok(vec![]) };
        let values = frame.column(by)?.cast(&DataType::String)?;
        let values = values.str()?;
        let users = ids::places(frame.column(&self.user)?.as_materialized_series(), &scene.interactions.users)?;
        let mut groups = vec![None; scene.interactions.users.len()];
        for (user, value) in users.into_iter().zip(values.iter()) {
            if let Some(slot) = user.and_then(|user| groups.get_mut(user as usize)) {
                *slot = value.map(str::to_owned);
            }
        }
        Ok(groups)
    }
}

#[cfg(test)]
mod tests;

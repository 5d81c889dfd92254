//! What a reader of an evaluation should be wary of: rules of thumb, each a sentence that says why.

use crate::format::{number, percent, thousands};
use crate::metrics::evaluation::{Estimate, Evaluation, Verdict};

/// Fewer rows of either class, or users, leave a measure uncertain (Vergouwe et al. 2005: at least 100 events
/// and 100 non-events to validate a model).
const EACH_MIN: usize = 100;
/// Expected calibration errors above this make probabilities unfit to be multiplied with.
const CALIBRATION_ERROR_MAX: f64 = 0.05;
/// Fits as good as this are rare, and leaks are not.
const SUSPICIOUS_R2: f64 = 0.98;
/// The rows that may decide a fit alone, and what share of the squared errors is theirs then.
const DECIDING: [f64; 2] = [0.01, 0.5];
/// Where nothing is ever below zero, more predictions below it than this are worth a word.
const BELOW_ZERO_MAX: f64 = 0.05;
/// Rankings as good as this are rare, and leaks are not.
const SUSPICIOUS_AUC: f64 = 0.95;
/// No substantial structure below, weak structure below (Kaufman and Rousseeuw 1990, table 2.4).
const SILHOUETTE: [f64; 2] = [0.25, 0.5];
/// Lists that show a smaller share of the catalog are nearly the same for everyone.
const COVERAGE_MIN: f64 = 0.05;
/// Below this, segments are called unstable (Hennig 2007 has 0.75 for the Jaccard index of single clusters).
const STABILITY_MIN: f64 = 0.75;
/// Where squared distances have grown by more, the centroids are those of others.
const SPREAD_MAX: f64 = 1.25;
/// More noise than this leaves little to act on.
const NOISE_MAX: f64 = 0.5;
/// A smaller segment is hardly one to act on.
const SEGMENT_SHARE_MIN: f64 = 0.01;
/// Halves of a customer's orders that agree less tell little of the customer.
const SPLIT_HALF_MIN: f64 = 0.2;
/// Where customers who have bought again are active with a greater chance on average, the model tells nobody apart.
const ALIVE_MAX: f64 = 0.97;
/// Rank correlations nearer to zero matter little, however sure they are.
const CORRELATION_MIN: f64 = 0.1;

/// The interval of the deciding difference is wider than the difference itself.
pub fn wide_interval(evaluation: &Evaluation) -> Option<String> {
    let measure = evaluation.headline()?;
    let Estimate { value, low: Some(low), high: Some(high) } = measure.difference? else { return None };
    if high - low <= value.abs() {
        return None;
    }
    let verdict = match measure.verdict() {
        Verdict::NotShown => "so the two cannot be told apart",
        Verdict::Beats | Verdict::Loses => "so how far it is ahead or behind is uncertain",
    };
    Some(format!(
        "The {} differs from its baseline's by {}, but by anything from {} to {} within chance, {verdict}.",
        measure.name,
        number(value),
        number(low),
        number(high),
    ))
}

/// Too few rows of one of the two classes evaluate it.
pub fn few_of_a_class(target: &str, rows: usize, positives: usize) -> Option<String> {
    let fewer = positives.min(rows.saturating_sub(positives));
    let is = if fewer == positives { "true" } else { "false" };
    (fewer < EACH_MIN).then(|| {
        format!(
            "`{target}` is {is} in only {} of the {} rows that evaluate it; below {EACH_MIN} every measure is uncertain.",
            thousands(fewer as u64),
            thousands(rows as u64)
        )
    })
}

/// Too few rows evaluate it.
pub fn few_rows(rows: usize) -> Option<String> {
    (rows < EACH_MIN).then(|| {
        format!("Only {} rows evaluate it; below {EACH_MIN} every measure is uncertain.", thousands(rows as u64))
    })
}

/// The error is that of a few rows.
pub fn few_decide(squared_errors: impl Iterator<Item = f64>) -> Option<String> {
    let [share_of_rows, share_of_errors] = DECIDING;
    let mut sorted: Vec<f64> = squared_errors.collect();
    let count = (sorted.len() as f64 * share_of_rows) as usize;
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let total: f64 = sorted.iter().sum();
    let theirs = sorted.iter().take(count).sum::<f64>() / total;
    (count > 0 && theirs >= share_of_errors).then(|| {
        format!(
            "{} of the rows make {} of the squared error: a few large values decide what the model and its measures \
             look like.",
            percent(share_of_rows),
            percent(theirs)
        )
    })
}

/// What cannot be below zero is predicted to be.
pub fn below_zero(target: &str, share: f64) -> Option<String> {
    (share > BELOW_ZERO_MAX).then(|| {
        format!(
            "{} of the predictions are below zero, where `{target}` never is: use them to order customers, or take \
             them as zero.",
            percent(share)
        )
    })
}

/// A fit better than one has reason to hope.
pub fn too_good_a_fit(r2: f64) -> Option<String> {
    (r2 >= SUSPICIOUS_R2)
        .then(|| format!("An R² of {r2:.3} is rarely earned: look for a feature that knows the outcome."))
}

/// Too few users evaluate it.
pub fn few_users(users: usize) -> Option<String> {
    (users < EACH_MIN).then(|| {
        format!("Only {} users evaluate it; below {EACH_MIN} every measure is uncertain.", thousands(users as u64))
    })
}

/// One feature alone orders the rows as well, within chance; `low` is the lower end of the model's lead.
pub fn single_feature(name: &str, single: f64, model: f64, low: f64) -> Option<String> {
    (low <= 0.0).then(|| {
        format!(
            "`{name}` alone orders the rows about as well (ROC AUC {single:.3}, the model {model:.3}): a rule on it may be enough."
        )
    })
}

/// Better than one has reason to hope.
pub fn too_good(roc_auc: f64) -> Option<String> {
    (roc_auc >= SUSPICIOUS_AUC)
        .then(|| format!("A ROC AUC of {roc_auc:.3} is rarely earned: look for a feature that knows the outcome."))
}

/// Probabilities that do not hold; `mean` is what the model expects, `share` what happened.
pub fn miscalibrated(error: f64, mean: f64, share: f64) -> Option<String> {
    if error <= CALIBRATION_ERROR_MAX {
        return None;
    }
    let direction = match mean - share {
        over if over > CALIBRATION_ERROR_MAX => {
            format!(" (too high: {} expected, {} happened)", percent(mean), percent(share))
        }
        under if under < -CALIBRATION_ERROR_MAX => {
            format!(" (too low: {} expected, {} happened)", percent(mean), percent(share))
        }
        _ => String::new(),
    };
    Some(format!(
        "Its probabilities are off by {error:.3} on average{direction}: use them to order customers, not as chances."
    ))
}

/// Without one feature much is lost.
pub fn costly_feature(name: &str, lost: f64) -> String {
    format!(
        "Without `{name}` the ROC AUC falls by {lost:.3}: make sure that it is known when rows are scored, and what it is \
         then."
    )
}

/// Nobody is recommended anything.
pub fn nothing_served(run_date: chrono::NaiveDate) -> String {
    format!("Nobody gets any item at {run_date}: no item may be shown, or none is near enough to what anyone has.")
}

/// There is nothing to tell chances by.
pub fn no_probabilities() -> String {
    "`probability` is empty: in the hold-outs nothing on the lists was met, or all of it, so that no chance could be \
     learned."
        .to_owned()
}

/// Candidates of a part that are left out because users have met them.
pub fn seen_candidates(part: &str, share: f64) -> Option<String> {
    (share > 0.0).then(|| {
        format!(
            "{} of what `{part}` recommends is left out, since the users have met it: give the part and this stage the \
             same `exclude_seen`.",
            percent(share)
        )
    })
}

/// Fitting stopped before it came to rest.
pub fn unfinished(converged: bool) -> Option<String> {
    (!converged).then(|| "Fitting stopped before it came to rest, so the model is not final.".to_owned())
}

/// Clusters that the data hardly have.
pub fn weak_structure(silhouette: Option<f64>) -> Option<String> {
    let [none, weak] = SILHOUETTE;
    match silhouette? {
        value if value <= none => Some(format!(
            "A silhouette of {value:.2} means that there is no substantial structure: the segments cut up what has no gaps."
        )),
        value if value <= weak => {
            Some(format!("A silhouette of {value:.2} means a weak structure: many lie between two segments."))
        }
        _ => None,
    }
}

/// Segments that other rows of the same kind would not give again.
pub fn unstable(adjusted_rand: Option<f64>) -> Option<String> {
    adjusted_rand.filter(|mean| *mean < STABILITY_MIN).map(|mean| {
        format!(
            "Segments found on samples of the rows agree with these by {mean:.2} only (adjusted Rand; 1 is fully): who is \
             in which is to a good part chance. Fewer clusters may hold better."
        )
    })
}

/// The segments of an earlier night no longer fit: mean squared distances, fitted on and now.
pub fn fits_no_longer(then: f64, now: f64) -> Option<String> {
    (now > then * SPREAD_MAX).then(|| {
        let more = if then > 0.0 { format!("{} more than", percent(now / then - 1.0)) } else { "not 0 as".to_owned() };
        format!(
            "The segments no longer fit: squared distances to the centroids are on average {more} when they were \
             fitted. Fit them anew."
        )
    })
}

/// A measure that does not fit what was found.
pub fn not_round(silhouette: f64) -> Option<String> {
    (silhouette <= SILHOUETTE[1]).then(|| {
        format!(
            "A silhouette of {silhouette:.2} says little here: it favors round segments of like density, and those of \
             DBSCAN need be neither."
        )
    })
}

/// Most are of no segment, or there is hardly more than one.
pub fn noise(share: f64, clusters: usize, is_applied: bool) -> Option<String> {
    let advice = if is_applied { "fit it anew" } else { "try a greater radius or fewer points" };
    match clusters {
        0 => Some(format!("There is no segment: nowhere are enough within the radius; {advice}.")),
        1 => Some(
            "There is one segment only: within this radius all that is dense is connected. Try a smaller one."
                .to_owned(),
        ),
        _ => (share > NOISE_MAX).then(|| format!("{} are noise, of no segment: {advice}.", percent(share))),
    }
}

/// Segments too small to act on, by number and share.
pub fn small_segments(shares: &[(i64, f64)]) -> Option<String> {
    let small: Vec<String> =
        shares.iter().filter(|(_, share)| *share < SEGMENT_SHARE_MIN).map(|(segment, _)| segment.to_string()).collect();
    match small.as_slice() {
        [] => None,
        [one] => Some(format!("Segment {one} has less than {} of the rows.", percent(SEGMENT_SHARE_MIN))),
        many => Some(format!(
            "Segments {} have less than {} of the rows each.",
            many.join(", "),
            percent(SEGMENT_SHARE_MIN)
        )),
    }
}

/// Everyone is shown the same few items.
pub fn narrow_lists(k: usize, coverage: f64) -> Option<String> {
    (coverage < COVERAGE_MIN).then(|| {
        format!(
            "The first {k} of all lists together show only {} of the items: most are never recommended.",
            percent(coverage)
        )
    })
}

/// What puts several together is worse than one of them; `high` is the upper end of its lead.
pub fn below_best_part(name: &str, high: f64) -> Option<String> {
    (high < 0.0).then(|| format!("`{name}` alone is better than what puts it together with others: serve that."))
}

/// There is nobody to say anything of.
pub fn no_purchases() -> String {
    "Nobody has bought anything: there is no customer to value.".to_owned()
}

/// No model of purchases without repeats.
pub fn no_repeats() -> String {
    "Nobody has bought more than once, so nothing tells how often customers buy: purchases, chances of being active and \
     values are null."
        .to_owned()
}

/// Parameters at the edge of what there is.
pub fn no_maximum(model: &str, parameters: &[String]) -> String {
    let (is, mean) = if parameters.len() == 1 { ("is", "It means") } else { ("are", "They mean") };
    format!(
        "The likelihood of {model} has no maximum within what is sensible: `{}` {is} at the edge. {mean} nothing by \
         {}; what is expected of customers is the best that such a model can say, not more.",
        parameters.join("`, `"),
        if parameters.len() == 1 { "itself" } else { "themselves" }
    )
}

/// All who have bought again are taken to be active.
pub fn nobody_leaves(alive: f64, customers: u64) -> Option<String> {
    (alive > ALIVE_MAX && customers > 0).then(|| {
        format!(
            "Of those who have bought again {} are taken to be active, so that the model tells nobody who has left from \
             who has not: `alive` says nothing here, and expected purchases are little more than shrunk past rates.",
            percent(alive)
        )
    })
}

/// What the model of spending takes for granted does not hold; `errors` is how many standard errors from none.
pub fn dependent_spend(correlation: f64, errors: f64) -> Option<String> {
    (correlation.abs() >= CORRELATION_MIN && errors.abs() >= 1.96).then(|| {
        let (who, how) = if correlation > 0.0 { ("more", "too low") } else { ("less", "too high") };
        format!(
            "Gamma-Gamma takes how often customers buy and what a purchase is worth to have nothing to do with each other, \
             but who buys more often spends {who} each time (rank correlation {}): the value of frequent customers is {how} \
             where it leans on that of all.",
            number(correlation)
        )
    })
}

/// The mean of what purchases are worth is not finite.
pub fn endless_spend() -> String {
    "What customers spend differs so much that Gamma-Gamma has no finite mean (q is at most one): who has bought once is \
     taken to spend what a purchase was worth on average."
        .to_owned()
}

/// Those who come first are no new customers: how many, against later ones, and which share of them bought again soon.
pub fn truncated(customers: [f64; 2], again: [f64; 2]) -> String {
    let [first, later] = customers.map(|count| thousands(count.round() as u64));
    let [more, fewer] = again.map(percent);
    format!(
        "The data seem to begin after the business did: {first} customers come in its first 30 days and {later} in each 30 \
         days after, and {more} against {fewer} of them buy again within 60 days. They are no new customers, and a model \
         that takes them for such is biased; fit it on who came later, with `fit_on: {{after_first: 90d}}`."
    )
}

/// Nobody's response to prices can be told.
pub fn no_price_response(is_constant: bool) -> String {
    let why = if is_constant {
        "no customer has bought an item at two prices"
    } else {
        "customers do not differ by more than chance, or too little is known of each"
    };
    format!("Nobody's price sensitivity is known: {why}.")
}

/// The two halves of customers' orders say different things.
pub fn unsteady_response(correlation: f64, customers: usize) -> Option<String> {
    (correlation < SPLIT_HALF_MIN).then(|| {
        format!(
            "Customers' responses from every other of their orders and from the rest hardly agree (rank correlation {} over {} \
             customers): most of what tells single customers apart is chance.",
            number(correlation),
            thousands(customers as u64)
        )
    })
}

/// Prices and quantities rise together.
pub fn more_when_dearer() -> String {
    "On average more is taken when it costs more: prices seem to follow demand, so that elasticities say nothing of what a \
     lower price would do."
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::evaluation::{Better, Measure};

    fn evaluation(difference: Estimate) -> Evaluation {
        let measure = Measure {
            name: "roc_auc".into(),
            better: Better::Higher,
            model: Estimate::point(0.6),
            baseline: Some(Estimate::point(0.5)),
            difference: Some(difference),
        };
        Evaluation {
            target: "buys".into(),
            model: "model".into(),
            baseline: "prior".into(),
            headline: "roc_auc".into(),
            measures: vec![measure],
            ..Evaluation::default()
        }
    }

    #[test]
    fn an_interval_is_wide_if_it_is_wider_than_what_it_is_of() {
        assert_eq!(wide_interval(&evaluation(Estimate::interval(0.1, 0.06, 0.14))), None);
        assert_eq!(wide_interval(&evaluation(Estimate::point(0.1))), None);
        let told = wide_interval(&evaluation(Estimate::interval(0.1, -0.02, 0.2))).unwrap();
        assert!(told.contains("from -0.0200 to 0.200 within chance, so the two cannot be told apart"), "{told}");
    }

    #[test]
    fn each_rule_has_its_limit() {
        assert_eq!(few_of_a_class("buys", 5_000, 100), None);
        let told = few_of_a_class("buys", 5_000, 4_990).unwrap();
        assert!(told.starts_with("`buys` is false in only 10 of the 5,000 rows"), "{told}");
        assert!(few_rows(100).is_none() && few_rows(99).is_some());
        assert!(too_good_a_fit(0.97).is_none() && too_good_a_fit(0.98).is_some());
        assert!(below_zero("spend", 0.05).is_none());
        assert!(below_zero("spend", 0.06).unwrap().starts_with("6.0 % of the predictions"));
        let errors = |largest: f64| std::iter::repeat_n(1.0, 199).chain([largest]);
        assert!(few_decide(errors(196.0)).is_none() && few_decide(std::iter::repeat_n(9.0, 50)).is_none());
        assert!(few_decide(errors(198.0)).unwrap().contains("make 50."));
        assert!(few_users(100).is_none() && few_users(99).is_some());
        assert!(single_feature("x", 0.7, 0.8, 0.01).is_none() && single_feature("x", 0.79, 0.8, -0.01).is_some());
        assert!(too_good(0.94).is_none() && too_good(0.95).is_some());
        assert_eq!(miscalibrated(0.05, 0.9, 0.1), None);
        assert!(miscalibrated(0.3, 0.4, 0.1).unwrap().contains("too high: 40.0 % expected, 10.0 % happened"));
        assert!(miscalibrated(0.3, 0.1, 0.4).unwrap().contains("too low"));
        assert!(miscalibrated(0.06, 0.11, 0.1).unwrap().contains("0.060 on average: use"));
        assert!(weak_structure(None).is_none() && weak_structure(Some(0.51)).is_none());
        assert!(weak_structure(Some(0.3)).unwrap().contains("weak"));
        assert!(weak_structure(Some(0.2)).unwrap().contains("no substantial"));
        assert_eq!(small_segments(&[(1, 0.99), (2, 0.01)]), None);
        assert_eq!(small_segments(&[(1, 0.995), (2, 0.005)]).unwrap(), "Segment 2 has less than 1.0 % of the rows.");
        assert!(narrow_lists(10, 0.05).is_none() && narrow_lists(10, 0.04).unwrap().contains("4.0 %"));
        assert!(below_best_part("a", 0.0).is_none() && below_best_part("a", -0.01).unwrap().starts_with("`a` alone"));
        assert!(unfinished(true).is_none() && unfinished(false).is_some());
    }
}

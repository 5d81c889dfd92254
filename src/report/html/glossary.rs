//! What the measures are called in print, and what they mean, for readers who do not know them.

/// The printed name of a measure and one plain line on it.
pub fn explain(name: &str) -> (String, Option<&'static str>) {
    let (stem, cutoff) = match name.split_once('@') {
        Some((stem, cutoff)) => (stem, Some(cutoff)),
        None => (name, None),
    };
    let known = KNOWN.iter().find(|(key, ..)| *key == stem);
    let printed = known.map_or_else(|| stem.replace('_', " "), |(_, name, _)| (*name).to_owned());
    let printed = match cutoff {
        Some(cutoff) => format!("{printed} at {cutoff}"),
        None => printed,
    };
    (printed, known.map(|(.., meaning)| *meaning))
}

/// A sentence that speaks of the measure by its key, with its printed name.
pub fn reworded(sentence: &str, name: &str) -> String {
    let (printed, _) = explain(name);
    let mut letters = printed.chars();
    // Abbreviations keep their capitals.
    let printed = match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain([second]).chain(letters).collect()
        }
        _ => printed.clone(),
    };
    let article = if printed.starts_with(['a', 'e', 'i', 'o', 'N', 'F']) { "an" } else { "a" };
    let sentence = sentence.replacen(&format!(" a {name} of "), &format!(" {article} {printed} of "), 1);
    match sentence.strip_prefix(&format!("The {name} ")) {
        Some(rest) => format!("The {printed} {rest}"),
        None => sentence,
    }
}

/// Key, printed name, meaning.
const KNOWN: &[(&str, &str, &str)] = &[
    ("accuracy", "Accuracy", "The share of right answers."),
    ("average_precision", "Average precision", "Precision over all thresholds; chance is the share of positives."),
    ("balanced_accuracy", "Balanced accuracy", "The share of right answers, averaged over the classes."),
    ("brier", "Brier score", "The mean squared error of the probabilities."),
    ("calinski_harabasz", "Calinski–Harabasz index", "Spread between the segments over spread within them."),
    ("coverage", "Coverage", "The share of the catalog that is recommended to anyone."),
    ("davies_bouldin", "Davies–Bouldin index", "How alike each segment is to its nearest neighbor."),
    ("diversity", "Diversity", "How little the items of one list have in common, from 0 to 1."),
    ("ece", "Calibration error", "How far stated probabilities are from what then happens."),
    ("f1", "F1", "The harmonic mean of precision and recall."),
    ("hit_rate", "Hit rate", "The share of customers with at least one right recommendation."),
    ("inertia", "Inertia", "The summed squared distance to the centers of the segments."),
    ("ks", "Kolmogorov–Smirnov distance", "How far apart the shares of positives and negatives named are at most."),
    ("lift", "Lift", "How many times more hits among the highest scores than at random."),
    ("log_loss", "Log loss", "The penalty for probabilities that were confident and wrong."),
    (
        "log_loss_before_calibration",
        "Log loss before calibration",
        "The same penalty, of the probabilities before they were calibrated.",
    ),
    ("macro_f1", "Macro F1", "F1, averaged over the classes."),
    ("macro_precision", "Macro precision", "Precision, averaged over the classes."),
    ("macro_recall", "Macro recall", "Recall, averaged over the classes."),
    ("mae", "Mean absolute error", "How far the predictions are off, on average."),
    ("map", "Mean average precision", "How early in the list the right items come."),
    ("mape", "Mean absolute percentage error", "How far the predictions are off, as a share of what happened."),
    ("mcc", "Matthews correlation", "How far decisions and outcomes go together, from −1 to 1."),
    ("mrr", "Mean reciprocal rank", "How early in the list the first right item comes."),
    ("ndcg", "NDCG", "How close the order of the list is to the ideal one; 1 is ideal."),
    ("novelty", "Novelty", "How unexpected the items are: bits, more for what few customers have."),
    ("pr_auc", "PR AUC", "Precision over all thresholds; chance is the share of positives."),
    ("precision", "Precision", "The share of what was named that was right."),
    ("r2", "R²", "The share of the variance that is explained; 0 for the plain mean."),
    ("recall", "Recall", "The share of what was right that was named."),
    ("rmse", "Root mean squared error", "How far the predictions are off; large errors weigh more."),
    ("roc_auc", "ROC AUC", "How often a positive is ranked above a negative; chance is 0.5."),
    ("silhouette", "Silhouette", "How well apart the segments are, from −1 to 1."),
    ("spearman", "Rank correlation", "How far the order of the predictions is that of what happened, from −1 to 1."),
    ("weighted_f1", "Weighted F1", "F1, averaged over the classes by their rows."),
    ("weighted_precision", "Weighted precision", "Precision, averaged over the classes by their rows."),
    ("weighted_recall", "Weighted recall", "Recall, averaged over the classes by their rows."),
];

#[cfg(test)]
mod tests {
    use super::{KNOWN, explain, reworded};

    #[test]
    fn known_and_unknown_names() {
        assert_eq!(explain("roc_auc").0, "ROC AUC");
        assert_eq!(explain("recall@10").0, "Recall at 10");
        assert_eq!(reworded("It reaches a roc_auc of 0.7.", "roc_auc"), "It reaches a ROC AUC of 0.7.");
        assert_eq!(reworded("It reaches a recall@10 of 0.7.", "recall@10"), "It reaches a recall at 10 of 0.7.");
        assert_eq!(reworded("It reaches a ndcg of 0.7.", "ndcg"), "It reaches an NDCG of 0.7.");
        assert_eq!(reworded("The rmse differs by 2.", "rmse"), "The root mean squared error differs by 2.");
        assert_eq!(reworded("Nothing of it.", "ndcg"), "Nothing of it.");
        assert_eq!(explain("gini_gain"), ("gini gain".to_owned(), None));
        assert!(KNOWN.is_sorted_by_key(|(key, ..)| *key));
    }
}

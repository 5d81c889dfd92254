//! Thresholds chosen by what they bring.

use super::Ranking;
use super::threshold::Confusion;
use serde::{Deserialize, Serialize};

/// A threshold and what it brings on the rows it was chosen on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Predicted where the score is at least this, a score that occurs; `None`: nothing is predicted.
    pub threshold: Option<f64>,
    /// F1, or the total cost.
    pub value: f64,
    /// The decisions it makes.
    pub confusion: Confusion,
}

/// The highest-scored rows that a capacity allows.
#[derive(Debug, Clone, PartialEq)]
pub struct Capacity {
    /// By row: whether it is among them. Of rows with the score at the border the first ones are.
    pub chosen: Vec<bool>,
    /// How many they are.
    pub rows: usize,
    /// Rows left out although their score is that of the last one chosen.
    pub tied_out: usize,
    /// The lowest score among those chosen; `None` when there are none. As a threshold for other
    /// rows it lets all ties in.
    pub threshold: Option<f64>,
    /// The decisions.
    pub confusion: Confusion,
}

/// Relative rounding error forgiven in a share of rows: .29 of 100 rows are 29.
const ROUNDING: f64 = 1e-12;

impl Ranking {
    /// The threshold of the highest F1; of equal ones the highest threshold. `None` without positive
    /// outcomes.
    pub fn best_f1(&self) -> Option<Choice> {
        if self.positives() == 0 {
            return None;
        }
        // Without a prediction F1 is 0, below that of any threshold that reaches a positive row.
        self.least(|decided| -decided.f1().unwrap_or(0.0)).map(|choice| Choice { value: -choice.value, ..choice })
    }

    /// The threshold of the least total cost, a false positive costing `false_positive` and a false
    /// negative `false_negative`, what is right nothing; of equal ones the one that predicts the
    /// fewest. `None` unless both are finite and not negative.
    pub fn least_cost(&self, false_positive: f64, false_negative: f64) -> Option<Choice> {
        let legal = |cost: f64| cost.is_finite() && cost >= 0.0;
        if !(legal(false_positive) && legal(false_negative)) {
            return None;
        }
        self.least(|decided| {
            decided.false_positive as f64 * false_positive + decided.false_negative as f64 * false_negative
        })
    }

    /// The share `share` of the rows with the highest scores, rounded down; of equal scores the rows
    /// that come first. Shares below 0 and NaN choose nothing, shares above 1 all.
    pub fn capacity(&self, share: f64) -> Capacity {
        let allowed = share.clamp(0.0, 1.0) * self.rows() as f64;
        let allowed = (allowed * (1.0 + ROUNDING)).floor() as usize;
        // The level at the border, and how many of its rows have room.
        let (mut room, mut border, mut threshold, mut tied_out) = (allowed, 0, None, 0);
        self.each_level(|score, positives, negatives| {
            if room > 0 && tied_out == 0 {
                let rows = (positives + negatives) as usize;
                threshold = Some(score);
                border += 1;
                tied_out = rows.saturating_sub(room);
                // The room left at a border that is only partly chosen is what is chosen of it.
                room = if tied_out > 0 { room } else { room - rows };
            }
        });
        let mut room = if tied_out > 0 { room } else { usize::MAX };
        let choose = |level: usize| {
            let at_border = level + 1 == border;
            let chosen = level < border && (!at_border || room > 0);
            room -= usize::from(chosen && at_border);
            chosen
        };
        let chosen: Vec<bool> = self.levels().map(choose).collect();
        let confusion = Confusion::of(self.truth().zip(chosen.iter().copied()));
        Capacity { rows: allowed.min(self.rows()), chosen, tied_out, threshold, confusion }
    }

    /// The highest threshold with the least of `loss`, predicting nothing being the first.
    fn least(&self, loss: impl Fn(&Confusion) -> f64) -> Option<Choice> {
        let positives = self.positives();
        let mut decided =
            Confusion { true_negative: self.rows() - positives, false_negative: positives, ..Default::default() };
        let mut best = Choice { threshold: None, value: loss(&decided), confusion: decided };
        self.each_level(|score, positives, negatives| {
            let (positives, negatives) = (positives as usize, negatives as usize);
            decided.true_positive += positives;
            decided.false_negative -= positives;
            decided.false_positive += negatives;
            decided.true_negative -= negatives;
            let value = loss(&decided);
            if value < best.value {
                best = Choice { threshold: Some(score), value, confusion: decided };
            }
        });
        best.value.is_finite().then_some(best)
    }
}

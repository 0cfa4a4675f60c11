"""What the metrics of a model are, in words with units: for tables, pages and the tracking server.

What does not belong here: computing them (`evaluation`), and contracts of tables (`contracts`).
"""

TEST_METRICS = {
    "base_rate": "Share of labels of the test part that revert [1].",
    "f1": "F1 of the model's predictions on test [1].",
    "f1_always": 'F1 of always saying "reverts" on test [1].',
    "accuracy": "Share of right predictions on test [1].",
    "accuracy_always": 'Share of right predictions of always saying "reverts" on test [1].',
    "mcc": "Matthews correlation of predictions and outcomes on test [1].",
    "roc_auc": "Area under the ROC curve on test; 0.5 is chance [1].",
    "pr_auc": "Area under the precision-recall curve on test [1].",
    "log_loss": "Mean log-loss of the model on test [nats per label].",
    "log_loss_base": "Mean log-loss of the training base rate on test [nats per label].",
    "log_loss_baseline": "Mean log-loss on test of the simple forecast chosen on validation [nats per label].",
    "brier": "Mean squared error of the probabilities on test [1].",
    "calibration_error": "Mean distance of forecast and outcome over bins of equal count [1].",
    "skill": "Log-loss saved against the base rate [nats per label].",
    "skill_low": "Lower end of the 95 % interval of skill [nats per label].",
    "skill_high": "Upper end of the 95 % interval of skill [nats per label].",
    "skill_p": "One-sided p of a skill that is not above zero [1].",
    "lift": "Log-loss saved against the better simple forecast [nats per label].",
    "lift_low": "Lower end of the 95 % interval of lift [nats per label].",
    "lift_high": "Upper end of the 95 % interval of lift [nats per label].",
    "lift_p": "One-sided p of a lift that is not above zero [1].",
}
"""Metrics of a pair's test part, in the order of the tables."""

TRAINING_FIGURES = {
    "n_train": "Labels of the training part [labels].",
    "n_validation": "Labels of the validation part [labels].",
    "n_test": "Labels of the test part [labels].",
    "n_overnight": "Labels of the test part that span a night [labels].",
    "skill_q": "Benjamini-Hochberg q of skill_p over the pairs of the sector [1].",
    "lift_seed_sd": "Standard deviation of the lift over seeds [nats per label].",
    "threshold": 'Probability from which the model says "reverts" [1].',
    "best_epoch": "Epoch with the smallest validation loss [epochs].",
    "epochs": "Epochs trained before early stopping [epochs].",
    "correlation": "Correlation of log prices in the window [1].",
}
"""What else is known of a pair's training."""

DESCRIPTIONS = {**TEST_METRICS, **TRAINING_FIGURES}

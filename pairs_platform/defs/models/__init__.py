"""Model stage: features, training, evaluation, promotion."""

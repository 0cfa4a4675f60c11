"""GRU classifiers of mean reversion: features, labels, training, inference, evaluation, promotion."""

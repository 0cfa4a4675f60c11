"""Models of a sector: features, labels, splits, judgement, promotion; the network itself in `gru`."""

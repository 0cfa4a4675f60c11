"""The Parquet store of everything up to the trading configuration: partitions, documents, profiles, SQL."""

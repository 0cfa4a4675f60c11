"""MLflow: tracking, registry, serving."""

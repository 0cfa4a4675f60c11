"""Read-only questions about stored data, drawings and reports. Nothing here changes a store or declares an asset."""

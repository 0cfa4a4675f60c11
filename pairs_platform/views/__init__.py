"""Read-only questions, and what people look at: drawings and reports. Nothing here writes or declares."""

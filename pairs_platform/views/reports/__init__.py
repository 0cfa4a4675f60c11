"""A session's report and the tables that are exported, in their forms."""

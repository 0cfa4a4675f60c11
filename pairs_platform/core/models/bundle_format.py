"""The version of a registered model's files and their names, for those that name a model and do not read one.

What does not belong here: what the files hold (`bundle`).
"""

SCHEMA_VERSION = 1
"""Version of the two files, part of the registered model's name; raised with every change of content or meaning."""

WEIGHTS_FILE, DOCUMENT_FILE = "weights.safetensors", "model.json"

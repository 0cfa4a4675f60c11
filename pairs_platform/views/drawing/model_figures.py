"""How figures of models are called wherever they are shown.

What does not belong here: the figures (`core.models.metrics`).
"""

MODELS_UNIT = "0.001 nats per label, on test parts"
MODELS_NOTE = (
    'Skill is against the base rate, lift against the better simple forecast; always is the F1 of "always reverts".'
)

"""reconciler.yaml, environment and flags become `Settings`, each value with its origin."""

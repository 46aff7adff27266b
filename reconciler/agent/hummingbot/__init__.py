"""Real bots: one Hummingbot process and one root folder for each strategy, beside the agent."""

"""Real bots: one Hummingbot process and one root folder for each strategy, next to the agent."""

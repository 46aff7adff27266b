"""What a plan looks like: text, JSON and Markdown, and the exit code that goes with each of them. Pure."""

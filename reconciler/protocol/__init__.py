"""The wire: messages to words and back, exactly as schemas/asyncapi.yaml says. Pure."""

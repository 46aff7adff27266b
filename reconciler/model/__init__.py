"""The words of the product: frozen values, no logic beyond reading them. Pure."""

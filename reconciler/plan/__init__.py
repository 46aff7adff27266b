"""Desired × Observed → Plan, and what a plan looks like to people and programs. Pure."""

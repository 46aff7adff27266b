"""Outcomes and events → people."""

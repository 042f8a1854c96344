"""Runs the proofs of seeds: the runtime that they find, their sandbox, services and reports."""

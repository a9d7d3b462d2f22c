"""Probes that try to see or change another tenant, and mutants that show what would notice a missing lock."""

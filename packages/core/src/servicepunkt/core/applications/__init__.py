"""Applications: a form of the tenant file, filled in by a person who identified, handed on to whoever decides."""

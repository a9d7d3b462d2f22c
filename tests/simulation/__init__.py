"""A deterministic simulation of a box and everything around it, on the real controller, link and journal.

The world (cabinet, disk, network, clock, centre, staff, citizens) is written from the documents and shares no rule
with the code under test. What must never happen stands in `invariants.py`; that it would be seen, in `mutants.py`.
"""

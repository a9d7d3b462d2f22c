"""For all tests: no example of Hypothesis fails for having been slow; a busy machine is no fault."""

from hypothesis import settings

settings.register_profile("house", parent=settings(), deadline=None)
settings.load_profile("house")

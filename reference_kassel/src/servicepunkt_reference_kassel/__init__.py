"""The Kassel Service Point: the reference tenant. Its files stand below `tenant/`."""

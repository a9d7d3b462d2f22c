"""Plugins: the host that asks them, what their answers have to be, and what went wrong with them."""

from servicepunkt.core.plugins.host import Answer, PluginError, PluginHost, hookimpl

__all__ = ["Answer", "PluginError", "PluginHost", "hookimpl"]

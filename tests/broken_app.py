"""A module of an installed app that cannot be imported, as after a bad deployment."""

raise RuntimeError("this module is broken on purpose")

"""The command ``saltdeploy`` and the frames that it speaks with the warm door of a master; it imports nothing but these.

It lies outside the package ``saltdeploy``, since a command that takes a tenth of a second has no time to load that.
"""

"""The file of this package that a sync writes last: files go by name, and no name stands behind this one.

While it is not of the package's version, a part of the package is still of another one (see ``saltdeploy/__init__.py``).
"""

VERSION = "0.2.0"

"""Who may publish what, and how everybody can tell: keys, signed roles, provenance, the client's checks.

The only room that speaks TUF (https://theupdateframework.github.io/specification/latest/). Importing it
costs a tenth of a second, so commands import it when they need it.
"""

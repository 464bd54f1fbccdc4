"""What the double answers to each operation: all of its routes, from the files that hold them."""

from __future__ import annotations

from github_double import app_routes, check_routes, deployment_routes, repository_routes
from github_double.calls import ROUTES

__all__ = ["ROUTES", "app_routes", "check_routes", "deployment_routes", "repository_routes"]

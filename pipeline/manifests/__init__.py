"""Manifests: files that list references, one format a module."""
